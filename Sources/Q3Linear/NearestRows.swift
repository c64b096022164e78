// The nearest rows of each row, among all rows of another matrix.
package import Q3Embedding

package enum NearestRows {
    /// The `limit` rows of `corpus` with the largest dot product for each row of `queries`, best first; of equals the smaller
    /// row. `skipsSelf` leaves out the row of the same number, where both are one matrix.
    package static func find(
        _ limit: Int, of corpus: VectorMatrix, to queries: VectorMatrix, skipsSelf: Bool = false, threads: Int? = nil,
        progress: (@Sendable (Double) -> Void)? = nil
    ) async throws -> [[TopK.Hit]] {
        let walk = try TileWalk(left: queries, right: corpus, threads: threads)
        let need = byteCount(limit, of: corpus.count, to: queries.count)
        try await MemoryNeed.check(need, startingThreads: threads)
        return try await walk.run(
            start: { rows in rows.map { _ in TopK(limit) } },
            visit: { best, tile in
                for row in 0..<tile.left.count {
                    let own = skipsSelf ? tile.left.lowerBound + row : -1
                    tile.forEach(inRow: row, atLeast: best[row].worst?.score ?? -.infinity) { right, product in
                        if right != own { best[row].insert(product, at: right) }
                    }
                }
            },
            end: { best in best.map(\.hits) }, progress: progress
        ).concatenated()
    }

    /// Bytes of what `find` returns, and of what it keeps until then.
    package static func byteCount(_ limit: Int, of corpus: Int, to queries: Int) -> Int {
        queries * (MemoryNeed.array(min(limit, corpus), of: MemoryLayout<TopK.Hit>.stride) + 16)
    }

    /// Rows that may be among the `limit` nearest in exact arithmetic, in the order of the rows: the nearest by products in f32,
    /// and all within twice the largest rounding error of the last of them.
    package static func candidates(
        _ limit: Int, of corpus: VectorMatrix, to queries: VectorMatrix, threads: Int? = nil
    ) async throws -> [[Int]] {
        let walk = try TileWalk(left: queries, right: corpus, threads: threads)
        let largest = (0..<corpus.count).reduce(0.0) { max($0, corpus.dot($1, corpus, $1)) }.squareRoot()
        return try await walk.run(
            start: { rows in
                rows.map { row in
                    // A sum of n products that are added one by one is off by at most n · 2^-24 · Σ|products|.
                    let size = queries.dot(row, queries, row).squareRoot() * largest
                    return Candidates(limit: limit, slack: Float(2 * size * Double(queries.columns + 1) * 0x1p-24))
                }
            },
            visit: { rows, tile in
                for row in 0..<tile.left.count {
                    tile.forEach(inRow: row, atLeast: rows[row].least) { rows[row].add($0, $1) }
                }
            },
            end: { rows in rows.map(\.kept) }
        ).flatMap { $0 }
    }
}

/// The best rows so far, and those too near to the last of them to tell.
private struct Candidates {
    private let slack: Float
    private var best: TopK
    private var near: [TopK.Hit] = []

    init(limit: Int, slack: Float) {
        best = TopK(limit)
        self.slack = slack
    }

    /// What a product must reach to matter.
    var least: Float { best.worst.map { $0.score - slack } ?? -.infinity }

    mutating func add(_ row: Int, _ product: Float) {
        guard product >= least else { return }
        near.append(TopK.Hit(index: row, score: product))
        best.insert(product, at: row)
        if near.count > 4 * best.limit + 1024, let worst = best.worst {
            near.removeAll { $0.score < worst.score - slack }
        }
    }

    var kept: [Int] { near.filter { $0.score >= least }.map(\.index) }
}
