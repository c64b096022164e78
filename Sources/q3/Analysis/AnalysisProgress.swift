// How long a comparison of all with all will take, and how far it is.
import Q3Linear
import Synchronization

/// A line on stderr with the part that is done and the time left.
final class AnalysisProgress: Sendable {
    private let line = ProgressLine()
    private let start = ContinuousClock.now
    private let what: String

    init(_ what: String) { self.what = what }

    /// Shows the part that is done, 0...1.
    @Sendable func show(_ part: Double) {
        line.show { [what] elapsed in
            guard part > 0.005 else { return what }
            let left = elapsed / .seconds(1) / part * (1 - part)
            return ProgressLine.bar(part, beside: "\(what), \(RunProgress.time(left)) left", width: Terminal.width(2))
        }
    }

    func finish() { line.finish() }

    var seconds: Double { (ContinuousClock.now - start) / .seconds(1) }

    /// Says how long comparing every row with every other will take at most, where that is worth a word.
    static func announce(_ left: VectorMatrix, with right: VectorMatrix? = nil, threads: Int?) async throws {
        let walk = try TileWalk(left: left, right: right ?? left, isTriangle: right == nil, threads: threads)
        let seconds = try await walk.estimatedSeconds()
        guard seconds > 5 else { return }
        let rows = right.map { "\(left.count) rows with \($0.count)" } ?? "\(left.count) rows"
        Terminal.say("comparing \(rows) takes at most about \(RunProgress.time(seconds)) here")
    }
}
