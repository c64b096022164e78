// q3 rerank: a query and documents in, scores out, best first; or pairs in, scores in their order.
import ArgumentParser
import Q3Input
import Q3Reranking

struct RerankCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rerank",
        abstract: "Scores how well documents answer a query.",
        usage: "q3 rerank --model FILE [--query QUERY] [OPTION ...] [DOCUMENT ...]",
        discussion: """
            With --query, the texts are documents (in .jsonl: {"id"?, "text"}), and the
            output is sorted, best first. Without it, --input names a .jsonl file of pairs
            {"id"?, "query", "document", "instruction"?}, and the output is in their
            order.

            A score is the probability of yes, 0 to 1; --raw-scores gives the difference
            of the logits, which does not saturate. A jsonl line is {"index", "id"?,
            "score"}, with "truncated": true where a document was cut; json is a list of
            the same objects; text is score, index and id with tabs between. Whatever
            looks like a control token in a text is read as letters.

            EXAMPLES
              q3 rerank -m reranker.gguf --query "capital of China" "Beijing." "Bread."
              q3 rerank -m reranker.gguf --query "capital of China" --top-n 10 -i docs.txt
              q3 rerank -m reranker.gguf -i pairs.jsonl --raw-scores -o scores.jsonl
            """)

    enum Format: String, CaseIterable, ExpressibleByArgument {
        case json, jsonl, text
    }

    @Option(name: .shortAndLong, help: "The GGUF file of the model.")
    var model: String

    @OptionGroup var computing: ComputingArguments

    @Option(name: .shortAndLong, help: "What the documents should answer.")
    var query: String?

    @Option(help: "What counts as relevant, in a sentence. (default: the prompt style's)")
    var instruct: String?

    @Option(help: "Print only the best N.")
    var topN: Int?

    @Flag(help: "Print logit differences instead of probabilities.")
    var rawScores = false

    @Option(
        help: """
            model: the prompt that the file carries, or else the model card's. card: the model card's. eval: the prompt \
            behind the published tables.
            """)
    var promptStyle: PromptStyle = .model

    @Option(help: "Output format.")
    var format: Format = .jsonl

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
        let source = try InputSource(
            arguments: document, file: input.input, what: query == nil ? "pairs" : "documents")
        guard query != nil || source.isJSON else {
            throw Failure(.usage, "give a --query, or pairs in --input FILE.jsonl")
        }
        var records = try RecordReader(source, lossy: input.lossy, parser: parser)
        var writer = ScoreWriter(
            format: format, rawScores: rawScores,
            output: try OutputFile(path: output.output, inputs: [source.path, try? modelPath(model)]))
        let reranker = try opening(model, copying: computing.noMmap) {
            try Reranker(file: $0, options: computing.options)
        }
        reranker.role.announce(use: .reranker, of: reranker.model)
        let options = RerankOptions(style: promptStyle, instruction: instruct, truncates: truncate)
        var rejections = Rejections(strict: input.strict || source.isArguments)
        let progress = RunProgress()
        var ranking: [ScoreRow] = []

        while let window = try records.nextWindow(rejecting: { try rejections.add($0, $1) }) {
            let results = try await reranker.results(
                for: window.records.map(\.content), options: options,
                progress: { progress.show($0, in: window.span) })
            var rows: [ScoreRow] = []
            var tokenCount = 0
            for (record, result) in zip(window.records, results) {
                switch result {
                case .success(let score):
                    rows.append(ScoreRow(index: record.index, id: record.id, score: score))
                    tokenCount += score.tokenCount
                case .failure(let error): try rejections.add(record.name, "\(error)", status: error.exitStatus)
                }
            }
            progress.finishWindow(records: rows.count, tokens: tokenCount)
            if query == nil {
                try writer.write(rows)
            } else {
                ranking += rows
            }
        }
        // Sorting is stable, so equal scores keep the order of the input.
        ranking.sort { $0.score.margin > $1.score.margin }
        try writer.write(Array(ranking.prefix(topN ?? ranking.count)))
        progress.finish()
        try writer.finish()
        try rejections.finish()
    }

    /// Documents for the one query, or pairs that bring their own.
    private var parser: RecordParser<RerankPair> {
        guard let query else {
            return RecordParser(
                text: { _ throws(BadRecord) in throw BadRecord(message: "not a pair") },
                json: { line throws(BadRecord) in
                    RerankPair(
                        query: try line.text("query"), document: try line.text("document"),
                        instruction: line.optionalText("instruction"))
                })
        }
        return RecordParser(
            text: { RerankPair(query: query, document: $0) },
            json: { line throws(BadRecord) in RerankPair(query: query, document: try line.text("text")) })
    }
}
