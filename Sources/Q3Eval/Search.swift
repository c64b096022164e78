// The nearest vectors of each query, by looking at all of them.

/// A found vector.
package struct Hit: Sendable, Equatable {
    package let index: Int
    package let score: Float

    package init(index: Int, score: Float) {
        self.index = index
        self.score = score
    }
}

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
        return await withTaskGroup(of: (Int, [[Hit]]).self) { group in
            for (index, block) in blocks.enumerated() {
                group.addTask { (index, nearest(limit, of: corpus, to: queries, block, tieRanks)) }
            }
            var found = [[[Hit]]](repeating: [], count: blocks.count)
            for await (index, hits) in group { found[index] = hits }
            return found.flatMap { $0 }
        }
    }

    private static func nearest(
        _ limit: Int, of corpus: Vectors, to queries: Vectors, _ block: Range<Int>, _ tieRanks: [Int]?
    ) -> [[Hit]] {
        var best = block.map { _ in BestHits(limit: limit, tieRanks: tieRanks) }
        for row in 0..<corpus.count {
            for query in block {
                best[query - block.lowerBound].add(
                    Hit(index: row, score: Float(queries.dot(query, corpus, row))))
            }
        }
        return best.map(\.sorted)
    }
}

/// The best hits so far, as a heap with the worst of them on top.
private struct BestHits {
    let limit: Int
    let tieRanks: [Int]?
    private var heap: [Hit] = []

    init(limit: Int, tieRanks: [Int]?) {
        self.limit = limit
        self.tieRanks = tieRanks
    }

    var sorted: [Hit] { heap.sorted(by: precedes) }

    mutating func add(_ hit: Hit) {
        if heap.count < limit {
            heap.append(hit)
            var child = heap.count - 1
            while child > 0, precedes(heap[(child - 1) / 2], heap[child]) {
                heap.swapAt(child, (child - 1) / 2)
                child = (child - 1) / 2
            }
        } else if limit > 0, precedes(hit, heap[0]) {
            heap[0] = hit
            var parent = 0
            while let worst = [2 * parent + 1, 2 * parent + 2].filter({ $0 < limit }).max(by: {
                precedes(heap[$0], heap[$1])
            }),
                precedes(heap[parent], heap[worst])
            {
                heap.swapAt(parent, worst)
                parent = worst
            }
        }
    }

    private func precedes(_ a: Hit, _ b: Hit) -> Bool {
        guard a.score == b.score else { return a.score > b.score }
        guard let tieRanks else { return a.index < b.index }
        return tieRanks[a.index] < tieRanks[b.index]
    }
}
