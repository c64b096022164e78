// The result of one case: its times, and what a table, a program and a plot show of them.
import Q3System

struct Measurement {
    let benchCase: BenchCase
    /// Tokens of the input, and how many remain when shared prefixes are counted once.
    let tokenCount: Int
    let distinctTokenCount: Int
    /// Of the timed runs, at least one.
    let seconds: [Double]
    let peakResidentBytes: Int
    let threads: Int
    /// Of text, where that is what is measured.
    var byteCount: Int?

    var median: Double {
        let sorted = seconds.sorted()
        return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    }

    var tokensPerSecond: Double { Double(tokenCount) / median }

    private var minimum: Double { seconds.min() ?? .nan }
    private var maximum: Double { seconds.max() ?? .nan }

    static let table = Table(columns: [
        ("case", -12), ("threads", 7), ("tokens", 7), ("distinct", 8), ("seconds", 9), ("min", 9), ("max", 9),
        ("tokens/s", 9), ("MB/s", 6), ("peak MB", 7),
    ])

    var cells: [String] {
        [
            benchCase.name, "\(threads)", "\(tokenCount)", "\(distinctTokenCount)", median.fixed(4), minimum.fixed(4),
            maximum.fixed(4), tokensPerSecond.fixed(1), byteCount.map { (Double($0) / median / 1e6).fixed(1) } ?? "",
            (Double(peakResidentBytes) / 1e6).fixed(0),
        ]
    }

    func json(setup: BenchSetup) -> JSONObject {
        var object = JSONObject()
        object.add("case", quoted: benchCase.name)
        object.add("tokens", tokenCount)
        object.add("distinct_tokens", distinctTokenCount)
        object.add("seconds", median)
        object.add("min", minimum)
        object.add("max", maximum)
        object.add("tokens_per_second", tokensPerSecond)
        if let byteCount { object.add("bytes_per_second", Double(byteCount) / median) }
        object.add("peak_resident_bytes", peakResidentBytes)
        object.add("threads", threads)
        setup.describe(in: &object)
        return object
    }
}
