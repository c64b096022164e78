// A small change to a model's vectors that was learned from questions and answers: v becomes v + B A v, in unit length.
import Q3Model

/// A low-rank residual on vectors, which `q3 tune adapter` makes.
///
///     let adapter = try EmbeddingAdapter(path: "legal.gguf", for: embedder)
///     let query = try await embedder.embed("may I sublet", as: .query(), options: EmbeddingOptions(adapter: adapter))
///
/// As a rule it changes queries alone: documents keep their vectors, and an index serves with it and without it. One that
/// changes documents too makes vectors of another space, which has another `Fingerprint`.
///
/// The file is a GGUF file with the matrices `adapter.a` [rank, dimensions] and `adapter.b` [dimensions, rank], float32; the
/// metadata names the model's fingerprint, what the adapter changes, and how it was made. In NumPy: `v + b @ (a @ v)`.
public struct EmbeddingAdapter: Sendable, Equatable {
    /// Which vectors are changed.
    public enum Scope: String, Sendable, CaseIterable {
        /// Those of queries.
        case queries
        /// Those of queries and of documents.
        case everything
    }

    /// The fingerprint of the model that it was made for.
    public let model: Fingerprint
    /// Values of the vectors that it changes; those of the model as a rule. Vectors are cut to as many or fewer.
    public let dimensions: Int
    /// How many directions it can change.
    public let rank: Int
    /// Which vectors it changes.
    public private(set) var scope: Scope
    /// The instruction of the queries that it was made with; nil for the one of web search.
    public let instruction: String?
    /// Data, options and figures of the training, by name.
    public let notes: [String: String]

    /// A [rank, dimensions]
    package let down: [Float]
    /// B, a row for each direction: [rank, dimensions]
    package let up: [Float]

    /// The most directions.
    public static let rankLimit = 4096

    /// An adapter of these matrices: `down` is A [rank, dimensions], `up` the transpose of B [rank, dimensions], both row-major.
    /// Throws `EmbeddingError.badAdapter` for sizes that do not fit together and values that are not finite.
    public init(
        model: Fingerprint, dimensions: Int, rank: Int, scope: Scope, instruction: String? = nil,
        notes: [String: String] = [:], down: [Float], up: [Float]
    ) throws(EmbeddingError) {
        func fault(_ what: String) -> EmbeddingError { .badAdapter(path: "the adapter", fault: what) }
        guard 1...(1 << 16) ~= dimensions else { throw fault("it is for vectors of \(dimensions) values") }
        guard 1...min(dimensions, Self.rankLimit) ~= rank else {
            throw fault("its rank is \(rank), expected 1 to \(min(dimensions, Self.rankLimit))")
        }
        guard down.count == rank * dimensions, up.count == rank * dimensions else {
            throw fault("its matrices have \(down.count) and \(up.count) values, expected \(rank * dimensions)")
        }
        guard down.allSatisfy(\.isFinite), up.allSatisfy(\.isFinite) else {
            throw fault("it has values that are not finite")
        }
        (self.model, self.dimensions, self.rank, self.scope) = (model, dimensions, rank, scope)
        (self.instruction, self.notes, self.down, self.up) = (instruction, notes, down, up)
    }

    /// The same adapter for texts whose prompt does not tell what they are: it changes all of them.
    package var forEverything: EmbeddingAdapter {
        var copy = self
        copy.scope = .everything
        return copy
    }

    /// Whether it changes texts with that prompt.
    public func changes(_ prompt: Prompt) -> Bool {
        if case .query = prompt { true } else { scope == .everything }
    }

    /// A vector with the change, cut to its first `kept` values and scaled to unit length. `vector` has unit length and
    /// `dimensions` values, and `kept` is not more (preconditions). Throws `EmbeddingError.zeroNorm` where nothing is left.
    ///
    /// Sums run in a fixed order in double precision, so the bits depend on the vector and the adapter alone.
    public func applied(to vector: [Float], keeping kept: Int? = nil) throws(EmbeddingError) -> [Float] {
        let kept = kept ?? dimensions
        precondition(vector.count == dimensions && 1...dimensions ~= kept, "a vector of \(vector.count) values")
        var sums = vector.map(Double.init)
        for direction in 0..<rank {
            let start = direction * dimensions
            var share = 0.0
            for index in 0..<dimensions { share += Double(down[start + index]) * Double(vector[index]) }
            guard share != 0 else { continue }
            for index in 0..<kept { sums[index] += share * Double(up[start + index]) }
        }
        let squares = sums.prefix(kept).reduce(0) { $0 + $1 * $1 }
        guard squares.isFinite, squares > 0 else { throw .zeroNorm }
        let scale = 1 / squares.squareRoot()
        return sums.prefix(kept).map { Float($0 * scale) }
    }
}

extension Fingerprint {
    /// The space of document vectors with an adapter; that of the model where the adapter changes queries alone.
    public func adapted(by adapter: EmbeddingAdapter?) -> Fingerprint {
        guard let adapter, adapter.scope == .everything else { return self }
        var hash = SpaceHash()
        hash.combine("adapted documents")
        hash.combine(value)
        hash.combine(UInt64(adapter.dimensions))
        hash.combine(UInt64(adapter.rank))
        for matrix in [adapter.down, adapter.up] {
            unsafe matrix.withUnsafeBytes { bytes in unsafe hash.combine(bytes) }
        }
        return Fingerprint(value: hash.finish())
    }
}
