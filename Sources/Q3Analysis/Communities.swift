// Clusters by density, whose number nobody has to know: rows with enough others near them.
public import Q3Linear

/// How communities are looked for.
public struct CommunityOptions: Sendable {
    /// The least cosine of a community's center and its members.
    public var threshold: Float = 0.75
    /// Rows of the smallest community, its center among them.
    public var minSize = 10
    /// Threads that compute; nil for one for each processor.
    public var threads: Int?
    /// Is told which part is done, on any thread.
    public var progress: (@Sendable (Double) -> Void)?

    /// sentence-transformers' defaults.
    public init() {}
}

/// The definition of sentence-transformers' `community_detection`: a row and all others that are near enough to it; large communities
/// come first, and a row belongs to the first that claims it.
public enum Communities {
    /// Centers whose members are looked up together, and members that they may have together; one center may have more.
    private static let batch = 256
    private static let memberLimit = 1 << 20

    /// Communities, the largest first, each with its center in front and then its other members, the nearest first. Rows have unit length.
    ///
    /// It ends for certain. A first pass over all pairs counts the neighbours of each row, in memory for a number a row. Then the
    /// rows with enough of them are taken in the order of their counts, 256 at a time, and each is looked up once at most: at the
    /// worst that is a second pass. Members are held of a few centers at a time. Throws `LinearError` and `CancellationError`.
    public static func find(
        in vectors: VectorMatrix, options: CommunityOptions = CommunityOptions()
    ) async throws -> [[Int]] {
        try await MemoryNeed.check(
            AnalysisMemory.communities(rows: vectors.count, dimensions: vectors.dimensions),
            startingThreads: options.threads)
        let threshold = options.threshold
        let progress = options.progress
        let walk = try TileWalk(left: vectors, right: vectors, threads: options.threads)
        let counts: [UInt32] = try await walk.run(
            start: { [UInt32](repeating: 0, count: $0.count) },
            visit: { counts, tile in
                for row in 0..<tile.left.count {
                    tile.forEach(inRow: row, atLeast: threshold) { _, _ in counts[row] += 1 }
                }
            }, end: { $0 }, progress: progress
        ).concatenated()
        var centers: [Int] = []
        centers.reserveCapacity(counts.count { $0 >= options.minSize })
        for row in counts.indices where counts[row] >= options.minSize { centers.append(row) }
        centers.sort { counts[$0] != counts[$1] ? counts[$0] > counts[$1] : $0 < $1 }
        var used = [Bool](repeating: false, count: vectors.count)
        var communities: [[Int]] = []
        var next = 0
        while next < centers.count {
            var taken: [Int] = []
            var (sizes, memberCount): ([Int], Int) = ([], 0)
            while next < centers.count, taken.count < batch {
                let (center, size) = (centers[next], Int(counts[centers[next]]))
                if !used[center] {
                    guard taken.isEmpty || memberCount + size <= memberLimit else { break }
                    taken.append(center)
                    sizes.append(size)
                    memberCount += size
                }
                next += 1
            }
            // The pairs, what sorting copies of them, their rows, and those of a community in its order.
            try MemoryNeed.check(memberCount * (MemoryLayout<SimilarPair>.stride * 3 / 2 + 8 + 3 * 8))
            let near = try await neighbors(of: taken, sizes, in: vectors, threshold, options.threads)
            for (center, members) in zip(taken, near) where !used[center] {
                let free = members.filter { !used[$0] }
                guard free.count >= options.minSize else { continue }
                let community = [center] + free.filter { $0 != center }
                for row in community { used[row] = true }
                communities.append(community)
            }
        }
        return communities.enumerated().sorted {
            $0.element.count != $1.element.count ? $0.element.count > $1.element.count : $0.offset < $1.offset
        }.map(\.element)
    }

    /// All rows near each center, the nearest first; `sizes` says how many there are.
    private static func neighbors(
        of centers: [Int], _ sizes: [Int], in vectors: VectorMatrix, _ threshold: Float, _ threads: Int?
    ) async throws -> [[Int]] {
        guard !centers.isEmpty else { return [] }
        let walk = try TileWalk(left: try vectors.rows(centers), right: vectors, threads: threads)
        return try await walk.run(
            start: { rows in
                rows.map { row in
                    var near: [SimilarPair] = []
                    near.reserveCapacity(sizes[row])
                    return near
                }
            },
            visit: { found, tile in
                for row in 0..<tile.left.count {
                    tile.forEach(inRow: row, atLeast: threshold) {
                        found[row].append(SimilarPair(first: row, second: $0, similarity: $1))
                    }
                }
            },
            end: { $0.map { $0.sorted(by: SimilarPair.precedes).map(\.second) } }
        ).concatenated()
    }
}
