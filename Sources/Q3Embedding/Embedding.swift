// One text's vector and what was done to get it; the cut, then the length.

/// The vector of one text.
public struct Embedding: Sendable, Equatable {
    /// Unit length, [dimensions].
    public let vector: [Float]
    /// Tokens that the model read, with the closing `<|endoftext|>`.
    public let tokenCount: Int
    /// Whether the end of the text was cut away to fit the context.
    public let truncated: Bool

    init(hiddenState: [Float], dimensions: Int, tokenCount: Int, truncated: Bool) throws(EmbeddingError) {
        self.vector = try Self.normalized(hiddenState, dimensions: dimensions)
        self.tokenCount = tokenCount
        self.truncated = truncated
    }

    /// The first `dimensions` values, scaled to unit length: cut first, as the model was trained, then normalize.
    ///
    /// The squares are summed in double precision, which a value of 1e38 cannot overflow nor one of 1e-38 vanish from.
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
