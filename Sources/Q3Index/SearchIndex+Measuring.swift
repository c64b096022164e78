// How fast an index is scanned, and whether the scan finds what an exact search in f32 does.
import Q3Embedding

/// What a measurement of the scan found.
package struct ScanMeasurement: Sendable {
    /// Time of each query, of the vectors alone.
    package let durations: [Duration]
    /// Bytes of int8 rows and scales that one query reads.
    package let scannedBytes: Int
    package let vectors: Int
    /// Of the first ten places of every query, those that hold the same vector as in an exact search, and all.
    package let agreeingPlaces: Int
    package let places: Int
}

extension SearchIndex {
    /// Runs queries that are mixtures of two stored vectors each, always the same ones.
    package func measureScan(queries: Int, comparing: Int) async throws -> ScanMeasurement {
        let store = try catalog.database.transaction("DEFERRED") { try current().1 }
        let count = store.slotCount
        guard count > 0 else {
            return ScanMeasurement(durations: [], scannedBytes: 0, vectors: 0, agreeingPlaces: 0, places: 0)
        }
        var durations: [Duration] = []
        var (agreeing, places) = (0, 0)
        for number in 0..<queries {
            let pair = [number * 7919 % count, number * 104_729 % count].compactMap(store.vector)
            guard pair.count == 2 else { continue }
            let query = try Embedding.normalized(
                zip(pair[0], pair[1]).map { $0 + 0.5 * $1 }, dimensions: store.dimensions)
            let start = ContinuousClock.now
            let found = await store.nearest(to: query, count: 10)
            durations.append(ContinuousClock.now - start)
            guard number < comparing else { continue }
            let exact = store.nearestExactly(to: query, count: 10)
            places += exact.count
            agreeing += zip(found, exact).count { $0 == $1 }
        }
        let stride = SegmentLayout.padded(store.dimensions)
        return ScanMeasurement(
            durations: durations, scannedBytes: count * (stride + 4), vectors: count, agreeingPlaces: agreeing,
            places: places)
    }
}

extension VectorStore {
    /// The same as `nearest` without the scan in int8: every vector in f32.
    func nearestExactly(to query: [Float], count: Int) -> [TopK.Hit] {
        var best = TopK(count)
        for segment in segments {
            for block in segment.blocks {
                for row in 0..<block.header.rows where !dead.contains(block.header.firstSlot + row) {
                    best.insert(
                        Similarity.dot(query, segment.vector(row: row, of: block)), at: block.header.firstSlot + row)
                }
            }
        }
        return best.hits
    }
}
