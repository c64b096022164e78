// Which sentences of two languages are translations of each other, by margin scores (Artetxe and Schwenk, 2019).
import Q3Embedding
public import Q3Linear

/// How a pair's cosine is set against those of the neighbours of both.
public enum BitextMargin: String, Sendable, CaseIterable {
    /// The cosine divided by the mean of the neighbours' cosines.
    case ratio
    /// The difference of the two.
    case distance
    /// The cosine alone.
    case absolute
}

/// Which candidates become pairs.
public enum BitextRetrieval: String, Sendable, CaseIterable {
    /// The best of both directions, each sentence once.
    case max
    /// For each left sentence its best right one.
    case forward
    /// For each right sentence its best left one.
    case backward
    /// Pairs that are best in both directions.
    case intersect
}

/// How translations are looked for; the names and defaults are LASER's.
public struct BitextOptions: Sendable {
    /// How cosines become scores.
    public var margin = BitextMargin.ratio
    /// Which pairs are taken.
    public var retrieval = BitextRetrieval.max
    /// Neighbours of each sentence.
    public var neighbors = 4
    /// The least score of a pair; nil for all.
    public var threshold: Float?
    /// Threads that compute; nil for one for each processor.
    public var threads: Int?
    /// Is told which part is done, on any thread.
    public var progress: (@Sendable (Double) -> Void)?

    /// LASER's defaults.
    public init() {}
}

/// Two sentences and the score of their being translations.
public struct BitextPair: Sendable, Equatable {
    /// Row of the left side.
    public let left: Int
    /// Row of the right side.
    public let right: Int
    /// The margin score.
    public let score: Float

    /// A pair.
    public init(left: Int, right: Int, score: Float) {
        (self.left, self.right, self.score) = (left, right, score)
    }
}

/// Margin scores of two sets of sentences.
public struct Bitext: Sendable {
    private let left: VectorMatrix
    private let right: VectorMatrix
    private let options: BitextOptions
    private let forward: Side
    private let backward: Side

    private struct Side {
        /// The nearest rows of the other side, best first.
        let neighbors: [[Int]]
        /// The mean of their cosines.
        let means: [Double]
    }

    /// Finds the neighbours of both sides, whose vectors have unit length. Throws `LinearError` and `CancellationError`.
    public init(left: VectorMatrix, right: VectorMatrix, options: BitextOptions = BitextOptions()) async throws {
        self.left = left
        self.right = right
        self.options = options
        try await MemoryNeed.check(
            AnalysisMemory.bitext(left: left.count, right: right.count, neighbors: options.neighbors),
            startingThreads: options.threads)
        forward = try await Self.side(left, right, options, part: 0)
        backward = try await Self.side(right, left, options, part: 0.5)
    }

    private static func side(
        _ rows: VectorMatrix, _ others: VectorMatrix, _ options: BitextOptions, part: Double
    ) async throws -> Side {
        var show: (@Sendable (Double) -> Void)?
        if let progress = options.progress {
            show = { (done: Double) in progress(part + done / 2) }
        }
        let hits = try await NearestRows.find(
            options.neighbors, of: others, to: rows, threads: options.threads, progress: show)
        var (neighbors, means): ([[Int]], [Double]) = ([], [])
        neighbors.reserveCapacity(hits.count)
        means.reserveCapacity(hits.count)
        for near in hits {
            neighbors.append(near.map(\.index))
            var sum = 0.0
            for hit in near { sum += Double(hit.score) }
            means.append(near.isEmpty ? 0 : sum / Double(near.count))
        }
        return Side(neighbors: neighbors, means: means)
    }

    /// The score of a left and a right row.
    public func score(_ leftRow: Int, _ rightRow: Int) -> Float {
        let cosine = left.dot(leftRow, right, rightRow)
        let mean = (forward.means[leftRow] + backward.means[rightRow]) / 2
        return switch options.margin {
        case .ratio: Float(cosine / mean)
        case .distance: Float(cosine - mean)
        case .absolute: Float(cosine)
        }
    }

    /// The pairs that are taken, best first; of equal scores those of the smaller rows.
    public func pairs() -> [BitextPair] {
        let bestRight = forward.neighbors.enumerated().map { row, near in best(near) { score(row, $0) } }
        let bestLeft = backward.neighbors.enumerated().map { row, near in best(near) { score($0, row) } }
        var found: [BitextPair] = []
        found.reserveCapacity(left.count + right.count)
        if options.retrieval != .backward {
            for (row, best) in bestRight.enumerated() {
                guard let best else { continue }
                if options.retrieval == .intersect, bestLeft[best.row]?.row != row { continue }
                found.append(BitextPair(left: row, right: best.row, score: best.score))
            }
        }
        if options.retrieval == .backward || options.retrieval == .max {
            for (row, best) in bestLeft.enumerated() {
                if let best { found.append(BitextPair(left: best.row, right: row, score: best.score)) }
            }
        }
        found.sort { $0.score != $1.score ? $0.score > $1.score : ($0.left, $0.right) < ($1.left, $1.right) }
        if options.retrieval == .max {
            var lefts = [Bool](repeating: false, count: left.count)
            var rights = [Bool](repeating: false, count: right.count)
            found.removeAll { pair in
                guard !lefts[pair.left], !rights[pair.right] else { return true }
                (lefts[pair.left], rights[pair.right]) = (true, true)
                return false
            }
        }
        return options.threshold.map { least in found.filter { $0.score >= least } } ?? found
    }

    private func best(_ rows: [Int], _ score: (Int) -> Float) -> (row: Int, score: Float)? {
        var best: (row: Int, score: Float)?
        for row in rows {
            let score = score(row)
            if best.map({ score > $0.score }) ?? true { best = (row, score) }
        }
        return best
    }
}
