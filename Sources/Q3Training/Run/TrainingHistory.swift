// What happened in a training: the loss of each step, and the scores on the queries that choose the best one.

/// Losses, scores and the best step.
public struct TrainingHistory: Sendable, Equatable {
    /// A score on the queries that choose.
    public struct Score: Sendable, Equatable {
        /// Steps taken before it; 0 is the model as it was.
        public let step: Int
        /// nDCG@10.
        public let value: Double

        /// A score after so many steps.
        public init(step: Int, value: Double) { (self.step, self.value) = (step, value) }
    }

    /// The loss of each step.
    public private(set) var losses: [Double] = []
    /// Scores in the order of their steps.
    public private(set) var scores: [Score] = []

    /// Nothing happened yet.
    public init() {}

    /// As it was after a number of steps.
    public init(losses: [Double], scores: [Score]) { (self.losses, self.scores) = (losses, scores) }

    /// The best score, the first of equals; nil without any.
    public var best: Score? {
        scores.reduce(nil) { best, next in best.map { next.value > $0.value } ?? true ? next : best }
    }

    /// Notes the loss of the next step. Throws `notFinite` for NaN and infinity.
    public mutating func add(loss: Double) throws(TrainingError) {
        guard loss.isFinite else { throw .notFinite(what: "the loss", step: losses.count + 1) }
        losses.append(loss)
    }

    /// Notes a score after the steps so far. Returns whether it is the best one.
    public mutating func add(score value: Double) -> Bool {
        let isBest = best.map { value > $0.value } ?? true
        scores.append(Score(step: losses.count, value: value))
        return isBest
    }

    /// The losses as `count` means at most, each of equally many neighbours, with the middle step of each.
    public func curve(_ count: Int) -> [(step: Double, loss: Double)] {
        guard count > 0, !losses.isEmpty else { return [] }
        let width = (losses.count + count - 1) / count
        return stride(from: 0, to: losses.count, by: width).map { start in
            let part = losses[start..<min(start + width, losses.count)]
            return (
                Double(start) + Double(part.count + 1) / 2, part.reduce(0, +) / Double(part.count)
            )
        }
    }

    /// The losses as a line of so many blocks at most, the lowest loss lowest: "▇▅▃▂▂▁".
    public func sparkline(_ width: Int) -> String {
        let means = curve(width).map(\.loss)
        guard let low = means.min(), let high = means.max() else { return "" }
        let blocks = Array("▁▂▃▄▅▆▇█")
        return String(
            means.map { mean in
                let level = high > low ? (mean - low) / (high - low) * Double(blocks.count - 1) : 0
                return blocks[min(max(Int(level.rounded()), 0), blocks.count - 1)]
            })
    }
}
