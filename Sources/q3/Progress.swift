// A line on stderr that shows how far a long run is; nothing for short ones, nor where no person looks.
import Q3Model
import Synchronization

/// A line on stderr, redrawn at most five times a second once a run has taken two seconds.
final class ProgressLine: Sendable {
    private let lastDrawn = Mutex<ContinuousClock.Instant?>(nil)
    private let start = ContinuousClock.now
    private let isShown = Terminal.isInteractive(2)

    /// Draws what `line` makes of the time so far, if it is time to.
    func show(_ line: (_ elapsed: Duration) -> String) {
        guard isShown else { return }
        lastDrawn.withLock { lastDrawn in
            let now = ContinuousClock.now
            guard now - start > .seconds(2), lastDrawn.map({ now - $0 > .milliseconds(200) }) ?? true else { return }
            lastDrawn = now
            Terminal.redraw(line(now - start))
        }
    }

    /// Clears the line.
    func finish() {
        if lastDrawn.withLock({ $0 != nil }) { Terminal.redraw("") }
    }
}

/// Rate and time left of a run over records.
final class RunProgress: Sendable {
    private struct State {
        /// Tokens and records of finished windows.
        var tokensDone = 0
        var recordsDone = 0
    }

    private let state = Mutex(State())
    private let line = ProgressLine()

    /// Draws the state within a window; `span` is the part of the whole input that the window is, nil if unknown.
    func show(_ progress: Progress, in span: ClosedRange<Double>?) {
        let fraction = span.map { $0.lowerBound + ($0.upperBound - $0.lowerBound) * progress.fraction }
        line.show { elapsed in
            let done = state.withLock { $0 }
            return Self.line(
                records: done.recordsDone, tokens: done.tokensDone + progress.completed, elapsed: elapsed,
                fraction: fraction)
        }
    }

    /// Counts a finished window.
    func finishWindow(records: Int, tokens: Int) {
        state.withLock { state in
            state.recordsDone += records
            state.tokensDone += tokens
        }
    }

    /// Clears the line.
    func finish() {
        line.finish()
    }

    static func line(records: Int, tokens: Int, elapsed: Duration, fraction: Double?) -> String {
        let seconds = elapsed / .seconds(1)
        let rate = Int(Double(tokens) / seconds)
        let counts = "\(records) done, \(tokens) tokens, \(rate) tokens/s"
        guard let fraction, fraction > 0.001 else { return counts }
        return "\(counts), \(Int(fraction * 100)) %, \(time(seconds / fraction - seconds)) left"
    }

    /// "0:42", "12:05" or "3:01:59".
    static func time(_ seconds: Double) -> String {
        let total = Int(min(max(seconds, 0), 3_600_000).rounded(.up))
        let (hours, minutes) = (total / 3600, total / 60 % 60)
        let padded = { (value: Int) in value < 10 ? "0\(value)" : "\(value)" }
        return hours > 0 ? "\(hours):\(padded(minutes)):\(padded(total % 60))" : "\(minutes):\(padded(total % 60))"
    }
}
