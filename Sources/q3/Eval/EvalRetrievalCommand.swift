// q3 eval retrieval: how well queries find their documents, by embeddings alone and with a reranker.
import ArgumentParser
import Q3Embedding
import Q3Eval
import Q3Input
import Q3Model
import Q3Reranking
import Q3System

struct EvalRetrievalCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retrieval",
        abstract: "Measures search: nDCG, MAP, recall, precision, MRR and hit rate.",
        usage: "q3 eval retrieval FOLDER [--model FILE] [--reranker FILE] [OPTION ...]",
        discussion: """
            FOLDER has BEIR's layout: corpus.jsonl ({"_id", "title"?, "text"}),
            queries.jsonl ({"_id", "text"}) and qrels/SPLIT.tsv (query-id, corpus-id and
            score, with tabs between). Queries without a grade in the split are left out.

            Every document is compared with every query. Equal scores are ranked by id,
            descending, as trec_eval does. With --reranker the first documents of each
            query are scored again and the others stay after them; results before and
            after are reported. Folders with the names of BEIR's data sets (scifact,
            nfcorpus, ...) have the instructions of those.

            EXAMPLES
              q3 eval retrieval Benchmarks/packages --truncate
              q3 eval retrieval scifact -m embedding.gguf
              q3 eval retrieval scifact -m embedding.gguf --reranker reranker.gguf
              q3 eval retrieval laws -m embedding.gguf --adapter laws-adapter.gguf
              q3 eval retrieval packages -m embedding.gguf -o packages.json \\
                --instruct "Given what a program does, retrieve its description"
            """)

    @Argument(help: "The folder of the data set.", completion: .directory)
    var folder: String

    @OptionGroup var arguments: EvalArguments

    @Flag(help: "Leave the document with the query's own id out of its results, as for ArguAna and Quora.")
    var ignoreIdenticalIds = false

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Rerank with this model: a GGUF file, or a name from 'q3 list'.", valueName: "model"),
        completion: ModelNames.completion)
    var reranker: String?

    @Option(help: "How many documents of each query to rerank.")
    var topN: Int = 100

    @Option(help: "What counts as relevant, for the reranker. (default: the queries' instruction)")
    var rerankInstruct: String?

    @Option(
        help: """
            model: the prompt that the file carries, or else the model card's. card: the model card's. eval: the prompt \
            behind the published tables.
            """)
    var promptStyle: PromptStyle = .model

    func validate() throws {
        if topN < 1 { throw ValidationError("--top-n must be at least 1") }
        if reranker == nil, rerankInstruct != nil { throw ValidationError("--rerank-instruct needs a --reranker") }
    }

    func run() async throws {
        let files = ["corpus.jsonl", "queries.jsonl", "qrels/\(arguments.split).tsv"].map { "\(folder)/\($0)" }
        var report = try EvalReport(
            arguments, data: folder, inputs: files + [reranker].compactMap { try? modelPath($0) })
        let data = try BEIRFolder(folder, split: arguments.split)
        let embedder = try arguments.openEmbedder()
        let rerankModel = try reranker.map { path in
            try opening(path, copying: arguments.model.noMmap) {
                try Reranker(file: $0, options: arguments.model.computing.rerankerOptions)
            }
        }
        let progress = RunProgress()
        let task = TaskInstruction.retrieval(dataset: arguments.taskName(of: folder))
        let instruction = try arguments.instruction(task, for: embedder)
        // A model that takes no instructions has a prompt of its own, whatever the task.
        let queryTask = embedder.takesInstructions ? instruction : task
        var texts = try TextVectors(
            arguments, embedder: embedder, progress: progress, textCount: data.queries.count + data.documentIDs.count,
            queries: queryTask)

        let queries = try await texts.vectors(of: data.queries.map(\.text), as: queryTask) { data.queries[$0].name }
        let (corpus, documents) = try await embed(
            data, with: &texts, as: instruction.flatMap { $0.isSymmetric ? $0 : nil }, keepingTexts: rerankModel != nil)
        var rankings = try await search(corpus, queries, data)
        let first = scores(of: rankings, data)
        var final: RetrievalScores?
        report.note(texts, as: instruction)
        progress.finish()
        if let rerankModel {
            rankings = try await rerank(rankings, with: rerankModel, documents, data, instruction?.text)
            final = scores(of: rankings, data)
            report.note("reranker", reranker ?? "")
        }
        try write(report, first: first, final: final, data)
    }

    /// The vectors of the corpus, and its texts if a reranker will read them.
    private func embed(
        _ data: BEIRFolder, with texts: inout TextVectors, as instruction: TaskInstruction?, keepingTexts: Bool
    ) async throws -> (Vectors, [String]) {
        var documents: [String] = []
        let corpus = try await texts.vectors(
            of: EvalData.reader(of: data.corpusPath, parser: .beir(titles: true)), as: instruction,
            capacity: data.documentIDs.count
        ) {
            if keepingTexts { documents.append($0) }
        }
        guard corpus.count == data.documentIDs.count else {
            throw Failure(.inputOutput, "\(data.corpusPath) changed while it was read")
        }
        return (corpus, documents)
    }

    /// The first documents of each query, as many as any measure looks at.
    private func search(_ corpus: Vectors, _ queries: Vectors, _ data: BEIRFolder) async throws -> [[Hit]] {
        let limit = min(max(RetrievalScores.cuts.max() ?? 0, topN), corpus.count)
        let rankings = try await Search.nearest(limit + 1, of: corpus, to: queries, tieRanks: data.tieRanks)
        return zip(rankings, data.queries).map { hits, query in
            let kept = ignoreIdenticalIds ? hits.filter { data.documentIDs[$0.index] != query.id } : hits
            return Array(kept.prefix(limit))
        }
    }

    /// Each query's first documents in the order of the reranker's scores, before the others.
    private func rerank(
        _ rankings: [[Hit]], with rerankModel: Reranker, _ documents: [String], _ data: BEIRFolder,
        _ instruction: String?
    ) async throws -> [[Hit]] {
        let options = RerankOptions(
            style: promptStyle, instruction: rerankInstruct ?? instruction, truncates: arguments.truncate)
        let tieRanks = data.tieRanks
        let progress = RunProgress()
        var tokenCount = 0
        var reranked: [[Hit]] = []
        for (index, hits) in rankings.enumerated() {
            let fraction = Double(index + 1) / Double(rankings.count)
            let candidates = hits.prefix(topN)
            let query = data.queries[index]
            let results = try await rerankModel.results(
                for: candidates.map { RerankPair(query: query.text, document: documents[$0.index]) }, options: options,
                progress: { [tokenCount] value in
                    progress.show(
                        Progress(completed: tokenCount + value.completed, total: tokenCount + value.total),
                        upTo: fraction)
                })
            var scored: [Hit] = []
            for (hit, result) in zip(candidates, results) {
                switch result {
                case .success(let score):
                    scored.append(Hit(index: hit.index, score: score.margin))
                    tokenCount += score.tokenCount
                    progress.count(tokens: score.tokenCount, fraction: fraction)
                case .failure(let error):
                    let pair = "query \(query.id.text) with document \(data.documentIDs[hit.index].text)"
                    let failure = Failure(error)
                    throw Failure(failure.status, "\(pair): \(failure.message ?? "")")
                }
            }
            scored.sort { $0.score == $1.score ? tieRanks[$0.index] < tieRanks[$1.index] : $0.score > $1.score }
            reranked.append(scored + hits.dropFirst(topN))
        }
        progress.finish()
        return reranked
    }

    private func scores(of rankings: [[Hit]], _ data: BEIRFolder) -> RetrievalScores {
        var scores = RetrievalScores()
        for (hits, grades) in zip(rankings, data.grades) {
            scores.add(ranked: hits.map { grades[$0.index] ?? 0 }, judged: Array(grades.values))
        }
        return scores
    }

    private func write(
        _ report: EvalReport, first: RetrievalScores, final: RetrievalScores?, _ data: BEIRFolder
    ) throws {
        let counts = "\(data.queries.count) queries, \(data.documentIDs.count) documents"
        let title = final == nil ? counts : "\(counts), by embeddings alone:"
        var table = [title] + Self.table(first)
        if let final { table += ["", "with the first \(topN) of each query reranked:"] + Self.table(final) }
        let before = EvalReport.json(Self.named(first)).description
        try report.write(
            main: "ndcg_at_10", scores: Self.named(final ?? first),
            details: final == nil ? [] : [("before_reranking", before)], table: table)
    }

    private static func named(_ scores: RetrievalScores) -> EvalReport.Scores {
        RetrievalScores.Measure.allCases.flatMap { measure in
            RetrievalScores.cuts.map { (name: "\(measure.rawValue)_at_\($0)", value: scores[measure, at: $0]) }
        }
    }

    private static func table(_ scores: RetrievalScores) -> [String] {
        let columns = [(title: "", width: -10)] + RetrievalScores.cuts.map { (title: "@\($0)", width: 7) }
        let table = Table(columns: columns)
        return [table.header]
            + RetrievalScores.Measure.allCases.map { measure in
                let values = RetrievalScores.cuts.map { EvalReport.decimals(scores[measure, at: $0]) }
                return table.line([measure.rawValue] + values)
            }
    }
}
