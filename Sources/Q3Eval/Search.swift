// The nearest vectors of each query, by looking at all of them.
package import Q3Embedding

/// A found vector.
package typealias Hit = TopK.Hit

package enum Search {
    /// Queries that are compared with a row while it is in the processor's caches.
    private static let blockSize = 16

    /// The `limit` rows with the largest dot product for each query, best first: [queries][limit at most].
    ///
    /// Equal scores are ordered by `tieRanks`, the smaller rank first; without them by row. Each query's answer depends on
    /// nothing else, so it has the same bits with any number of threads.
    package static func nearest(
        _ limit: Int, of corpus: Vectors, to queries: Vectors, tieRanks: [Int]? = nil
    ) async -> [[Hit]] {
        let blocks = stride(from: 0, to: queries.count, by: blockSize).map { $0..<min($0 + blockSize, queries.count) }
        let ties = tieRanks.map(TieOrder.init)
        return await withTaskGroup(of: (Int, [[Hit]]).self) { group in
            for (index, block) in blocks.enumerated() {
                group.addTask { (index, nearest(limit, of: corpus, to: queries, block, ties)) }
            }
            var found = [[[Hit]]](repeating: [], count: blocks.count)
            for await (index, hits) in group { found[index] = hits }
            return found.flatMap { $0 }
        }
    }

    private static func nearest(
        _ limit: Int, of corpus: Vectors, to queries: Vectors, _ block: Range<Int>, _ ties: TieOrder?
    ) -> [[Hit]] {
        var best = block.map { _ in TopK(limit) }
        for row in 0..<corpus.count {
            for query in block {
                best[query - block.lowerBound].insert(
                    Float(queries.dot(query, corpus, row)), at: ties?.ranks[row] ?? row)
            }
        }
        return best.map { best in
            ties.map { ties in best.hits.map { Hit(index: ties.rows[$0.index], score: $0.score) } } ?? best.hits
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
