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
        // Equal rows would be pairs by the million: they are put together first and looked at once.
        let copies = try EqualRows(vectors)
        let unique = copies.rows.count == vectors.count ? vectors : try vectors.rows(copies.rows)
        let threshold = options.threshold
        let bounds = try await HeadBounds.pair(unique, unique, threshold: threshold, threads: options.threads).left
        let walk = try TileWalk(left: bounds.rows, right: bounds.rows, isTriangle: true, threads: options.threads)
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
            }, end: { _ in }, progress: options.progress)
        return found.withLock { found in
            var sets = DisjointSets(count: vectors.count)
            for group in found.sets.groups() {
                for row in group.dropFirst() { sets.merge(copies.rows[group[0]], copies.rows[row]) }
            }
            for group in copies.groups {
                for row in group.dropFirst() { sets.merge(group[0], row) }
            }
            let pairs = keepsPairs ? copies.expanding(found.pairs, of: vectors) : found.pairs
            return Duplicates(groups: sets.groups(), pairs: pairs.sorted, hasMorePairs: pairs.hasMore)
        }
    }

    /// The most similar row of `others` for each row of `vectors` that reaches the threshold; nil for rows without one. Both have
    /// unit length. Of equally similar ones the first is taken. Throws `LinearError` and `CancellationError`.
    public static func overlap(
        of vectors: VectorMatrix, with others: VectorMatrix, options: DuplicateOptions = DuplicateOptions()
    ) async throws -> [SimilarPair?] {
        try vectors.check(others)
        let threshold = options.threshold
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
        ).flatMap { $0 }
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

    init(limit: Int) { self.limit = limit }

    /// The pairs that are kept, best first.
    var sorted: [SimilarPair] { Array(pairs.sorted(by: SimilarPair.precedes).prefix(limit)) }

    mutating func add(_ pair: SimilarPair) {
        if pairs.count >= limit { hasMore = true }
        if let worst, !SimilarPair.precedes(pair, worst) { return }
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

/// Rows with equal values.
private struct EqualRows {
    /// The first row of each value.
    let rows: [Int]
    /// All rows of a value, for those that are there more than once.
    let groups: [[Int]]
    /// The group of each of `rows` that has one.
    private var groupOfUnique: [Int: Int] = [:]

    init(_ vectors: VectorMatrix) throws {
        var firsts: [UInt64: [Int]] = [:]
        firsts.reserveCapacity(vectors.count)
        var (rows, groups): ([Int], [[Int]]) = ([], [])
        for row in 0..<vectors.count {
            let hash = vectors.bitHash(row)
            if let unique = firsts[hash]?.first(where: { vectors.isEqual(rows[$0], row) }) {
                if let group = groupOfUnique[unique] {
                    groups[group].append(row)
                } else {
                    groupOfUnique[unique] = groups.count
                    groups.append([rows[unique], row])
                }
            } else {
                firsts[hash, default: []].append(rows.count)
                rows.append(row)
            }
        }
        (self.rows, self.groups) = (rows, groups)
    }

    /// Pairs of unique rows as pairs of all rows, and those among equal rows.
    func expanding(_ found: PairList, of vectors: VectorMatrix) -> PairList {
        guard rows.count < vectors.count else { return found }
        var expanded = PairList(limit: found.limit)
        for pair in found.sorted {
            let (left, right) = (members(pair.first), members(pair.second))
            expanded.add(left.count * right.count, pair.similarity) { index in
                (left[index / right.count], right[index % right.count])
            }
        }
        for group in groups {
            let similarity = Float(vectors.dot(group[0], vectors, group[0]))
            // Row by row: (0, 1), (0, 2), ..., (1, 2), ...
            var (row, start) = (0, 0)
            expanded.add(group.count * (group.count - 1) / 2, similarity) { index in
                while index - start >= group.count - 1 - row {
                    start += group.count - 1 - row
                    row += 1
                }
                return (group[row], group[row + 1 + index - start])
            }
        }
        if found.hasMore { expanded.hasMore = true }
        return expanded
    }

    /// All rows that equal a unique one.
    private func members(_ unique: Int) -> [Int] { groupOfUnique[unique].map { groups[$0] } ?? [rows[unique]] }
}

extension VectorMatrix {
    fileprivate func bitHash(_ row: Int) -> UInt64 {
        let values = unsafe start(of: row)
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in 0..<dimensions {
            // Negative zero is equal to zero.
            let bits = unsafe values[index] == 0 ? 0 : values[index].bitPattern
            hash = (hash ^ UInt64(bits)) &* 0x9E37_79B9_7F4A_7C15
            hash ^= hash >> 29
        }
        return hash
    }

    fileprivate func isEqual(_ row: Int, _ other: Int) -> Bool {
        let (a, b) = unsafe (start(of: row), start(of: other))
        return (0..<dimensions).allSatisfy { unsafe a[$0] == b[$0] }
    }
}
