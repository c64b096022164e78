// The nearest vectors of each query, by looking at all of them.
package import Q3Embedding
import Q3Linear

/// A found vector.
package typealias Hit = TopK.Hit

package enum Search {
    /// The `limit` rows with the largest dot product for each query, best first: [queries][limit at most].
    ///
    /// Equal scores are ordered by `tieRanks`, the smaller rank first; without them by row. Products of tiles in f32 tell which
    /// rows can be among the first; scores and order are those of sums in double precision, so that rounding makes no ties and
    /// hides none. Each query's answer depends on nothing else, so it has the same bits with any number of threads.
    package static func nearest(
        _ limit: Int, of corpus: Vectors, to queries: Vectors, tieRanks: [Int]? = nil
    ) async throws -> [[Hit]] {
        guard corpus.count > 0, queries.count > 0, limit > 0 else { return queries.rowNumbers.map { _ in [] } }
        let ties = tieRanks.map(TieOrder.init)
        let candidates = try await NearestRows.candidates(limit, of: try corpus.matrix(), to: try queries.matrix())
        return candidates.enumerated().map { query, rows in
            var best = TopK(limit)
            for row in rows { best.insert(Float(queries.dot(query, corpus, row)), at: ties?.ranks[row] ?? row) }
            return ties.map { ties in best.hits.map { Hit(index: ties.rows[$0.index], score: $0.score) } } ?? best.hits
        }
    }

    /// An order of the rows with equal scores, as the rank of each row and as the row of each rank.
    private struct TieOrder {
        let ranks: [Int]
        let rows: [Int]

        init(ranks: [Int]) {
            self.ranks = ranks
            var rows = [Int](repeating: 0, count: ranks.count)
            for (row, rank) in ranks.enumerated() { rows[rank] = row }
            self.rows = rows
        }
    }
}
