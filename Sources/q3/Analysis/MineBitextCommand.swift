// q3 mine bitext: which sentences of two languages are translations of each other.
public import ArgumentParser
public import Q3Analysis
import Q3System

struct MineBitextCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bitext",
        abstract: "Finds sentences that are translations of each other.",
        usage: "q3 mine bitext --input LEFT --against RIGHT [OPTION ...]",
        discussion: """
            \(VectorSetArguments.discussion)

            A pair's score is its cosine set against those of the nearest --neighbors of
            both sentences (Artetxe and Schwenk 2019, as in LASER): the ratio, about 1 for
            sentences that are no nearer than their neighbours. What threshold is right
            depends on model and languages; 1.06 is a start. Only a model that was trained
            in both languages finds translations: the Qwen3 models were, q3-mini was not.

            OUTPUT is LASER's: score, left and right with tabs between, best first. With
            --json a line is {"score", "left", "right"}, each {"index", "id"?, "text"}.
            --score gives the score of line 1 with line 1, 2 with 2, ..., in their order.

            EXAMPLES
              q3 mine bitext -i de.txt --against en.txt -m embedding.gguf --threshold 1.06
              q3 mine bitext -i de.txt --against en.txt -m embedding.gguf --score
            """)

    @OptionGroup var rows: VectorSetArguments

    @Option(help: ArgumentHelp("The sentences of the other language.", valueName: "file"), completion: .file())
    var against: String

    @Option(help: ArgumentHelp("The vectors of the texts of --against, as an .npy file.", valueName: "file"))
    var againstVectors: String?

    @Option(help: ArgumentHelp("The least score of a pair. (default: none)", valueName: "score"))
    var threshold: Float?

    @Option(help: "ratio, distance or absolute: how cosines become scores.")
    var margin: BitextMargin = .ratio

    @Option(help: "max: each sentence once; forward, backward: the best for each; intersect: best both ways.")
    var retrieval: BitextRetrieval = .max

    @Option(help: ArgumentHelp("Neighbours that a pair is set against.", valueName: "n"))
    var neighbors = 4

    @Flag(help: "Score the pairs that are given, line by line.")
    var score = false

    @Flag(help: "Print JSON lines.")
    var json = false

    @OptionGroup var output: OutputArguments

    func validate() throws {
        if !(1...1000).contains(neighbors) { throw ValidationError("--neighbors must be 1 to 1000") }
        if threshold?.isNaN ?? false { throw ValidationError("--threshold is a number") }
    }

    func run() async throws {
        let inputs = rows.paths + [against, againstVectors].compactMap { $0 }
        let file = try OutputFile(path: output.output, inputs: inputs)
        let left = try await rows.load()
        let right = try await rows.load(
            [against], vectors: againstVectors, comparedWith: left,
            need: { rows, _ in AnalysisMemory.bitext(left: left.count, right: rows, neighbors: neighbors) })
        if score, left.count != right.count {
            throw Failure(
                .badData, "\(left.name) has \(left.count) rows and \(right.name) \(right.count): --score needs as many")
        }
        var options = BitextOptions()
        options.margin = margin
        options.retrieval = retrieval
        options.neighbors = neighbors
        options.threshold = threshold
        options.threads = rows.model.computing.threads
        let progress = AnalysisProgress("comparing both ways")
        options.progress = progress.show
        try await AnalysisProgress.announce(left.vectors, with: right.vectors, threads: options.threads)
        let bitext = try await Bitext(left: left.vectors, right: right.vectors, options: options)
        progress.finish()
        let pairs =
            score
            ? (0..<left.count).map { BitextPair(left: $0, right: $0, score: bitext.score($0, $0)) }
                .filter { pair in threshold.map { pair.score >= $0 } ?? true }
            : bitext.pairs()
        var lines = OutputLines(file)
        for pair in pairs {
            if json {
                var object = JSONObject()
                object.add("score", pair.score)
                object.add("left", left.object(pair.left))
                object.add("right", right.object(pair.right))
                try lines.append(object)
            } else {
                try lines.append("\(pair.score)\t\(Self.cell(left, pair.left))\t\(Self.cell(right, pair.right))\n")
            }
        }
        try lines.flush()
        try file.finish()
        Terminal.say("\(pairs.count) pairs of \(left.count) and \(right.count) rows")
    }

    /// A text, or the id of a row that has none, on one line.
    private static func cell(_ set: VectorSet, _ row: Int) -> String {
        let text = set.texts?[row] ?? set.ids[row] ?? "\(set.indices[row])"
        return String(text.map { $0.isNewline || $0 == "\t" ? " " : $0 })
    }
}

extension BitextMargin: ExpressibleByArgument {}
extension BitextRetrieval: ExpressibleByArgument {}
