// q3 search: a query and documents in, the documents that answer it out, best first.
import ArgumentParser
import Q3Embedding
import Q3Input
import Q3Model
import Q3Reranking
import Q3System

struct SearchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "search",
        abstract: "Finds the documents that answer a query.",
        usage: "q3 search QUERY --input DOCUMENTS|--index INDEX [OPTION ...]",
        discussion: """
            Documents are lines of which blank ones are left out, JSON lines or a JSON list
            of {"id"?, "title"?, "text"}, or CSV or TSV with such columns; a corpus in
            BEIR's layout, whose ids are called "_id", is read as it is. A document counts
            by the cosine of its vector and the query's. With --reranker the best
            --candidates are read again beside the query, and its score counts. Every
            document is embedded anew: only the best are held in memory.

            With --index the documents are those of an index ('q3 index --help'), which are
            embedded already. A line of text is then score, file:line as it is opened from
            here, and the headings above the chunk, and below it a snippet. The exit status
            is 0 where something is found, 1 where nothing is, and more for errors.

            A line of text is score, id (or number of the record) and the document, with
            tabs between; on a terminal it has a rank and fits the width. A jsonl line is
            {"index", "id"?, "score", "similarity", "text"}, where similarity is the cosine
            and score what sorted the list.

            EXAMPLES
              q3 search "web server with small memory footprint" -i corpus.jsonl
              q3 search "capital of China" -m embedding.gguf -r reranker.gguf -i docs.txt
              q3 search "rotate keys" --index notes.q3i --where 'path:docs/**' --group
              q3 search "refund" -i tickets.csv --text-column body --id-column ticket
              ls | q3 search -m embedding.gguf "holiday pictures" --top-n 3 --format jsonl
            """)

    enum Format: String, CaseIterable, ExpressibleByArgument {
        case text, jsonl
    }

    @OptionGroup var model: ModelArguments
    @OptionGroup var adapted: AdapterArguments

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "A reranker that orders the best once more: a GGUF file, or a name from 'q3 list'.", valueName: "model"),
        completion: ModelNames.completion)
    var reranker: String?

    @Option(help: ArgumentHelp("Documents that the reranker reads.", valueName: "n"))
    var candidates = 100

    @Option(help: ArgumentHelp("The search's task, in a sentence. (default: web search)", valueName: "task"))
    var instruct: String?

    @Option(help: ArgumentHelp("Values of each vector to compare. (default: all)", valueName: "n"))
    var dimensions: Int?

    @Option(help: ArgumentHelp("Print the best N.", valueName: "n"))
    var topN = 10

    @Option(help: ArgumentHelp("Form of the output.", valueName: "format"))
    var format: Format = .text

    @Flag(help: "Cut documents that are too long for the model, instead of rejecting them.")
    var truncate = false

    #if Index
    @OptionGroup var indexed: IndexSearchArguments
    #endif
    @OptionGroup var input: InputArguments
    @OptionGroup var output: OutputArguments

    @Argument(help: "What the documents should answer.")
    var query: String

    func validate() throws {
        if topN < 1 { throw ValidationError("--top-n must be at least 1") }
        if candidates < topN { throw ValidationError("--candidates must be at least --top-n, which is \(topN)") }
    }

    func run() async throws {
        #if Index
        if let index = indexed.index {
            if !input.input.isEmpty || dimensions != nil {
                throw Failure(
                    .usage, "--index brings its documents and dimensions; leave out --input and --dimensions")
            }
            return try await search(index: index)
        }
        #endif
        let source = try input.source(arguments: [], what: "documents")
        let file = try OutputFile(
            path: output.output,
            inputs: source.paths + [try? modelPath(model.model), try? modelPath(reranker)])
        let reader = try input.documents(source, skippingBlankLines: true)
        let embedder = try model.embedder(instruct: instruct)
        let rerankModel = try model.reranker(reranker)
        let options = EmbeddingOptions(
            dimensions: dimensions, truncates: truncate, adapter: try adapted.load(for: embedder))
        let target = try await embedder.embed(query, as: .query(task: instruct ?? Prompt.defaultTask), options: options)
        var best = TopK(rerankModel == nil ? topN : candidates)
        var found: [Int: SearchHit] = [:]
        var rejections = Rejections(strict: input.strict)
        let progress = RunProgress()

        let results = embedder.results(
            for: RecordStream(reader), text: { try? $0.content.get() }, options: options,
            progress: { progress.show($0, upTo: $1.fraction) })
        for try await (record, result) in results {
            let embedding = try rejections.output(of: record, result)
            progress.count(tokens: embedding?.tokenCount ?? 0, fraction: record.fraction)
            guard let embedding, let text = try? record.content.get() else { continue }
            let similarity = target.dot(embedding)
            found[record.index] = SearchHit(
                index: record.index, id: record.id, name: record.name, text: text, similarity: similarity)
            if let left = best.insert(similarity, at: record.index) { found[left] = nil }
        }
        progress.finish()
        var hits = best.hits.compactMap { found[$0.index] }
        if hits.isEmpty, rejections.count == 0 { Terminal.say("the input is empty: there are no documents in it") }
        if let rerankModel { hits = try await reranked(hits, by: rerankModel, rejections: &rejections) }
        try write(hits.prefix(topN), to: file)
        try file.finish()
        if let path = output.output, path != "-" {
            Terminal.say("the best \(min(topN, hits.count)) documents in \(path)")
        }
        try rejections.finish()
    }

    private func reranked(
        _ hits: [SearchHit], by rerankModel: Reranker, rejections: inout Rejections
    ) async throws -> [SearchHit] {
        let results = try await rerankModel.results(
            for: hits.map { RerankPair(query: query, document: $0.text) },
            options: RerankOptions(instruction: instruct, truncates: truncate))
        var judged: [(hit: SearchHit, margin: Float)] = []
        for (var hit, result) in zip(hits, results) {
            switch result {
            case .success(let score):
                hit.score = score.score
                judged.append((hit, score.margin))
            case .failure(let error):
                let failure = Failure(error)
                try rejections.add(hit.name, failure.message ?? "", status: failure.status)
            }
        }
        return judged.sorted { $0.margin > $1.margin }.map(\.hit)
    }

    private func write(_ hits: ArraySlice<SearchHit>, to file: OutputFile) throws {
        switch format {
        case .text:
            let lines = ResultLines(toFile: output.output.map { $0 != "-" } ?? false, digits: 3)
            let rows = hits.map { hit in
                RankedText(score: hit.score, label: hit.id?.text ?? "\(hit.index + 1)", text: hit.text)
            }
            try file.write(Array(lines.text(rows).utf8))
        case .jsonl:
            var text = JSONText()
            for hit in hits {
                text.append("{\"index\":\(hit.index)")
                text.append(idField: hit.id)
                text.append(",\"score\":\(hit.score),\"similarity\":\(hit.similarity),\"text\":")
                text.append(quoted: hit.text)
                text.append("}\n")
            }
            try file.write(text.bytes)
        }
    }
}

/// A document among the best.
private struct SearchHit {
    let index: Int
    let id: RecordID?
    /// Where it stands, for messages.
    let name: String
    let text: String
    /// Cosine of the document's vector and the query's.
    let similarity: Float
    /// What the list is sorted by.
    var score: Float

    init(index: Int, id: RecordID?, name: String, text: String, similarity: Float) {
        (self.index, self.id, self.name, self.text) = (index, id, name, text)
        self.similarity = similarity
        score = similarity
    }
}
