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
        try await MemoryNeed.check(
            AnalysisMemory.clusters(rows: vectors.count, dimensions: vectors.dimensions, count: count),
            startingThreads: options.threads)
        let first =
            if let start = options.start { start } else {
                try await startRows(vectors, count, options.seed, options.threads)
            }
        var centers = try vectors.rows(first)
        var clusters = [Int](repeating: -1, count: vectors.count)
        var similarities: [Float] = []
        var (rounds, isSettled) = (0, false)
        while true {
            let nearest = try await assign(vectors, centers, options.threads)
            let changed = zip(nearest, clusters).count { Int($0.cluster) != $1 }
            clusters = nearest.map { Int($0.cluster) }
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
        var cluster: UInt32 = 0
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
                    if let found = tile.largest(inRow: row, above: best[row].similarity) {
                        best[row] = Nearest(cluster: UInt32(found.right), similarity: found.product)
                    }
                }
            }, end: { best in best })
        return blocks.concatenated()
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
            try MemoryNeed.check(2 * MemoryNeed.array(similarities.count, of: MemoryLayout<Int>.stride))
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
        var sizes = [Int](repeating: 0, count: count)
        for cluster in clusters { sizes[cluster] += 1 }
        for cluster in 0..<count { members[cluster].reserveCapacity(sizes[cluster]) }
        for (row, cluster) in clusters.enumerated() { members[cluster].append(row) }
        return members
    }

    /// Rows that are likelier the farther they are from those before (Arthur and Vassilvitskii, 2007), of a sample where there are
    /// many.
    private static func startRows(
        _ vectors: VectorMatrix, _ count: Int, _ seed: UInt64, _ threads: Int?
    ) async throws -> [Int] {
        guard count > 0 else { return [] }
        var random = SeededGenerator(seed: seed)
        let sampleCount = sampleCount(of: vectors.count, count)
        let places = (0..<sampleCount).map { $0 * vectors.count / sampleCount }
        let sample = sampleCount == vectors.count ? vectors : try vectors.rows(places)
        var chosen = [Int.random(in: 0..<sampleCount, using: &random)]
        // Of few clusters each start matters: the best of some draws is taken, as scikit-learn does. Of many, rows are drawn a
        // tile's width at a time, as in k-means|| (Bahmani et al., 2012).
        let isFew = isFew(count)
        let trials = trials(count)
        let infinite = [Float](repeating: .infinity, count: sampleCount)
        var distances = try await Self.nearer(infinite, of: sample, with: chosen, threads)[0]
        while chosen.count < count {
            let total = distances.reduce(0.0) { $0 + Double($1) }
            let drawn = (0..<trials).map { _ in
                var left = Double.random(in: 0..<1, using: &random) * total
                let row = distances.firstIndex { value in
                    left -= Double(value)
                    return left < 0
                }
                // Fewer different rows than centers: those that are not chosen yet, in their order.
                return row ?? (0..<sampleCount).first { !chosen.contains($0) } ?? 0
            }
            let tried = try await Self.nearer(distances, of: sample, with: drawn, threads)
            if !isFew {
                for row in drawn where chosen.count < count && !chosen.contains(row) { chosen.append(row) }
                distances = (0..<sampleCount).map { row in tried.reduce(.infinity) { min($0, $1[row]) } }
                continue
            }
            let sums = tried.map { $0.reduce(0.0) { $0 + Double($1) } }
            let best = sums.indices.min { sums[$0] != sums[$1] ? sums[$0] < sums[$1] : $0 < $1 } ?? 0
            chosen.append(drawn[best])
            distances = tried[best]
        }
        return chosen.map { places[$0] }
    }

    private static func isFew(_ count: Int) -> Bool { count <= 100 }

    /// Rows that are drawn at once.
    private static func trials(_ count: Int) -> Int {
        isFew(count) ? 2 + Int(log(Double(count))) : FloatTile.rightMultiple
    }

    /// Rows among which the first centers are drawn.
    private static func sampleCount(of rows: Int, _ count: Int) -> Int { min(rows, max(20 * count, 10_000)) }

    /// Bytes that `fit` takes at once.
    static func byteCount(rows: Int, dimensions: Int, count: Int) -> Int {
        let (sample, trials) = (sampleCount(of: rows, count), trials(max(count, 1)))
        let copy = sample < rows ? MemoryNeed.rows(sample, dimensions: dimensions) : 0
        // Places, two lists of distances, and those with each drawn row, as parts and as a whole.
        let start = copy + sample * (8 + 2 * 4 + 2 * 4 * trials)
        // The nearest center of each row as parts and as a whole; clusters, old and new, and similarities.
        let round = rows * (2 * MemoryLayout<Nearest>.stride + 2 * 8 + 4)
        let centers = 2 * MemoryNeed.rows(count, dimensions: dimensions)
        let sums = count * (MemoryNeed.array(dimensions, of: 4) + 64)
        return max(start, round) + centers + sums
    }

    /// The distances of all rows to the nearest center, if each of some rows were one more.
    private static func nearer(
        _ distances: [Float], of sample: VectorMatrix, with rows: [Int], _ threads: Int?
    ) async throws -> [[Float]] {
        let walk = try TileWalk(left: sample, right: try sample.rows(rows), threads: threads)
        let blocks: [[[Float]]] = try await walk.run(
            start: { left in [[Float]](repeating: Array(distances[left]), count: rows.count) },
            visit: { nearer, tile in
                for row in 0..<tile.left.count {
                    for (index, product) in unsafe Array(tile.row(row)).enumerated() {
                        // Rounding may not make a row that is chosen already likely.
                        nearer[index][row] = min(nearer[index][row], max(0, 1 - product - 1e-6))
                    }
                }
            }, end: { $0 })
        return rows.indices.map { index in blocks.map { $0[index] }.concatenated() }
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
