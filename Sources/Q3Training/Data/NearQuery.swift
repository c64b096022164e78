// Held-out queries that are almost the same as a training query, in other words.
public import Q3Linear

/// A held-out query, and the training query nearest to it.
public struct NearQuery: Sendable, Equatable {
    /// The row of the held-out query.
    public let heldOut: Int
    /// The row of the other one.
    public let training: Int
    /// The cosine of their vectors.
    public let cosine: Double

    /// Queries with this cosine or more mean the same, as a rule.
    public static let leastCosine = 0.95

    /// All held-out queries that are so near to one that is learned from, nearest first. `queries` are the vectors of all
    /// queries, before anything was learned; their length does not matter. Throws `LinearError`.
    public static func find(
        _ split: DataSplit, queries: VectorMatrix, leastCosine: Double = leastCosine, threads: Int? = nil
    ) async throws -> [NearQuery] {
        guard !split.heldOut.isEmpty, !split.training.isEmpty else { return [] }
        let found = try await NearestRows.find(
            1, of: queries.rows(split.training).normalized(), to: queries.rows(split.heldOut).normalized(),
            threads: threads)
        return zip(split.heldOut, found).compactMap { row, hits in
            guard let hit = hits.first, Double(hit.score) >= leastCosine else { return nil }
            return NearQuery(heldOut: row, training: split.training[hit.index], cosine: Double(hit.score))
        }.sorted { $0.cosine == $1.cosine ? $0.heldOut < $1.heldOut : $0.cosine > $1.cosine }
    }
}
