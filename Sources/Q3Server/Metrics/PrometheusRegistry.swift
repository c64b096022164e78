// A backend of swift-metrics that Prometheus can read.
#if Server
public import CoreMetrics
import Synchronization

/// Collects what swift-metrics reports and writes it in Prometheus' text format 0.0.4.
///
/// Counters count, meters and recorders without aggregation are gauges, timers (in seconds) and the other recorders are
/// histograms.
public final class PrometheusRegistry: MetricsFactory {
    /// What a metric counts, and the upper bounds of its buckets if it is a histogram.
    public struct Description: Sendable {
        /// One line for people.
        public var help: String
        /// Upper bounds, in rising order.
        public var buckets: [Double]

        /// A description, with bounds for seconds by default.
        public init(help: String, buckets: [Double] = Description.seconds) {
            self.help = help
            self.buckets = buckets
        }

        /// Bounds for durations, from 5 milliseconds to a minute.
        public static let seconds = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
    }

    private let descriptions: [String: Description]
    private let series = Mutex<[String: [String: Series]]>([:])

    /// `descriptions` are by the names of metrics. Those without one get no help text.
    public init(descriptions: [String: Description] = [:]) {
        self.descriptions = descriptions
    }

    /// Everything collected so far; names and labels in alphabetical order.
    public var text: String {
        let series = series.withLock { $0 }
        return series.sorted { $0.key < $1.key }.map { name, lines in
            let kind = lines.values.first?.kind ?? .gauge
            let help = descriptions[name].map { "# HELP \(name) \($0.help)\n" } ?? ""
            return help + "# TYPE \(name) \(kind.rawValue)\n"
                + lines.sorted { $0.key < $1.key }.map { $1.lines(name: name, labels: $0) }.joined()
        }.joined()
    }

    private func series(_ label: String, _ dimensions: [(String, String)], _ kind: Series.Kind) -> Series {
        let name = String(label.map { $0.isLetter || $0.isNumber || $0 == ":" ? $0 : "_" })
        let labels = dimensions.map { key, value in
            let key = String(key.map { $0.isLetter || $0.isNumber ? $0 : "_" })
            let value = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing(
                "\n", with: "\\n")
            return "\(key)=\"\(value)\""
        }.joined(separator: ",")
        return series.withLock { all in
            if let known = all[name]?[labels], known.kind == kind { return known }
            let fresh = Series(
                kind: kind, bounds: kind == .histogram ? descriptions[name]?.buckets ?? Description.seconds : [])
            all[name, default: [:]][labels] = fresh
            return fresh
        }
    }

    /// A counter of whole numbers.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions, .counter)
    }

    /// A counter of any numbers.
    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        series(label, dimensions, .counter)
    }

    /// A gauge.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions, .gauge)
    }

    /// A histogram, or a gauge without aggregation.
    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        series(label, dimensions, aggregate ? .histogram : .gauge)
    }

    /// A histogram in seconds.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(label, dimensions, .histogram)
    }

    /// Does nothing: series live as long as the registry.
    public func destroyCounter(_: any CounterHandler) {}
    /// Does nothing: series live as long as the registry.
    public func destroyFloatingPointCounter(_: any FloatingPointCounterHandler) {}
    /// Does nothing: series live as long as the registry.
    public func destroyMeter(_: any MeterHandler) {}
    /// Does nothing: series live as long as the registry.
    public func destroyRecorder(_: any RecorderHandler) {}
    /// Does nothing: series live as long as the registry.
    public func destroyTimer(_: any TimerHandler) {}
}

/// One name with one set of labels.
private final class Series: Sendable {
    enum Kind: String { case counter, gauge, histogram }

    private struct Values {
        var sum = 0.0
        var count = 0
        var buckets: [Int]
    }

    let kind: Kind
    private let bounds: [Double]
    private let values: Mutex<Values>

    init(kind: Kind, bounds: [Double]) {
        self.kind = kind
        self.bounds = bounds
        values = Mutex(Values(buckets: Array(repeating: 0, count: bounds.count)))
    }

    func add(_ amount: Double) { values.withLock { $0.sum += amount } }

    func observe(_ value: Double) {
        values.withLock { values in
            guard kind == .histogram else { return values.sum = value }
            values.sum += value
            values.count += 1
            if let bucket = bounds.firstIndex(where: { value <= $0 }) { values.buckets[bucket] += 1 }
        }
    }

    func lines(name: String, labels: String) -> String {
        let values = values.withLock { $0 }
        let braces = labels.isEmpty ? "" : "{\(labels)}"
        guard kind == .histogram else { return "\(name)\(braces) \(number(values.sum))\n" }
        let comma = labels.isEmpty ? "" : ","
        var (text, below) = ("", 0)
        for (bound, count) in zip(bounds, values.buckets) {
            below += count
            text += "\(name)_bucket{\(labels)\(comma)le=\"\(number(bound))\"} \(below)\n"
        }
        text += "\(name)_bucket{\(labels)\(comma)le=\"+Inf\"} \(values.count)\n"
        return text + "\(name)_sum\(braces) \(number(values.sum))\n\(name)_count\(braces) \(values.count)\n"
    }

    private func number(_ value: Double) -> String {
        Int(exactly: value).map(String.init) ?? "\(value)"
    }
}

extension Series: CounterHandler, FloatingPointCounterHandler, MeterHandler, RecorderHandler, TimerHandler {
    func increment(by amount: Int64) { add(Double(amount)) }
    func increment(by amount: Double) { add(amount) }
    func decrement(by amount: Double) { add(-amount) }
    func reset() { values.withLock { $0 = Values(buckets: Array(repeating: 0, count: bounds.count)) } }
    func set(_ value: Int64) { observe(Double(value)) }
    func set(_ value: Double) { observe(value) }
    func record(_ value: Int64) { observe(Double(value)) }
    func record(_ value: Double) { observe(value) }
    func recordNanoseconds(_ duration: Int64) { observe(Double(duration) / 1e9) }
}
#endif
