// Clusters by Lloyd's k-means from a k-means++ start.
import Q3Linear

package enum KMeans {
    private typealias Lane = SIMD8<Double>

    private static let iterationLimit = 300

    /// The cluster of each row. The start is drawn with `seed`; everything after it is sums in the order of the rows, so
    /// the same seed gives the same clusters. A row between two centers goes to the first, a center without rows to
    /// the row that is farthest from its own.
    ///
    /// Products of tiles in f32 tell which centers may be the nearest; distances in double precision decide among them.
    package static func clusters(of vectors: Vectors, count: Int, seed: UInt32) async throws -> [Int] {
        let rows = (0..<vectors.count).map { vectors[$0].map { Lane($0) } }
        let count = min(count, rows.count)
        guard count > 0 else { return [] }
        var centers = start(rows, count, seed)
        let table = try table(rows.map { ($0, 1) })
        var assigned: [Int] = []
        for _ in 0..<iterationLimit {
            let halves = centers.map { (center: [Lane]) in (center, -0.5 * distance(center, center.map { _ in .zero }))
            }
            let candidates = try await NearestRows.candidates(1, of: try self.table(halves), to: table)
            let nearest = zip(rows, candidates).map { row, near in nearestCenter(of: row, centers, among: near) }
            let clusters = nearest.map(\.center)
            if clusters == assigned { break }
            assigned = clusters
            centers = means(rows, assigned, centers, distances: nearest.map(\.distance))
        }
        return assigned
    }

    /// Each further center is a row, likelier the farther it is from those chosen (Arthur and Vassilvitskii, 2007).
    private static func start(_ rows: [[Lane]], _ count: Int, _ seed: UInt32) -> [[Lane]] {
        var random = MersenneTwister(seed: seed)
        var centers = [rows[Int(random.nextDouble() * Double(rows.count))]]
        var distances = rows.map { distance($0, centers[0]) }
        while centers.count < count {
            var left = random.nextDouble() * distances.reduce(0, +)
            let chosen = distances.firstIndex { value in
                left -= value
                return left < 0
            }
            // Fewer different rows than centers: any of them will do.
            let center = rows[chosen ?? rows.count - 1]
            centers.append(center)
            for index in rows.indices { distances[index] = min(distances[index], distance(rows[index], center)) }
        }
        return centers
    }

    /// Rows and one more value each: the products of (x, 1) with (c, -|c|²/2) are largest where the distance is smallest.
    private static func table(_ rows: [([Lane], Double)]) throws -> VectorMatrix {
        try VectorMatrix(
            rows.map { row, last in row.flatMap { lane in lane.indices.map { Float(lane[$0]) } } + [Float(last)] })
    }

    private static func nearestCenter(
        of row: [Lane], _ centers: [[Lane]], among candidates: [Int]
    ) -> (center: Int, distance: Double) {
        var best = (center: 0, distance: Double.infinity)
        for index in candidates {
            let distance = distance(row, centers[index])
            if distance < best.distance { best = (index, distance) }
        }
        return best
    }

    private static func means(
        _ rows: [[Lane]], _ assigned: [Int], _ centers: [[Lane]], distances: [Double]
    ) -> [[Lane]] {
        var sums = centers.map { $0.map { _ in Lane.zero } }
        var counts = [Double](repeating: 0, count: centers.count)
        for (row, cluster) in zip(rows, assigned) {
            counts[cluster] += 1
            for lane in row.indices { sums[cluster][lane] += row[lane] }
        }
        var farthest = rows.indices.sorted { distances[$0] > distances[$1] }.makeIterator()
        return sums.indices.map { index in
            counts[index] > 0
                ? sums[index].map { $0 / counts[index] } : farthest.next().map { rows[$0] } ?? centers[index]
        }
    }

    /// The squared Euclidean distance.
    private static func distance(_ a: [Lane], _ b: [Lane]) -> Double {
        var sums = Lane.zero
        for lane in a.indices {
            let difference = a[lane] - b[lane]
            sums += difference * difference
        }
        return sums.sum()
    }
}
