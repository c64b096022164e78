// The line of a training: how far it is, the loss and its curve, the best score, the time left.
#if Training
import Q3System
import Q3Training
import Synchronization

final class TuneProgress: Sendable {
    private let line = ProgressLine()
    private let stepCount: Int
    /// Steps that were done in an earlier run, which took no time in this one.
    private let firstStep: Int

    init(stepCount: Int, firstStep: Int = 0) {
        self.stepCount = stepCount
        self.firstStep = firstStep
    }

    /// Shows the state after the steps of a history.
    func show(_ history: TrainingHistory) {
        line.show { [stepCount, firstStep] elapsed in
            Self.line(history, of: stepCount, from: firstStep, elapsed: elapsed / .seconds(1), width: Terminal.width(2))
        }
    }

    func finish() { line.finish() }

    static func line(
        _ history: TrainingHistory, of stepCount: Int, from firstStep: Int, elapsed: Double, width: Int
    ) -> String {
        let step = history.losses.count
        let last = history.curve(max(1, step / 10)).last?.loss ?? 0
        let best = history.best.map { ", best \($0.value.fixed(4)) at \($0.step)" } ?? ""
        let left = step > firstStep ? elapsed / Double(step - firstStep) * Double(stepCount - step) : 0
        let text = "step \(step)/\(stepCount), loss \(last.fixed(4))\(best), \(RunProgress.time(left)) left"
        let curve = history.sparkline(min(24, width - text.count - 2))
        return curve.isEmpty ? text : "\(curve)  \(text)"
    }

    /// The losses of a training as lines of text, for the end of it: as high as six lines, with its axis.
    static func curve(_ history: TrainingHistory, width: Int) -> [String] {
        let points = history.curve(max(10, width - 12)).map(\.loss)
        guard points.count > 1, let low = points.min(), let high = points.max(), high > low else { return [] }
        let height = 6
        return (0..<height).map { line in
            let top = Double(height - 1 - line)
            let cells = points.map { value -> Character in
                let level = (value - low) / (high - low) * Double(height) - top
                let blocks = Array(" ▁▂▃▄▅▆▇█")
                return blocks[min(max(Int((level * 8).rounded()), top == 0 ? 1 : 0), 8)]
            }
            let label = line == 0 ? high.fixed(4) : line == height - 1 ? low.fixed(4) : ""
            return String(repeating: " ", count: max(0, 9 - label.count)) + label + " |" + String(cells)
        }
    }
}

/// The figure of a training: its losses, and the scores that chose the best step.
enum TunePlot {
    static func svg(_ history: TrainingHistory, title: String) -> String {
        let losses = history.curve(200)
        let steps = losses.map(\.step)
        var plots = [
            Plot(
                title: "Loss", xLabel: "step", yLabel: "loss", xAxis: Axis(around: [0] + steps),
                yAxis: Axis(fromZeroThrough: losses.map(\.loss)), points: losses.map { (x: $0.step, y: $0.loss) })
        ]
        if history.scores.count > 1 {
            let points = history.scores.map { (x: Double($0.step), y: $0.value) }
            plots.append(
                Plot(
                    title: "nDCG@10 on the queries that choose", xLabel: "step", yLabel: "nDCG@10",
                    xAxis: Axis(around: points.map(\.x)), yAxis: Axis(fromZeroThrough: points.map(\.y)), points: points)
            )
        }
        return Plot.figure(plots, headline: title)
    }
}
#endif
