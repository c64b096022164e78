// One text's vector and what was done to get it: cut to its dimensions first, then scaled to unit length.

/// The vector of one text.
public struct Embedding: Sendable, Equatable {
    /// Unit length, [dimensions].
    public let vector: [Float]
    /// Tokens that the model read, with the closing `<|endoftext|>`.
    public let tokenCount: Int
    /// Whether the end of the text was cut off to fit the context.
    public let isTruncated: Bool

    init(
        hiddenState: [Float], dimensions: Int, adapter: EmbeddingAdapter? = nil, tokenCount: Int, isTruncated: Bool
    ) throws(EmbeddingError) {
        vector = try Self.vector(of: hiddenState, dimensions: dimensions, adapter: adapter)
        self.tokenCount = tokenCount
        self.isTruncated = isTruncated
    }

    /// The dot product with an embedding of the same dimensions (a precondition): the cosine of the angle between the two
    /// texts, -1...1, because both vectors have unit length.
    public func dot(_ other: Embedding) -> Float { Similarity.dot(vector, other.vector) }

    /// The cosine, computed with the lengths of both vectors; differs from `dot` by rounding only.
    public func cosine(to other: Embedding) -> Float { Similarity.cosine(vector, other.vector) }

    /// The vector of a hidden state, changed by an adapter whose sizes were checked.
    package static func vector(
        of hiddenState: [Float], dimensions: Int, adapter: EmbeddingAdapter?
    ) throws(EmbeddingError) -> [Float] {
        guard let adapter else { return try normalized(hiddenState, dimensions: dimensions) }
        return try adapter.applied(
            to: normalized(hiddenState, dimensions: adapter.dimensions), keeping: dimensions)
    }

    /// The first `dimensions` values, scaled to unit length: cut first, as the model was trained, then normalize.
    ///
    /// The squares are summed in double precision: a value of 1e38 cannot overflow there, and one of 1e-38 does not vanish.
    package static func normalized(_ hiddenState: [Float], dimensions: Int) throws(EmbeddingError) -> [Float] {
        if let bad = hiddenState.firstIndex(where: { !$0.isFinite }) {
            throw .nonFinite(dimension: bad)
        }
        let kept = hiddenState.prefix(dimensions)
        let squares = kept.reduce(0.0) { $0 + Double($1) * Double($1) }
        guard squares > 0 else { throw .zeroNorm }
        let scale = 1 / squares.squareRoot()
        return kept.map { Float(Double($0) * scale) }
    }
}

/// The keys are those of a line of `q3 embed`, so that such a line decodes to an embedding.
extension Embedding: Codable {
    private enum CodingKeys: String, CodingKey {
        case vector = "embedding"
        case tokenCount = "tokens"
        case isTruncated = "truncated"
    }

    /// Throws `DecodingError` for a vector that is empty or holds a value that is not a finite number.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        vector = try values.decode([Float].self, forKey: .vector)
        guard !vector.isEmpty, vector.allSatisfy(\.isFinite) else {
            throw DecodingError.dataCorruptedError(
                forKey: .vector, in: values, debugDescription: "expected a vector of finite numbers")
        }
        tokenCount = try values.decode(Int.self, forKey: .tokenCount)
        isTruncated = try values.decode(Bool.self, forKey: .isTruncated)
    }
}
