// Figures before and after on the same queries, with what chance could have made of them.
import Q3System

/// A mean, and the range that holds it in 95 of 100 draws of other queries.
public struct Interval: Sendable, Equatable {
    /// The mean of all queries.
    public let mean: Double
    /// The end below which 2.5 % of the draws lie.
    public let low: Double
    /// The end above which 2.5 % of the draws lie.
    public let high: Double
}

/// Scores of the same queries before and after.
///
/// Intervals are percentiles of 10,000 draws with replacement (Efron's bootstrap). Those of the gain draw pairs: a query that is
/// hard is hard before and after, so the gain is known better than either figure.
public struct Comparison: Sendable {
    /// nDCG@10 before.
    public let before: Interval
    /// nDCG@10 after.
    public let after: Interval
    /// nDCG@10 after minus before, query by query.
    public let gain: Interval
    /// Mean reciprocal rank among ten before.
    public let mrrBefore: Interval
    /// Mean reciprocal rank among ten after.
    public let mrrAfter: Interval
    /// Queries that both are of.
    public let queryCount: Int

    /// What the figures say.
    public enum Verdict: String, Sendable {
        /// The whole interval of the gain lies above 0.
        case gain
        /// Chance could have made the difference, or there is none.
        case noGain = "no gain"
        /// The whole interval of the gain lies below 0.
        case loss
    }

    /// What the figures say.
    public var verdict: Verdict { gain.low > 0 ? .gain : gain.high < 0 ? .loss : .noGain }

    /// With fewer queries than this an interval is always wide.
    public static let fewQueries = 50

    private static let draws = 10_000

    /// Compares scores of the same queries in the same order, a precondition.
    public init(before: QueryScores, after: QueryScores, seed: UInt64 = 0) {
        precondition(before.ndcg.count == after.ndcg.count, "scores of the same queries")
        queryCount = before.ndcg.count
        let columns = [
            before.ndcg, after.ndcg, zip(after.ndcg, before.ndcg).map { $0 - $1 }, before.mrr, after.mrr,
        ]
        let intervals = Self.intervals(of: columns, seed: seed)
        (self.before, self.after, gain) = (intervals[0], intervals[1], intervals[2])
        (mrrBefore, mrrAfter) = (intervals[3], intervals[4])
    }

    /// The interval of the mean of each column; all columns are drawn together.
    static func intervals(of columns: [[Double]], seed: UInt64) -> [Interval] {
        let count = columns.first?.count ?? 0
        guard count > 0 else { return columns.map { _ in Interval(mean: 0, low: 0, high: 0) } }
        var random = SeededGenerator(seed: seed)
        var means = columns.map { _ in [Double]() }
        var sums = [Double](repeating: 0, count: columns.count)
        for _ in 0..<draws {
            for column in sums.indices { sums[column] = 0 }
            for _ in 0..<count {
                let row = Int(random.next().multipliedFullWidth(by: UInt64(count)).high)
                for column in sums.indices { sums[column] += columns[column][row] }
            }
            for column in sums.indices { means[column].append(sums[column] / Double(count)) }
        }
        return zip(columns, means).map { column, means in
            let sorted = means.sorted()
            return Interval(
                mean: column.reduce(0, +) / Double(count), low: sorted[draws / 40], high: sorted[draws - 1 - draws / 40]
            )
        }
    }

    /// Lines for people: a table of the figures and what they say.
    public var lines: [String] {
        func row(_ name: String, _ interval: Interval, sign: Bool = false) -> String {
            let number = { (value: Double) in (sign && value >= 0 ? "+" : "") + value.fixed(4) }
            let padded = name + String(repeating: " ", count: max(1, 18 - name.count))
            return "\(padded)\(number(interval.mean))  [\(number(interval.low)), \(number(interval.high))]"
        }
        return [
            "\(queryCount) held-out queries, 95 % intervals", row("nDCG@10 before", before),
            row("nDCG@10 after", after),
            row("gain", gain, sign: true), row("MRR@10 before", mrrBefore), row("MRR@10 after", mrrAfter), "",
            conclusion,
        ]
    }

    /// A sentence on what the figures say.
    public var conclusion: String {
        let few = queryCount < Self.fewQueries ? "; \(queryCount) queries are few, so only large gains would show" : ""
        return switch verdict {
        case .gain: "gain: held-out queries find their passages better than before"
        case .loss: "loss: held-out queries find their passages worse than before; do not use what was learned"
        case .noGain where before.mean > 0.95:
            "no gain: the model found nearly all passages before (nDCG@10 \(before.mean.fixed(3)))\(few)"
        case .noGain: "no gain: the difference is within what chance makes of it\(few)"
        }
    }
}

extension Double {
    /// With exactly so many digits after the point.
    func fixed(_ digits: Int) -> String { DecimalText.fixed(self, digits) }
}
