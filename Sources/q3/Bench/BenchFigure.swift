// What --plot draws: speed against length, speed against threads, memory against length.

enum BenchFigure {
    /// Whether there is anything to draw for a case.
    static func shows(_ benchCase: BenchCase) -> Bool {
        switch benchCase {
        case .tokens, .threads: true
        case .mixed, .queries, .rerank, .start, .tokenizer: false
        }
    }

    static func svg(_ measurements: [Measurement], setup: BenchSetup) -> String {
        let byLength = measurements.filter { if case .tokens = $0.benchCase { true } else { false } }
            .sorted { $0.tokenCount < $1.tokenCount }
        let byThreads = measurements.filter { $0.benchCase == .threads }.sorted { $0.threads < $1.threads }
        var plots: [Plot] = []
        if !byLength.isEmpty {
            let lengths = byLength.map { Double($0.tokenCount) }
            plots.append(
                plot("Throughput by length", byLength.map(\.tokensPerSecond), "tokens/s", lengths: lengths))
            let megabytes = byLength.map { Double($0.peakResidentBytes) / 1e6 }
            plots.append(plot("Peak resident memory by length", megabytes, "MB", lengths: lengths))
        }
        if !byThreads.isEmpty {
            let threads = byThreads.map { Double($0.threads) }
            let speeds = byThreads.map(\.tokensPerSecond)
            plots.append(
                Plot(
                    title: "Throughput by threads, \(BenchCase.steadyLength) tokens", xLabel: "threads",
                    yLabel: "tokens/s", xAxis: Axis(around: threads), yAxis: Axis(fromZeroThrough: speeds),
                    points: Array(zip(threads, speeds))))
        }
        return Plot.figure(plots, headline: "q3, \(setup)")
    }

    private static func plot(_ title: String, _ values: [Double], _ unit: String, lengths: [Double]) -> Plot {
        Plot(
            title: title, xLabel: "tokens of one text", yLabel: unit, xAxis: Axis(logarithmicAround: lengths),
            yAxis: Axis(fromZeroThrough: values), points: Array(zip(lengths, values)))
    }
}
