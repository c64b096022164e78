// The six element types that a vector can be stored in, named as in sentence-transformers' quantize_embeddings.

/// How the values of a vector are stored.
public enum EmbeddingType: String, Sendable, CaseIterable, Codable {
    /// Numbers as computed.
    case f32
    /// IEEE half precision, rounded to nearest even.
    case f16
    /// 256 steps between each dimension's smallest and largest value, stored as -128...127.
    case int8
    /// 256 steps between each dimension's smallest and largest value, stored as 0...255.
    case uint8
    /// One bit per dimension, set where the value is above zero; eight to a byte, first dimension in the highest bit,
    /// each byte stored as its value - 128.
    case binary
    /// As `binary`, each byte as it is.
    case ubinary

    /// Whether values can be stored only with the ranges of a set of vectors.
    public var needsRanges: Bool { self == .int8 || self == .uint8 }

    /// Elements of a stored vector of this many dimensions.
    public func elementCount(dimensions: Int) throws(EmbeddingError) -> Int {
        guard self == .binary || self == .ubinary else { return dimensions }
        guard dimensions % 8 == 0 else { throw .unevenBits(dimensions: dimensions) }
        return dimensions / 8
    }

    /// Stores a vector in this type.
    ///
    /// `ranges` is used by `int8` and `uint8` only, which throw without it.
    public func encode(
        _ vector: [Float], ranges: EmbeddingRanges? = nil
    ) throws(EmbeddingError) -> EncodedVector {
        switch self {
        case .f32: return .float32(vector)
        case .f16: return .float16(vector.map(HalfPrecision.bits(of:)))
        case .uint8: return .uint8(try steps(vector, ranges).map { UInt8($0.clamped(to: 0...255)) })
        // Converting truncates toward zero, so the shift must come first: -0.5 is 0 here and 127 as a shifted uint8.
        case .int8: return .int8(try steps(vector, ranges).map { Int8(($0 - 128).clamped(to: -128...127)) })
        case .ubinary: return .uint8(try packedBits(vector))
        case .binary: return .int8(try packedBits(vector).map { Int8(bitPattern: $0 ^ 0x80) })
        }
    }

    /// How many 255ths of its dimension's range each value lies above the smallest one.
    private func steps(_ vector: [Float], _ ranges: EmbeddingRanges?) throws(EmbeddingError) -> [Float] {
        guard let ranges else { throw .missingRanges(type: self) }
        guard ranges.dimensions == vector.count else {
            throw .sizeMismatch(expected: ranges.dimensions, got: vector.count)
        }
        return vector.indices.map { i in
            let step = (ranges.maximum[i] - ranges.minimum[i]) / 255
            // A dimension that never varies carries nothing; sentence-transformers divides by zero here.
            return step > 0 ? (vector[i] - ranges.minimum[i]) / step : 0
        }
    }

    private func packedBits(_ vector: [Float]) throws(EmbeddingError) -> [UInt8] {
        (0..<(try elementCount(dimensions: vector.count))).map { byte in
            vector[(byte * 8)..<(byte * 8 + 8)].reduce(0) { $0 << 1 | ($1 > 0 ? 1 : 0) }
        }
    }
}

/// A vector in the type it is stored in.
public enum EncodedVector: Sendable, Equatable {
    /// Numbers as computed.
    case float32([Float])
    /// Bit patterns of IEEE half precision.
    case float16([UInt16])
    /// Numbers in -128...127, or packed bits.
    case int8([Int8])
    /// Numbers in 0...255, or packed bits.
    case uint8([UInt8])

    /// The elements as they lie in a file, little endian.
    public var bytes: [UInt8] {
        switch self {
        case .float32(let values): values.flatMap { littleEndianBytes($0.bitPattern) }
        case .float16(let bits): bits.flatMap(littleEndianBytes)
        case .int8(let values): values.map { UInt8(bitPattern: $0) }
        case .uint8(let values): values
        }
    }
}

/// The smallest and the largest value of each dimension over a set of vectors, which `int8` and `uint8` spread their
/// 256 steps over.
///
/// Vectors are comparable only when they were stored with the same ranges: take them once, from many vectors of the
/// kind to be indexed, and keep them with the index.
public struct EmbeddingRanges: Sendable, Equatable, Codable {
    /// [dimensions]
    public private(set) var minimum: [Float]
    /// [dimensions]
    public private(set) var maximum: [Float]
    /// How many dimensions the ranges have.
    public var dimensions: Int { minimum.count }

    /// The ranges of the given vectors, [vectors, dimensions]; nil without any vector.
    public init?(of vectors: some Sequence<[Float]>) throws(EmbeddingError) {
        var iterator = vectors.makeIterator()
        guard let first = iterator.next() else { return nil }
        minimum = first
        maximum = first
        while let vector = iterator.next() {
            guard vector.count == minimum.count else {
                throw .sizeMismatch(expected: minimum.count, got: vector.count)
            }
            for (i, value) in vector.enumerated() {
                minimum[i] = min(minimum[i], value)
                maximum[i] = max(maximum[i], value)
            }
        }
    }

    /// Ranges that were stored. Throws `EmbeddingError.sizeMismatch` unless there are as many minimums as maximums.
    public init(minimum: [Float], maximum: [Float]) throws(EmbeddingError) {
        guard minimum.count == maximum.count else {
            throw .sizeMismatch(expected: minimum.count, got: maximum.count)
        }
        self.minimum = minimum
        self.maximum = maximum
    }

    private enum CodingKeys: CodingKey { case minimum, maximum }

    /// Throws `EmbeddingError.sizeMismatch` for lists of different sizes, and `DecodingError`.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try self.init(
            minimum: values.decode([Float].self, forKey: .minimum),
            maximum: values.decode([Float].self, forKey: .maximum))
    }
}

private func littleEndianBytes<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    (0..<(T.bitWidth / 8)).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
}

extension Float {
    fileprivate func clamped(to range: ClosedRange<Float>) -> Float {
        // A NaN (from a range of infinities) has no order and would trap when converted.
        isNaN ? 0 : Swift.min(Swift.max(self, range.lowerBound), range.upperBound)
    }
}
