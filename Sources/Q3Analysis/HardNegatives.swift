// Passages that are near to a query and do not answer it: what a model learns most from.
import Q3Embedding
public import Q3Linear
import Q3System

/// How hard negatives are chosen; names and meaning are those of sentence-transformers' `mine_hard_negatives`.
public struct NegativeOptions: Sendable {
    /// Candidates to skip at the start, counted after the filters.
    public var rangeMin = 0
    /// Candidates to look at; nil for as many as the other options need.
    public var rangeMax: Int?
    /// The largest score of a negative.
    public var maxScore: Float?
    /// The least score of a negative.
    public var minScore: Float?
    /// How far a negative's score must be below the least score of the query's positives.
    public var absoluteMargin: Float?
    /// The same as a part of that score.
    public var relativeMargin: Float?
    /// Negatives of each query.
    public var count = 3
    /// A seed, to draw negatives from the candidates at random; nil takes the hardest.
    public var samplingSeed: UInt64?
    /// Threads that compute; nil for one for each processor.
    public var threads: Int?
    /// Is told which part of the search is done, on any thread.
    public var progress: (@Sendable (Double) -> Void)?

    /// The three hardest, without margins.
    public init() {}

    private var hasFilter: Bool {
        absoluteMargin != nil || relativeMargin != nil || maxScore != nil || minScore != nil
    }

    /// Candidates to look at where a query has so many positives at most.
    func range(positives: Int) -> Int {
        rangeMax ?? rangeMin + (hasFilter ? count * 10 : count) + positives
    }
}

/// A passage of a query.
public struct ScoredPassage: Sendable, Equatable {
    /// Row of the passage.
    public let row: Int
    /// Its cosine with the query, or what a reranker gave.
    public let score: Float
}

/// What was found for a query.
public struct MinedNegatives: Sendable, Equatable {
    /// Its positives in their order.
    public let positives: [ScoredPassage]
    /// Its negatives, hardest first; fewer than were asked for where the filters left no more.
    public let negatives: [ScoredPassage]
}

/// Mines hard negatives.
public enum HardNegatives {
    /// The scores of passages for a query by a reranker, in the order of the rows.
    public typealias Rescoring = @Sendable (_ query: Int, _ passages: [Int]) async throws -> [Float]

    /// Negatives for each row of `queries` among the rows of `passages`; both have unit length. `positives` are the passages that
    /// answer each query. With `rescore` scores of a reranker take the place of cosines, for the candidates that cosines chose
    /// and for the positives. Throws `LinearError`, `CancellationError`, and what `rescore` throws.
    public static func mine(
        queries: VectorMatrix, passages: VectorMatrix, positives: [[Int]], options: NegativeOptions = NegativeOptions(),
        rescore: Rescoring? = nil
    ) async throws -> [MinedNegatives] {
        precondition(positives.count == queries.count, "positives for each query")
        let most = positives.map(\.count).max() ?? 0
        let range = options.range(positives: most)
        try await MemoryNeed.check(
            AnalysisMemory.negatives(
                queries: queries.count, passages: passages.count, positives: most, options: options),
            startingThreads: options.threads)
        let nearest = try await NearestRows.find(
            range + most, of: passages, to: queries, threads: options.threads, progress: options.progress)
        var random = options.samplingSeed.map { SeededGenerator(seed: $0) }
        var mined: [MinedNegatives] = []
        mined.reserveCapacity(nearest.count)
        for (query, hits) in nearest.enumerated() {
            var candidates = hits.map { ScoredPassage(row: $0.index, score: $0.score) }
            var answers = positives[query].map {
                ScoredPassage(row: $0, score: Float(queries.dot(query, passages, $0)))
            }
            if let rescore {
                try Task.checkCancellation()
                let rows = candidates.map(\.row) + answers.map(\.row)
                let scores = zip(rows, try await rescore(query, rows)).map { ScoredPassage(row: $0, score: $1) }
                candidates = Array(scores.prefix(candidates.count))
                answers = Array(scores.dropFirst(candidates.count))
            }
            let own = Set(positives[query])
            candidates.removeAll { own.contains($0.row) || !isAllowed($0.score, answers.map(\.score).min(), options) }
            // Stable, so equal scores keep the order of the cosines.
            candidates.sort { $0.score > $1.score }
            let open = Array(candidates.prefix(range).dropFirst(options.rangeMin))
            let negatives =
                random == nil || open.count <= options.count
                ? Array(open.prefix(options.count))
                : drawn(options.count, of: open, with: &random)
            mined.append(MinedNegatives(positives: answers, negatives: negatives))
        }
        return mined
    }

    private static func isAllowed(_ score: Float, _ positive: Float?, _ options: NegativeOptions) -> Bool {
        if let positive {
            if let margin = options.absoluteMargin, score + margin > positive { return false }
            if let margin = options.relativeMargin, score > positive - abs(positive) * margin { return false }
        }
        if let largest = options.maxScore, score > largest { return false }
        if let least = options.minScore, score < least { return false }
        return !score.isNaN
    }

    /// Some of the passages, in their order.
    private static func drawn(
        _ count: Int, of passages: [ScoredPassage], with random: inout SeededGenerator?
    ) -> [ScoredPassage] {
        guard var generator = random else { return [] }
        defer { random = generator }
        return Array(passages.indices).shuffled(using: &generator).prefix(count).sorted().map { passages[$0] }
    }
}
