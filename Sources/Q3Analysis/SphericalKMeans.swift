// Clusters of a given number: k-means on the sphere, where nearness is the cosine.
import Q3Kernels
public import Q3Linear
import Q3Model
import Q3System
import Synchronization

/// How clusters are looked for.
public struct KMeansOptions: Sendable {
    /// Clusters to make; at most as many as there are rows.
    public var count = 10
    /// Rows that are the first centers; nil draws them by k-means++.
    public var start: [Int]?
    /// What random draws begin with.
    public var seed: UInt64 = 0
    /// Rounds at most.
    public var roundLimit = 100
    /// Threads that compute; nil for one for each processor.
    public var threads: Int?
    /// Is told how many rounds are done, and how many rows changed their cluster in the last.
    public var progress: (@Sendable (_ rounds: Int, _ changed: Int) -> Void)?

    /// Ten clusters.
    public init() {}
}

/// Clusters around centers.
public struct SphericalKMeans: Sendable {
    /// The cluster of each row, counted from 0.
    public let clusters: [Int]
    /// The cosine of each row and its center.
    public let similarities: [Float]
    /// The centers [clusters, dimensions], of unit length.
    public let centers: VectorMatrix
    /// Rounds that were made, and whether the last one changed nothing.
    public let rounds: Int
    /// Whether no row would change its cluster any more.
    public let isSettled: Bool

    /// The mean of 1 - cosine over all rows: what the method makes small.
    public var meanDistance: Double {
        similarities.reduce(0) { $0 + 1 - Double($1) } / Double(max(1, similarities.count))
    }

    /// Clusters rows of unit length. A row as near to two centers goes to the first; a cluster that loses all rows gets the row
    /// that is farthest from its center. The same seed gives the same clusters with any number of threads. It ends: at the latest
    /// after `roundLimit` rounds. Throws `LinearError` and `CancellationError`.
    public static func fit(
        _ vectors: VectorMatrix, options: KMeansOptions = KMeansOptions()
    ) async throws -> SphericalKMeans {
        let count = min(options.start?.count ?? options.count, vectors.count)
        let first = try options.start ?? startRows(vectors, count, options.seed)
        var centers = try vectors.rows(first)
        var clusters = [Int](repeating: -1, count: vectors.count)
        var similarities: [Float] = []
        var (rounds, isSettled) = (0, false)
        while true {
            let nearest = try await assign(vectors, centers, options.threads)
            let changed = zip(nearest, clusters).count { $0.cluster != $1 }
            clusters = nearest.map(\.cluster)
            similarities = nearest.map(\.similarity)
            options.progress?(rounds, changed)
            isSettled = changed == 0
            if isSettled || rounds == options.roundLimit { break }
            rounds += 1
            centers = try await means(vectors, clusters, similarities, centers, options.threads)
        }
        return SphericalKMeans(
            clusters: clusters, similarities: similarities, centers: centers, rounds: rounds, isSettled: isSettled)
    }

    private struct Nearest: Sendable {
        var cluster = 0
        var similarity = -Float.infinity
    }

    private static func assign(
        _ vectors: VectorMatrix, _ centers: VectorMatrix, _ threads: Int?
    ) async throws -> [Nearest] {
        let walk = try TileWalk(left: vectors, right: centers, threads: threads)
        let blocks: [[Nearest]] = try await walk.run(
            start: { rows in [Nearest](repeating: Nearest(), count: rows.count) },
            visit: { best, tile in
                for row in 0..<tile.left.count {
                    var nearest = best[row]
                    tile.forEach(inRow: row, atLeast: nearest.similarity) { cluster, product in
                        if product > nearest.similarity { nearest = Nearest(cluster: cluster, similarity: product) }
                    }
                    best[row] = nearest
                }
            }, end: { best in best })
        return blocks.flatMap { $0 }
    }

    /// Normalized sums of the rows of each cluster, in the order of the rows: a center at a time, so that threads change nothing.
    private static func means(
        _ vectors: VectorMatrix, _ clusters: [Int], _ similarities: [Float], _ old: VectorMatrix, _ threads: Int?
    ) async throws -> VectorMatrix {
        let members = Self.members(clusters, count: old.count)
        // Each empty cluster takes another of the rows that fit worst.
        let empty = members.indices.filter { members[$0].isEmpty }
        var farthest: [Int] = []
        if !empty.isEmpty {
            farthest = similarities.indices.sorted {
                (similarities[$0], $0) < (similarities[$1], $1)
            }
        }
        let sums = Mutex([[Float]](repeating: [], count: old.count))
        let threads = try TileWalk.threadCount(threads)
        try await InferenceThread.shared().run {
            Parallel.forEach(count: members.count, threads: threads) { cluster, _ in
                guard !members[cluster].isEmpty else { return }
                let mean = vectors.direction(of: members[cluster])
                sums.withLock { $0[cluster] = mean ?? old[cluster] }
            }
        }
        var builder = try VectorMatrixBuilder(dimensions: old.dimensions, capacity: old.count)
        var taken = 0
        for row in sums.withLock({ $0 }) {
            if row.isEmpty {
                try builder.append(vectors[farthest[taken]])
                taken += 1
            } else {
                try builder.append(row)
            }
        }
        return builder.finish()
    }

    private static func members(_ clusters: [Int], count: Int) -> [[Int]] {
        var members = [[Int]](repeating: [], count: count)
        for (row, cluster) in clusters.enumerated() { members[cluster].append(row) }
        return members
    }

    /// Rows that are likelier the farther they are from those before (Arthur and Vassilvitskii, 2007), of a sample where there are
    /// many.
    private static func startRows(_ vectors: VectorMatrix, _ count: Int, _ seed: UInt64) throws -> [Int] {
        var random = SeededGenerator(seed: seed)
        let sampleCount = min(vectors.count, max(20 * count, 10_000))
        let sample = (0..<sampleCount).map { $0 * vectors.count / sampleCount }
        var chosen = [Int.random(in: 0..<sampleCount, using: &random)]
        var distances = [Double](repeating: .infinity, count: sampleCount)
        // Of few clusters each start matters: the best of some draws is taken, as scikit-learn does.
        let trials = count <= 100 ? 2 + Int(log(Double(count))) : 1
        func nearer(with row: Int) -> [Double] {
            distances.indices.map { index in
                // Rounding may not make a row that is chosen already likely.
                min(distances[index], max(0, 1 - vectors.dot(sample[index], vectors, sample[row]) - 1e-9))
            }
        }
        distances = nearer(with: chosen[0])
        while chosen.count < count {
            let total = distances.reduce(0, +)
            var best: (row: Int, left: Double, distances: [Double])?
            for _ in 0..<trials {
                var left = Double.random(in: 0..<1, using: &random) * total
                let drawn = distances.firstIndex { value in
                    left -= value
                    return left < 0
                }
                // Fewer different rows than centers: those that are not chosen yet, in their order.
                let row = drawn ?? (0..<sampleCount).first { !chosen.contains($0) } ?? 0
                let next = nearer(with: row)
                let sum = next.reduce(0, +)
                if best.map({ sum < $0.left }) ?? true { best = (row, sum, next) }
            }
            guard let best else { break }
            chosen.append(best.row)
            distances = best.distances
        }
        return chosen.map { sample[$0] }
    }
}

extension VectorMatrix {
    /// The sum of some rows in unit length; nil where they cancel out.
    func direction(of rows: [Int]) -> [Float]? {
        var sums = [SIMD8<Double>](repeating: .zero, count: columns / 8)
        for row in rows {
            let values = unsafe UnsafeRawPointer(start(of: row))
            for lane in sums.indices {
                sums[lane] += unsafe SIMD8<Double>(
                    values.loadUnaligned(fromByteOffset: 32 * lane, as: SIMD8<Float>.self))
            }
        }
        let length = sums.reduce(0) { $0 + ($1 * $1).sum() }.squareRoot()
        guard length > 1e-9 * Double(rows.count) else { return nil }
        return (0..<dimensions).map { Float(sums[$0 / 8][$0 % 8] / length) }
    }
}
