// q3 mine negatives: passages that are near to a query and do not answer it.
import ArgumentParser
import Q3Analysis
import Q3Embedding
import Q3Input
import Q3Linear
import Q3Model
import Q3Reranking
import Q3System

struct MineNegativesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "negatives",
        abstract: "Finds hard negatives: near passages that are no answers.",
        usage: "q3 mine negatives --input PAIRS [--corpus PASSAGES] [OPTION ...]",
        discussion: """
            PAIRS are {"query", "positive"} in JSON lines, JSON, CSV or TSV; a query may
            have several. Negatives come from --corpus, else from the other positives.
            Options have the names and the meaning of sentence-transformers'
            mine_hard_negatives. With --reranker its scores take the place of cosines in
            the margins and limits, which drops passages that do answer the query.

            FORMATS
              triplet       {"anchor", "positive", "negative"}, sentence-transformers
              n-tuple       {"anchor", "positive", "negative_1", ...}, only where all are
              labeled-pair  {"anchor", "positive", "label": 0 or 1}
              labeled-list  {"anchor", "positive": [...], "labels": [...]}
              swift         {"messages", "positive_messages", "negative_messages"} of
                            ms-swift; swift3 its earlier {"query", "response",
                            "rejected_response"}
              beir          a folder --output: corpus.jsonl, queries.jsonl and
                            qrels/train.tsv, in which negatives have the grade 0
            --output-scores adds the scores.

            EXAMPLES
              q3 mine negatives -i pairs.jsonl -m embedding.gguf --relative-margin 0.05
              q3 mine negatives -i pairs.jsonl --corpus passages.jsonl -m embedding.gguf \\
                --reranker reranker.gguf --max-score 0.5 --format swift -o train.jsonl
            """)

    enum Sampling: String, CaseIterable, ExpressibleByArgument {
        case top, random
    }

    @OptionGroup var model: ModelArguments
    @OptionGroup var input: InputArguments

    @Option(help: ArgumentHelp("Passages to find negatives in. (default: all positives)", valueName: "file"))
    var corpus: String?

    @Option(help: ArgumentHelp("The column of the query.", valueName: "name"))
    var queryColumn = "query"

    @Option(help: ArgumentHelp("The column of the passage that answers it.", valueName: "name"))
    var positiveColumn = "positive"

    @Option(
        name: .shortAndLong, help: ArgumentHelp("A reranker, whose scores then count.", valueName: "model"),
        completion: ModelNames.completion)
    var reranker: String?

    @Option(help: ArgumentHelp("Best candidates to skip.", valueName: "n"))
    var rangeMin = 0

    @Option(help: ArgumentHelp("Candidates to look at. (default: as many as are needed)", valueName: "n"))
    var rangeMax: Int?

    @Option(help: ArgumentHelp("The largest score of a negative.", valueName: "score"))
    var maxScore: Float?

    @Option(help: ArgumentHelp("The least score of a negative.", valueName: "score"))
    var minScore: Float?

    @Option(help: ArgumentHelp("How far below its positive a negative must be.", valueName: "score"))
    var absoluteMargin: Float?

    @Option(help: ArgumentHelp("The same as a part of the positive's score, as 0.05.", valueName: "part"))
    var relativeMargin: Float?

    @Option(help: ArgumentHelp("Negatives of each query.", valueName: "n"))
    var numNegatives = 3

    @Option(help: "top: the hardest; random: drawn from the candidates.")
    var samplingStrategy: Sampling = .top

    @Option(help: ArgumentHelp("What random draws begin with.", valueName: "n"))
    var seed: UInt64 = 0

    @Option(help: ArgumentHelp("The queries' task, in a sentence. (default: web search)", valueName: "task"))
    var instruct: String?

    @Flag(help: "Cut texts that are too long for a model, instead of ending.")
    var truncate = false

    @Option(help: "The form of the output, see above.")
    var format: NegativeFormat = .triplet

    @Flag(help: "Write the scores too.")
    var outputScores = false

    @OptionGroup var output: OutputArguments

    func validate() throws {
        if numNegatives < 1 { throw ValidationError("--num-negatives must be at least 1") }
        if rangeMin < 0 { throw ValidationError("--range-min must be at least 0") }
        if let rangeMax, rangeMax - rangeMin < numNegatives {
            throw ValidationError("--range-max must leave room for --num-negatives after --range-min")
        }
        if format == .beir, output.output ?? "-" == "-" { throw ValidationError("--format beir needs --output FOLDER") }
    }

    func run() async throws {
        let pairs = try await readPairs()
        let file = format == .beir ? nil : try OutputFile(path: output.output, inputs: pairs.paths)
        let embedder = try opening(model.model, copying: model.noMmap) {
            try Embedder(file: $0, options: model.options)
        }
        embedder.role.announce(use: .embedding, of: embedder.model)
        if instruct != nil, !embedder.takesInstructions {
            throw Failure(.usage, "this model takes no instructions; leave out --instruct")
        }
        let rerankModel = try reranker.map { name in
            try opening(name, copying: model.noMmap) {
                try Reranker(file: $0, options: model.computing.rerankerOptions)
            }
        }
        let queryPrompt = instruct.map { Prompt.query(task: $0) } ?? .query()
        let limits = EmbeddingOptions(truncates: truncate)
        let queries = try await listVectors(of: pairs.queries, as: queryPrompt, with: embedder, options: limits)
        let passages = try await listVectors(of: pairs.passages, as: .document, with: embedder, options: limits)

        var options = NegativeOptions()
        (options.rangeMin, options.rangeMax) = (rangeMin, rangeMax)
        (options.maxScore, options.minScore) = (maxScore, minScore)
        (options.absoluteMargin, options.relativeMargin) = (absoluteMargin, relativeMargin)
        options.count = numNegatives
        options.samplingSeed = samplingStrategy == .random ? seed : nil
        options.threads = model.computing.threads
        let progress = AnalysisProgress(rerankModel == nil ? "searching" : "reranking")
        if rerankModel == nil { options.progress = progress.show }
        try await AnalysisProgress.announce(queries, with: passages, threads: options.threads)
        let rescore = rerankModel.map { rescoring(by: $0, pairs, progress) }
        let mined = try await HardNegatives.mine(
            queries: queries, passages: passages, positives: pairs.positives, options: options, rescore: rescore)
        progress.finish()
        let writer = NegativeWriter(
            queries: pairs.queries, passages: pairs.passages, count: numNegatives, hasScores: outputScores)
        let written: Int
        if let file {
            let lines = writer.lines(mined, format)
            for line in lines { try file.write(Array("\(line)\n".utf8)) }
            try file.finish()
            written = lines.count
        } else {
            written = try writer.writeBEIR(mined, to: output.output ?? "", inputs: pairs.paths)
        }
        let short = mined.count { $0.negatives.count < numNegatives }
        Terminal.say(
            "\(written) lines for \(pairs.queries.count) queries and \(pairs.passages.count) passages"
                + (short > 0 ? "; \(short) queries have fewer than \(numNegatives) negatives" : ""))
    }

    private func rescoring(
        by reranker: Reranker, _ pairs: TrainingPairs, _ progress: AnalysisProgress
    ) -> HardNegatives.Rescoring {
        let limits = RerankOptions(instruction: instruct, truncates: truncate)
        return { query, rows in
            progress.show(Double(query) / Double(pairs.queries.count))
            let candidates = rows.map { RerankPair(query: pairs.queries[query], document: pairs.passages[$0]) }
            return try await reranker.score(candidates, options: limits).map(\.score)
        }
    }

    private func readPairs() async throws -> TrainingPairs {
        let source = try input.source(arguments: [], what: "pairs")
        let (query, positive) = (queryColumn, positiveColumn)
        let reader = try RecordReader(
            source, options: input.reading(columns: [query, positive]),
            parser: RecordParser(
                text: { _ throws(BadRecord) -> AnsweredQuery in
                    throw BadRecord(message: "not a pair; give {\"\(query)\", \"\(positive)\"} in each record")
                },
                fields: { fields throws(BadRecord) in
                    AnsweredQuery(query: try fields.text(query), positive: try fields.text(positive))
                }), note: { Terminal.say($0) })
        var pairs = TrainingPairs(paths: source.paths + [corpus].compactMap { $0 })
        var rejections = Rejections(strict: input.strict)
        while let record = try reader.next() {
            if let pair = try rejections.content(of: record) { pairs.add(query: pair.query, positive: pair.positive) }
        }
        guard !pairs.queries.isEmpty else { throw Failure(.badData, "the input has no pairs") }
        if let corpus {
            let passages = try RecordReader(
                .files([corpus]), options: ReadingOptions(), parser: .documents(column: nil), note: { Terminal.say($0) }
            )
            while let record = try passages.next() {
                if let text = try rejections.content(of: record) { _ = pairs.passage(text) }
            }
        }
        if rejections.count > 0 { Terminal.say("\(rejections.count) records were left out, see above") }
        return pairs
    }
}

/// A query and a passage that answers it.
private struct AnsweredQuery: Sendable {
    let query: String
    let positive: String
}

/// Different queries and passages, and which passages answer which query.
struct TrainingPairs: Sendable {
    let paths: [String]
    private(set) var queries: [String] = []
    private(set) var passages: [String] = []
    /// Passages of each query, in the order of the input.
    private(set) var positives: [[Int]] = []
    private var queryRows: [ExactText: Int] = [:]
    private var passageRows: [ExactText: Int] = [:]

    init(paths: [String]) { self.paths = paths }

    mutating func add(query: String, positive: String) {
        let row = queryRows[ExactText(query)] ?? queries.count
        if row == queries.count {
            queries.append(query)
            positives.append([])
            queryRows[ExactText(query)] = row
        }
        let passage = passage(positive)
        if !positives[row].contains(passage) { positives[row].append(passage) }
    }

    /// The row of a passage, a new one if it was not there.
    mutating func passage(_ text: String) -> Int {
        if let row = passageRows[ExactText(text)] { return row }
        passageRows[ExactText(text)] = passages.count
        passages.append(text)
        return passages.count - 1
    }
}
