// The axis of a plot: its range, its ticks and their labels.
import Q3System

struct Axis {
    private let range: ClosedRange<Double>
    let ticks: [Double]
    private let isLogarithmic: Bool

    /// From 0 to a round number not less than any of `values`.
    init(fromZeroThrough values: [Double]) {
        let highest = values.max() ?? 0
        let step = Self.niceStep(highest / 5)
        let count = max(1, Int((highest / step).rounded(.up)))
        ticks = (0...count).map { Double($0) * step }
        range = 0...Double(count) * step
        isLogarithmic = false
    }

    /// Exactly around whole numbers such as thread counts, which are ticks where there is room.
    init(around values: [Double]) {
        let (low, high) = (values.min() ?? 0, values.max() ?? 0)
        let step = max(1, Self.niceStep((high - low) / 8))
        ticks = Array(stride(from: (low / step).rounded(.up) * step, through: high, by: step))
        range = low...high
        isLogarithmic = false
    }

    /// Exactly around `values`, which are above 0, with the same room for every doubling. Ticks are powers of two, at
    /// most ten or so.
    init(logarithmicAround values: [Double]) {
        let (low, high) = (values.min() ?? 1, values.max() ?? 1)
        let exponents = Array(stride(from: log2(low).rounded(.up), through: log2(high), by: 1))
        let every = Double((exponents.count + 9) / 10)
        let kept = exponents.filter { $0.truncatingRemainder(dividingBy: every) == 0 }.map(exp2)
        ticks = kept.isEmpty ? [low] : kept
        range = low...high
        isLogarithmic = true
    }

    /// Where a value stands, 0 at the start and 1 at the end; the middle of an axis that is a point.
    func place(_ value: Double) -> Double {
        let scale: (Double) -> Double = isLogarithmic ? { log2($0) } : { $0 }
        let (low, high) = (scale(range.lowerBound), scale(range.upperBound))
        return high > low ? (scale(value) - low) / (high - low) : 0.5
    }

    /// The smallest of 1, 2 and 5 times a power of ten that is at least `step`.
    static func niceStep(_ step: Double) -> Double {
        guard step > 0, step.isFinite else { return 1 }
        let unit = pow(10, log10(step).rounded(.down))
        return [1, 2, 5].map { $0 * unit }.first { $0 >= step } ?? 10 * unit
    }

    /// "0.25", "512", "32768", "1.5M".
    static func label(_ value: Double) -> String {
        switch value.magnitude {
        case 1e6...: (value / 1e6).trimmed(2) + "M"
        case 10...: value.trimmed(1)
        default: value.trimmed(3)
        }
    }
}

extension Double {
    /// With at most so many digits after the point.
    func trimmed(_ digits: Int) -> String {
        let text = fixed(digits)
        guard text.contains(".") else { return text }
        var kept = text[...]
        while kept.last == "0" { kept.removeLast() }
        if kept.last == "." { kept.removeLast() }
        return String(kept)
    }
}
