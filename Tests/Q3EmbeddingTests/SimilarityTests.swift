// Similarities on numbers that can be checked by hand, at lengths around the vector width.
import Q3Embedding
import Testing

@Suite struct SimilarityTests {
    @Test(arguments: [0, 1, 7, 8, 9, 16, 31, 64, 1025]) func `dot is the sum of products`(_ count: Int) {
        let a = (0..<count).map { Float($0 % 7 - 3) }
        let b = (0..<count).map { Float($0 % 5 - 2) }
        // Small integers, so every order of addition gives the same sum.
        let expected = (0..<count).reduce(0) { $0 + ($1 % 7 - 3) * ($1 % 5 - 2) }
        #expect(Similarity.dot(a, b) == Float(expected))
        #expect(Similarity.dot(a.map { Int8($0) }, b.map { Int8($0) }) == expected)
    }

    @Test func `cosine does not depend on length`() {
        #expect(Similarity.cosine([3, 4] as [Float], [30, 40]) == 1)
        #expect(Similarity.cosine([1, 0] as [Float], [0, 5]) == 0)
        #expect(Similarity.cosine([1, 2] as [Float], [-2, -4]) == -1)
        #expect(Similarity.cosine([0, 0] as [Float], [1, 1]) == 0)
        #expect(Similarity.cosine([1e30, 0] as [Float], [1e30, 0]) == 1)
        #expect(Similarity.cosine([127, -128] as [Int8], [127, -128]) == 1)
        #expect(Similarity.cosine([0] as [Int8], [5]) == 0)
    }

    @Test func `int8 extremes do not overflow`() {
        let least = [Int8](repeating: -128, count: 4096)
        #expect(Similarity.dot(least, least) == 4096 * 16384)
    }

    @Test func `hamming counts different bits`() throws {
        #expect(Similarity.hamming([0b1010, 0xFF] as [UInt8], [0b0101, 0x0F]) == 8)
        #expect(Similarity.hamming([] as [UInt8], []) == 0)
        let (a, b): ([Float], [Float]) = ([1, -1, 1, 1, -1, -1, 1, 1], [1, 1, 1, -1, -1, -1, 1, -1])
        guard case .int8(let x) = try EmbeddingType.binary.encode(a),
            case .int8(let y) = try EmbeddingType.binary.encode(b)
        else { throw CancellationError() }
        #expect(Similarity.hamming(x, y) == 3)
    }
}
