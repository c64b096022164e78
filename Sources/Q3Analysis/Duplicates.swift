// Which vectors are near-duplicates of each other: exact pairs above a threshold, and the groups that they make.
public import Q3Linear
import Synchronization

/// Two rows and their cosine.
public struct SimilarPair: Sendable, Equatable {
    /// The smaller row, or that of the first matrix.
    public let first: Int
    /// The larger row, or that of the second matrix.
    public let second: Int
    /// The cosine of the two, computed in double precision.
    public let similarity: Float

    /// A pair.
    public init(first: Int, second: Int, similarity: Float) {
        (self.first, self.second, self.similarity) = (first, second, similarity)
    }

    /// The order of results: the most similar first, then by rows.
    static func precedes(_ a: SimilarPair, _ b: SimilarPair) -> Bool {
        if a.similarity != b.similarity { return a.similarity > b.similarity }
        return (a.first, a.second) < (b.first, b.second)
    }
}

/// How near-duplicates are looked for.
public struct DuplicateOptions: Sendable {
    /// The least cosine of a pair, above -1 and at most 1.
    public var threshold: Float = 0.9
    /// Pairs to keep at most, the most similar ones; 0 for groups alone.
    public var pairLimit = 0
    /// Threads that compute; nil for one for each processor.
    public var threads: Int?
    /// Is told which part is done, on any thread.
    public var progress: (@Sendable (Double) -> Void)?

    /// Groups of rows with a cosine of 0.9 and more.
    public init() {}
}

/// What was found.
public struct Duplicates: Sendable {
    /// Rows that belong together, each group and the groups in the order of their rows. Two rows of a group may be less similar
    /// than the threshold when others between them link them.
    public let groups: [[Int]]
    /// The most similar pairs, best first.
    public let pairs: [SimilarPair]
    /// Whether there were more pairs than were to be kept.
    public let hasMorePairs: Bool

    /// Finds all pairs of rows whose cosine reaches the threshold: exact, in memory for the vectors, a short head of each, and the
    /// pairs that are kept. `vectors` have unit length (see `VectorMatrix.normalized`). Throws `LinearError` and
    /// `CancellationError`.
    public static func find(
        in vectors: VectorMatrix, options: DuplicateOptions = DuplicateOptions()
    ) async throws -> Duplicates {
        try await MemoryNeed.check(
            AnalysisMemory.duplicates(rows: vectors.count, dimensions: vectors.dimensions),
            startingThreads: options.threads)
        // Equal rows would be pairs by the million: they are put together first and looked at once.
        let copies = try EqualRows(vectors)
        let unique = copies.rows.count == vectors.count ? vectors : try vectors.rows(copies.rows)
        let threshold = options.threshold
        let bounds = try await HeadBounds.pair(unique, unique, threshold: threshold, threads: options.threads).left
        let walk = try TileWalk(left: bounds.rows, right: bounds.rows, isTriangle: true, threads: options.threads)
        try MemoryNeed.check(2 * DisjointSets.byteCount(vectors.count))
        let found = Mutex((sets: DisjointSets(count: unique.count), pairs: PairList(limit: options.pairLimit)))
        let keepsPairs = options.pairLimit > 0
        _ = try await walk.run(
            start: { _ in [SIMD2<UInt32>]() },
            visit: { near, tile in
                for row in 0..<tile.left.count {
                    let first = tile.left.lowerBound + row
                    tile.forEach(inRow: row, atLeast: threshold - HeadBounds.slack) { second, _ in
                        if second > first { near.append(SIMD2(UInt32(first), UInt32(second))) }
                    }
                }
                guard !near.isEmpty else { return }
                // Pairs whose rows are in one group already tell nothing new.
                let open =
                    keepsPairs
                    ? near
                    : found.withLock { found in
                        near.filter { found.sets.root(of: Int($0.x)) != found.sets.root(of: Int($0.y)) }
                    }
                near = []
                let pairs = open.compactMap { pair -> SimilarPair? in
                    let similarity = Float(unique.dot(Int(pair.x), unique, Int(pair.y)))
                    return similarity >= threshold
                        ? SimilarPair(first: Int(pair.x), second: Int(pair.y), similarity: similarity) : nil
                }
                found.withLock { found in
                    for pair in pairs {
                        found.sets.merge(pair.first, pair.second)
                        if keepsPairs { found.pairs.add(pair) }
                    }
                }
            }, end: { _ in }, progress: options.progress,
            checkpoint: {
                if let shortage = found.withLock({ $0.pairs.shortage }) { throw shortage }
            })
        return try found.withLock { found in
            var sets = DisjointSets(count: vectors.count)
            for row in 0..<unique.count { sets.merge(copies.rows[found.sets.root(of: row)], copies.rows[row]) }
            for row in 0..<vectors.count { sets.merge(copies.firstRow(equalTo: row), row) }
            let pairs = keepsPairs ? try copies.expanding(found.pairs, of: vectors) : found.pairs
            if let shortage = pairs.shortage { throw shortage }
            return Duplicates(groups: try sets.groups(), pairs: pairs.sorted, hasMorePairs: pairs.hasMore)
        }
    }

    /// The most similar row of `others` for each row of `vectors` that reaches the threshold; nil for rows without one. Both have
    /// unit length. Of equally similar ones the first is taken. Throws `LinearError` and `CancellationError`.
    public static func overlap(
        of vectors: VectorMatrix, with others: VectorMatrix, options: DuplicateOptions = DuplicateOptions()
    ) async throws -> [SimilarPair?] {
        try vectors.check(others)
        let threshold = options.threshold
        try await MemoryNeed.check(
            AnalysisMemory.matches(rows: vectors.count, others: others.count, dimensions: vectors.dimensions),
            startingThreads: options.threads)
        let bounds = try await HeadBounds.pair(vectors, others, threshold: threshold, threads: options.threads)
        let walk = try TileWalk(left: bounds.left.rows, right: bounds.right.rows, threads: options.threads)
        return try await walk.run(
            start: { rows in [SimilarPair?](repeating: nil, count: rows.count) },
            visit: { best, tile in
                for row in 0..<tile.left.count {
                    let first = tile.left.lowerBound + row
                    let least = max(threshold, best[row]?.similarity ?? threshold) - HeadBounds.slack
                    tile.forEach(inRow: row, atLeast: least) { second, _ in
                        let similarity = Float(vectors.dot(first, others, second))
                        guard similarity >= threshold, similarity > best[row]?.similarity ?? -.infinity else { return }
                        best[row] = SimilarPair(first: first, second: second, similarity: similarity)
                    }
                }
            }, end: { $0 }, progress: options.progress
        ).concatenated()
    }
}

/// The most similar pairs of many, in memory for about twice as many as are kept.
struct PairList {
    let limit: Int
    private var pairs: [SimilarPair] = []
    /// Whether there were more than `limit`.
    var hasMore = false
    /// The worst pair that is kept, once there are enough.
    private var worst: SimilarPair?
    /// Why pairs are no longer kept.
    private(set) var shortage: LinearError?

    init(limit: Int) { self.limit = limit }

    /// The pairs that are kept, best first.
    var sorted: [SimilarPair] { Array(pairs.sorted(by: SimilarPair.precedes).prefix(limit)) }

    mutating func add(_ pair: SimilarPair) {
        if pairs.count >= limit { hasMore = true }
        if let worst, !SimilarPair.precedes(pair, worst) { return }
        guard shortage == nil else { return }
        if pairs.count == pairs.capacity {
            do throws(LinearError) {
                // Twice as many beside the old ones, and what sorting copies.
                try MemoryNeed.check(3 * max(pairs.capacity, 1024) * MemoryLayout<SimilarPair>.stride)
            } catch {
                shortage = error
                return
            }
        }
        pairs.append(pair)
        guard pairs.count >= 2 * limit + 1024 else { return }
        pairs = sorted
        worst = pairs.last
    }

    /// Adds `count` pairs of one similarity, as far as they can matter.
    mutating func add(_ count: Int, _ similarity: Float, _ rows: (Int) -> (Int, Int)) {
        if count > limit { hasMore = true }
        for index in 0..<min(count, limit) {
            let (a, b) = rows(index)
            add(SimilarPair(first: min(a, b), second: max(a, b), similarity: similarity))
        }
    }
}
