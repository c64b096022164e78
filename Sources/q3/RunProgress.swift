// A line on stderr that shows the progress of a long run on a terminal.
import Q3Model
import Synchronization

/// A line on stderr, redrawn at most five times a second once a run has taken a second.
final class ProgressLine: Sendable {
    private let lastDrawn = Mutex<ContinuousClock.Instant?>(nil)
    private let start = ContinuousClock.now
    private let isShown = Terminal.isInteractive(2)

    /// Draws what `line` makes of the time so far, if the last drawing is old enough.
    func show(_ line: (_ elapsed: Duration) -> String) {
        guard isShown else { return }
        lastDrawn.withLock { lastDrawn in
            let now = ContinuousClock.now
            guard now - start > .seconds(1), lastDrawn.map({ now - $0 > .milliseconds(200) }) ?? true else { return }
            lastDrawn = now
            Terminal.redraw(line(now - start))
        }
    }

    /// Clears the line.
    func finish() {
        if lastDrawn.withLock({ $0 != nil }) { Terminal.redraw("") }
    }

    /// "[#####-----]  45 %  ", as wide as the terminal allows beside `text`; without a fraction the text alone.
    static func bar(_ fraction: Double?, beside text: String, width: Int) -> String {
        guard let part = fraction else { return text }
        let fraction = min(max(part, 0), 1)
        let percent = "\(Int(fraction * 100))"
        let number = String(repeating: " ", count: 3 - percent.count) + "\(percent) %"
        let cells = min(24, width - text.count - number.count - 7)
        guard cells >= 5 else { return "\(number)  \(text)" }
        let full = Int(fraction * Double(cells))
        let bar = String(repeating: "#", count: full) + String(repeating: "-", count: cells - full)
        return "[\(bar)] \(number)  \(text)"
    }
}

/// Rate and time left of a run over records.
final class RunProgress: Sendable {
    private struct State {
        var recordCount = 0
        var tokenCount = 0
        /// The part of the input whose records are done.
        var fraction: Double? = 0
    }

    private let state = Mutex(State())
    private let line = ProgressLine()
    private let start = ContinuousClock.now

    var elapsed: Duration { ContinuousClock.now - start }

    /// Draws the state within a window: tokens of all windows so far, and the part of the input that the window ends with.
    func show(_ progress: Progress, upTo end: Double?) {
        line.show { elapsed in
            let done = state.withLock { $0 }
            var fraction: Double?
            if let start = done.fraction, let end {
                let window = Progress(
                    completed: progress.completed - done.tokenCount, total: progress.total - done.tokenCount)
                fraction = start + (end - start) * window.fraction
            }
            return Self.line(
                records: done.recordCount, tokens: progress.completed, elapsed: elapsed, fraction: fraction,
                width: Terminal.width(2))
        }
    }

    /// Counts a finished record and its tokens.
    func count(tokens: Int, fraction: Double?) {
        state.withLock { state in
            state.recordCount += 1
            state.tokenCount += tokens
            state.fraction = fraction
        }
    }

    /// Clears the line.
    func finish() { line.finish() }

    static func line(records: Int, tokens: Int, elapsed: Duration, fraction: Double?, width: Int) -> String {
        let seconds = elapsed / .seconds(1)
        let rate = Int(Double(tokens) / max(seconds, 0.001))
        let counts = "\(records == 0 ? "" : "\(records) done, ")\(rate) tokens/s"
        guard let fraction, fraction > 0.001 else { return counts }
        let text = "\(counts), \(time(seconds / fraction - seconds)) left"
        return ProgressLine.bar(fraction, beside: text, width: width)
    }

    /// "0:42", "12:05" or "3:01:59".
    static func time(_ seconds: Double) -> String {
        let total = Int(min(max(seconds, 0), 3_600_000).rounded(.up))
        let (hours, minutes) = (total / 3600, total / 60 % 60)
        let padded = { (value: Int) in value < 10 ? "0\(value)" : "\(value)" }
        return hours > 0 ? "\(hours):\(padded(minutes)):\(padded(total % 60))" : "\(minutes):\(padded(total % 60))"
    }
}
