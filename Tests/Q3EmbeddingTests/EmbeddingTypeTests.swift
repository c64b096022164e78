// The stored types against sentence-transformers' quantize_embeddings, whose numpy results stand here as they are.
import Q3Embedding
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

@Suite struct EmbeddingTypeTests {
    private static let vectors: [[Float]] = [
        [0.5, -0.25, 0.125, 0, -1, 1, 0.75, -0.5],
        [-0.5, 0.25, 0.3, 0.7, 0.1, -0.2, 0.9, 0.0],
        [0.1, 0.2, -0.9, 0.05, 0.33, -0.66, 0.01, -0.02],
    ]

    private static let fromOwnRanges: [(type: EmbeddingType, rows: [EncodedVector])] = [
        (
            .uint8,
            [
                .uint8([254, 0, 217, 0, 0, 255, 212, 0]), .uint8([0, 254, 255, 255, 210, 70, 255, 254]),
                .uint8([153, 229, 0, 18, 255, 0, 0, 244]),
            ]
        ),
        (
            .int8,
            [
                .int8([126, -128, 89, -128, -128, 127, 84, -128]), .int8([-128, 126, 127, 127, 82, -57, 127, 126]),
                .int8([25, 101, -128, -109, 127, -128, -128, 116]),
            ]
        ),
        (.ubinary, [.uint8([166]), .uint8([122]), .uint8([218])]),
        (.binary, [.int8([38]), .int8([-6]), .int8([90])]),
    ]

    @Test(arguments: fromOwnRanges)
    func `encodes as reference`(_ test: (type: EmbeddingType, rows: [EncodedVector])) throws {
        let ranges = try EmbeddingRanges(of: Self.vectors)
        #expect(try Self.vectors.map { try test.type.encode($0, ranges: ranges) } == test.rows)
    }

    @Test func `encodes with given ranges`() throws {
        let ranges = try EmbeddingRanges(
            minimum: [Float](repeating: -1, count: 8), maximum: [Float](repeating: 1, count: 8))
        #expect(
            try EmbeddingType.uint8.encode(Self.vectors[0], ranges: ranges)
                == .uint8([191, 95, 143, 127, 0, 254, 223, 63]))
        // Truncation is toward zero after the shift, so these are not the numbers above - 128.
        #expect(
            try EmbeddingType.int8.encode(Self.vectors[0], ranges: ranges)
                == .int8([63, -32, 15, 0, -128, 126, 95, -64]))
    }

    @Test func `values outside the ranges are clamped`() throws {
        let ranges = try EmbeddingRanges(minimum: [0, 0, 0], maximum: [1, 1, 1])
        #expect(
            try EmbeddingType.uint8.encode([-5, 7, .greatestFiniteMagnitude], ranges: ranges) == .uint8([0, 255, 255]))
        #expect(
            try EmbeddingType.int8.encode([-5, 7, -.greatestFiniteMagnitude], ranges: ranges)
                == .int8([-128, 127, -128]))
    }

    @Test func `a dimension that never varies does not divide by zero`() throws {
        let ranges = try EmbeddingRanges(of: [[0.5, -1], [0.5, 1]])
        #expect(try EmbeddingType.uint8.encode([0.5, 1], ranges: ranges) == .uint8([0, 254]))
    }

    @Test func `what is missing is refused`() throws {
        #expect(throws: EmbeddingError.missingRanges(type: .int8)) { try EmbeddingType.int8.encode([1]) }
        #expect(throws: EmbeddingError.unevenBits(dimensions: 9)) {
            try EmbeddingType.binary.encode([Float](repeating: 1, count: 9))
        }
        let ranges = try EmbeddingRanges(of: [[1, 2]])
        #expect(throws: EmbeddingError.sizeMismatch(expected: 2, got: 3)) {
            try EmbeddingType.uint8.encode([1, 2, 3], ranges: ranges)
        }
        #expect(throws: EmbeddingError.sizeMismatch(expected: 2, got: 1)) { try EmbeddingRanges(of: [[1, 2], [1]]) }
        #expect(try EmbeddingRanges(of: []) == nil)
    }

    private static let bytes: [(vector: EncodedVector, bytes: [UInt8])] = [
        (.float32([1, -2]), [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0]),
        (.float16([0x3C00, 0xC001]), [0x00, 0x3C, 0x01, 0xC0]),
        (.int8([-1, 127]), [255, 127]),
        (.uint8([1, 2]), [1, 2]),
    ]

    @Test(arguments: bytes) func `bytes are little endian`(_ test: (vector: EncodedVector, bytes: [UInt8])) {
        #expect(test.vector.bytes == test.bytes)
    }

    @Test func `ranges are read back from JSON, of one size only`() throws {
        let ranges = try EmbeddingRanges(minimum: [-1, 0.1], maximum: [1, 0.3])
        #expect(try JSONDecoder().decode(EmbeddingRanges.self, from: JSONEncoder().encode(ranges)) == ranges)
        let uneven = Data("{\"minimum\":[0],\"maximum\":[1,2]}".utf8)
        #expect(throws: EmbeddingError.sizeMismatch(expected: 1, got: 2)) {
            try JSONDecoder().decode(EmbeddingRanges.self, from: uneven)
        }
    }
}
