// q3 rerank: a query and documents in, scores out, best first; or pairs in, scores in their order.
import ArgumentParser
import Q3Input
import Q3Model
import Q3Reranking

struct RerankCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rerank",
        abstract: "Scores how well documents answer a query.",
        usage: "q3 rerank --model FILE [--query QUERY] [OPTION ...] [DOCUMENT ...]",
        discussion: """
            With --query, the texts are documents: lines, JSON lines or a JSON list of
            {"id"?, "title"?, "text"}, or CSV or TSV with such columns. The output is
            sorted, best first. Without it, --input names pairs {"id"?, "query",
            "document", "instruction"?} in JSON, CSV or TSV, and the output is in their
            order.

            A score is the probability of yes, 0 to 1; --raw-scores gives the difference
            of the logits, which does not saturate. A line of text is score, id (or number
            of the record) and the document, with tabs between; on a terminal it has a rank
            and fits the width. A jsonl line is {"index", "id"?, "score", "text"?}, with
            "truncated": true where a document was cut; json is a list of the same objects.
            Whatever looks like a control token in a text is read as letters.

            EXAMPLES
              q3 rerank -m reranker.gguf --query "capital of China" "Beijing." "Bread."
              q3 rerank -m reranker.gguf --query "capital of China" --top-n 10 -i docs.txt
              q3 rerank -m reranker.gguf -i pairs.jsonl --raw-scores -o scores.jsonl
            """)

    enum Format: String, CaseIterable, ExpressibleByArgument {
        case json, jsonl, text
    }

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("The model: a GGUF file, or a name from 'q3 list'.", valueName: "model"),
        completion: ModelNames.completion)
    var model: String

    @OptionGroup var computing: ComputingArguments

    @Option(name: .shortAndLong, help: ArgumentHelp("What the documents should answer.", valueName: "text"))
    var query: String?

    @Option(
        help: ArgumentHelp("What counts as relevant, in a sentence. (default: the style's)", valueName: "task"))
    var instruct: String?

    @Option(help: ArgumentHelp("Print only the best N.", valueName: "n"))
    var topN: Int?

    @Flag(help: "Print logit differences instead of probabilities.")
    var rawScores = false

    @Option(
        help: ArgumentHelp(
            "model: the file's own prompt, else the card's. card: the model card's. eval: that of the published tables.",
            valueName: "style"))
    var promptStyle: PromptStyle = .model

    @Option(
        help: ArgumentHelp(
            "Form of the output. (default: text with --query, jsonl without)", valueName: "format"))
    var format: Format?

    @Flag(help: "Cut documents that are too long for the model, instead of rejecting them.")
    var truncate = false

    @OptionGroup var input: InputArguments
    @OptionGroup var output: OutputArguments

    @Argument(help: "Documents to score.")
    var document: [String] = []

    func validate() throws {
        if let topN, topN < 1 { throw ValidationError("--top-n must be at least 1") }
        if topN != nil, query == nil { throw ValidationError("--top-n sorts, which needs one --query for all") }
        if query == nil, !document.isEmpty { throw ValidationError("documents need a --query") }
    }

    func run() async throws {
        let source = try input.source(arguments: document, what: query == nil ? "pairs" : "documents")
        let file = try OutputFile(path: output.output, inputs: source.paths + [try? modelPath(model)])
        let reader = try RecordReader(
            source, options: input.reading(columns: columns), parser: parser, note: { Terminal.say($0) })
        var writer = ScoreWriter(
            format: format ?? (query == nil ? .jsonl : .text), rawScores: rawScores, output: file,
            isFile: output.output.map { $0 != "-" } ?? false)
        let reranker = try opening(model, copying: computing.noMmap) {
            try Reranker(file: $0, options: computing.options)
        }
        reranker.role.announce(use: .reranker, of: reranker.model)
        var rejections = Rejections(strict: input.strict || source.isArguments)
        let progress = RunProgress()
        var (ranking, ready): ([ScoreRow], [ScoreRow]) = ([], [])
        let (hasQuery, keepsTexts) = (query != nil, query != nil)

        let results = reranker.results(
            for: RecordStream(reader), pair: { try? $0.content.get() },
            options: RerankOptions(style: promptStyle, instruction: instruct, truncates: truncate),
            progress: { progress.show($0, upTo: $1.fraction) }
        ).makeAsyncIterator()
        while let (record, result) = try await results.next() {
            let score = try rejections.output(of: record, result)
            progress.count(tokens: score?.tokenCount ?? 0, fraction: record.fraction)
            if let score {
                let text = keepsTexts ? try? record.content.get().document : nil
                ready.append(ScoreRow(index: record.index, id: record.id, score: score, text: text))
            }
            guard !results.hasElementAtHand else { continue }
            if hasQuery { ranking += ready } else { try writer.write(ready) }
            ready = []
        }
        // Sorting is stable, so equal scores keep the order of the input.
        ranking.sort { $0.score.margin > $1.score.margin }
        progress.finish()
        try writer.write(Array(ranking.prefix(topN ?? ranking.count)))
        try writer.finish()
        if writer.rowCount == 0, rejections.count == 0 { Terminal.say("the input is empty: there is nothing to score") }
        if let path = output.output, path != "-", writer.rowCount > 0 {
            Terminal.say("\(writer.rowCount) scores in \(path); \((progress.elapsed / .seconds(1)).fixed(1)) s")
        }
        try rejections.finish()
    }

    /// Columns that a table must have.
    private var columns: [String] { query == nil ? ["query", "document"] : [input.textColumn ?? "text"] }

    /// Documents for the one query, or pairs that bring their own.
    private var parser: RecordParser<RerankPair> {
        guard let query else {
            return RecordParser(
                text: { _ throws(BadRecord) in
                    throw BadRecord(message: "not a pair; give a --query, or {\"query\", \"document\"} in each record")
                },
                fields: { fields throws(BadRecord) in
                    RerankPair(
                        query: try fields.text("query"), document: try fields.text("document"),
                        instruction: fields.optionalText("instruction"))
                })
        }
        let documents = RecordParser<String>.documents(column: input.textColumn)
        return documents.map { RerankPair(query: query, document: $0) }
    }
}
