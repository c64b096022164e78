// Options of every training that say where its results go and whether it goes on after an interruption, and their values.
#if Training
import ArgumentParser
import Q3Input
import Q3System
import Q3Training

struct TuneRunArguments: ParsableArguments {
    @Option(name: .shortAndLong, help: ArgumentHelp("Where the result goes.", valueName: "place"), completion: .file())
    var output: String

    @Option(
        help: ArgumentHelp("Draw the loss and the scores into this .svg file.", valueName: "file"), completion: .file())
    var plot: String?

    @Flag(help: "Go on where an interrupted run of the same command stopped.")
    var resume = false

    func validate() throws {
        if output == "-" || output.isEmpty { throw ValidationError("--output is the place of the result") }
        if let plot, !plot.lowercased().hasSuffix(".svg") {
            throw ValidationError("--plot is a file that ends in .svg")
        }
    }

    /// The model card: beside a file, and in a folder.
    var cardPath: String {
        if InputFolder.isFolder(output) { return "\(output)/README.md" }
        let stem = [".gguf", ".safetensors"].first { output.hasSuffix($0) }.map { String(output.dropLast($0.count)) }
        return "\(stem ?? output).md"
    }

    func writeCard(_ card: ModelCard) throws {
        let file = try OutputFile(path: cardPath, inputs: [output])
        try file.write(Array(card.markdown.utf8))
        try file.finish()
    }

    func writePlot(_ history: TrainingHistory, title: String) throws {
        guard let plot else { return }
        let file = try OutputFile(path: plot, inputs: [output])
        try file.write(Array(TunePlot.svg(history, title: title).utf8))
        try file.finish()
    }
}

extension TuneDataArguments {
    var splitOptions: DataSplit.Options {
        var options = DataSplit.Options()
        (options.heldOut, options.validation) = (heldOut, validation)
        (options.separatesAnswers, options.seed) = (separateAnswers, seed)
        return options
    }

    /// What a model card says of the data.
    func cardRows(
        _ data: TrainingData, _ split: DataSplit, _ near: [NearQuery]
    ) -> [(name: String, value: String)] {
        var rows = [("Pairs", input.input.map(\.lastPathPart).joined(separator: ", "))]
        if !test.isEmpty { rows.append(("Measured on", test.map(\.lastPathPart).joined(separator: ", "))) }
        return rows + [
            ("Queries learned from", "\(split.training.count)"),
            ("Queries that chose the best step", "\(split.validation.count)"),
            ("Held-out queries", "\(split.heldOut.count)"),
            ("Held-out queries with an answer that was learned from", "\(split.sharedAnswers.count)"),
            ("Held-out queries that are nearly one that was learned from", "\(near.count)"),
            ("Passages", "\(data.passages.count)"), ("Instruction", instruct ?? "that of the pairs, else web search"),
        ]
    }
}

/// What a training ends with.
struct TuneSummary {
    let history: TrainingHistory
    let comparison: Comparison
    let seconds: Double

    /// The loss curve and the figures, on stderr.
    func say() throws {
        for line in TuneProgress.curve(history, width: min(Terminal.width(2), 100)) { Terminal.say(line) }
        for line in comparison.lines where !line.isEmpty { Terminal.say(line) }
        if let best = history.best { Terminal.say("best step: \(best.step) of \(history.losses.count)") }
        Terminal.say("\(RunProgress.time(seconds)) in all")
    }

    /// Figures by name, for the file of the result. The time is left out: the same run gives the same bytes.
    var notes: [String: String] {
        [
            "ndcg@10 before": comparison.before.mean.fixed(4), "ndcg@10 after": comparison.after.mean.fixed(4),
            "ndcg@10 gain":
                "\(comparison.gain.mean.fixed(4)) [\(comparison.gain.low.fixed(4)), \(comparison.gain.high.fixed(4))]",
            "mrr@10 before": comparison.mrrBefore.mean.fixed(4), "mrr@10 after": comparison.mrrAfter.mean.fixed(4),
            "held-out queries": "\(comparison.queryCount)", "verdict": comparison.verdict.rawValue,
            "q3 version": Release.version,
        ]
    }

    func card(title: String, summary: String) -> ModelCard {
        var card = ModelCard(title: title, summary: summary)
        card.add("Figures", lines: comparison.lines)
        var rows = [("Steps", "\(history.losses.count)"), ("Loss of the first and the last step", lossRange)]
        if let best = history.best { rows.append(("Best step", "\(best.step)")) }
        rows.append(("q3", Release.version))
        card.add("Training", table: rows)
        return card
    }

    private var lossRange: String {
        "\((history.losses.first ?? 0).fixed(4)), \((history.losses.last ?? 0).fixed(4))"
    }
}

/// A number, or "none".
struct OptionalNumber: ExpressibleByArgument {
    let value: Double?

    init(value: Double?) { self.value = value }

    init?(argument: String) {
        if argument == "none" {
            value = nil
        } else {
            guard let number = Double(argument), number.isFinite else { return nil }
            value = number
        }
    }

    var defaultValueDescription: String { value.map { "\($0)" } ?? "none" }
}

/// Whole numbers above 0 with commas between.
struct NumberList: ExpressibleByArgument {
    let values: [Int]

    init?(argument: String) {
        let numbers = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        guard !numbers.isEmpty, numbers.allSatisfy({ $0 ?? 0 > 0 }) else { return nil }
        values = numbers.compactMap { $0 }
    }
}
#endif
