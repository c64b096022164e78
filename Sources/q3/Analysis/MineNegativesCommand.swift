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

    @OptionGroup var choosing: NegativeArguments

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
        if format == .beir, output.output ?? "-" == "-" { throw ValidationError("--format beir needs --output FOLDER") }
    }

    func run() async throws {
        let pairs = try TrainingPairs.read(
            input, corpus: corpus, query: queryColumn, positive: positiveColumn)
        let file = format == .beir ? nil : try OutputFile(path: output.output, inputs: pairs.paths)
        let embedder = try model.embedder(instruct: instruct)
        let rerankModel = try model.reranker(reranker)
        let queryPrompt = instruct.map { Prompt.query(task: $0) } ?? .query()
        let limits = EmbeddingOptions(truncates: truncate)
        let queries = try await listVectors(of: pairs.queries, as: queryPrompt, with: embedder, options: limits)
        let passages = try await listVectors(of: pairs.passages, as: .document, with: embedder, options: limits)

        let count = choosing.numNegatives
        var options = choosing.options
        options.threads = model.computing.threads
        let progress = AnalysisProgress(rerankModel == nil ? "searching" : "reranking")
        if rerankModel == nil { options.progress = progress.show }
        try await AnalysisProgress.announce(queries, with: passages, threads: options.threads)
        let rescore = rerankModel.map { rescoring(by: $0, pairs, progress) }
        let mined = try await HardNegatives.mine(
            queries: queries, passages: passages, positives: pairs.positives, options: options, rescore: rescore)
        progress.finish()
        let writer = NegativeWriter(
            queries: pairs.queries, passages: pairs.passages, count: count, hasScores: outputScores)
        let written: Int
        if let file {
            var lines = OutputLines(file)
            var count = 0
            for (query, found) in mined.enumerated() {
                for line in writer.lines(of: query, found, format) {
                    try lines.append(line)
                    count += 1
                }
            }
            try lines.flush()
            try file.finish()
            written = count
        } else {
            written = try writer.writeBEIR(mined, to: output.output ?? "", inputs: pairs.paths)
        }
        let short = mined.count { $0.negatives.count < count }
        Terminal.say(
            "\(written) lines for \(pairs.queries.count) queries and \(pairs.passages.count) passages"
                + (short > 0 ? "; \(short) queries have fewer than \(count) negatives" : ""))
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
}
