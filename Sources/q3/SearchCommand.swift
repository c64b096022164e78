// q3 search: a query and documents in, the documents that answer it out, best first.
import ArgumentParser
import Q3Embedding
import Q3GGUF
import Q3Input
import Q3Reranking
import Q3System

struct SearchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "search",
        abstract: "Finds the documents that answer a query.",
        usage: "q3 search QUERY [--model MODEL] [--reranker MODEL] [OPTION ...] --input DOCUMENTS",
        discussion: """
            Documents are lines, or in .jsonl {"id"?, "title"?, "text"} per line; a corpus in
            BEIR's layout, whose ids are called "_id", is read as it is. A document counts
            by the cosine of its vector and the query's. With --reranker the best
            --candidates are read again beside the query, and its score counts. Every
            document is embedded anew: only the best are held in memory.

            text is score, id (or line number) and the beginning of the document with tabs
            between; a jsonl line is {"index", "id"?, "score", "similarity", "text"}, where
            similarity is the cosine and score what sorted the list.

            EXAMPLES
              q3 search "web server with small memory footprint" -i corpus.jsonl
              q3 search "capital of China" -m embedding.gguf -r reranker.gguf -i docs.txt
              ls | q3 search -m embedding.gguf "holiday pictures" --top-n 3 --format jsonl
            """)

    enum Format: String, CaseIterable, ExpressibleByArgument {
        case text, jsonl
    }

    @OptionGroup var model: ModelArguments

    @Option(
        name: .shortAndLong, help: "A reranker that orders the best once more: a GGUF file, or a name from 'q3 list'.")
    var reranker: String?

    @Option(help: "Documents that the reranker reads.")
    var candidates = 100

    @Option(help: "The search's task, described in a sentence. (default: web search)")
    var instruct: String?

    @Option(help: "Values of each vector to compare. (default: all)")
    var dimensions: Int?

    @Option(help: "Print the best N.")
    var topN = 10

    @Option(help: "Output format.")
    var format: Format = .text

    @Flag(help: "Cut documents that are too long for the model, instead of rejecting them.")
    var truncate = false

    @OptionGroup var input: InputArguments
    @OptionGroup var output: OutputArguments

    @Argument(help: "What the documents should answer.")
    var query: String

    func validate() throws {
        if topN < 1 { throw ValidationError("--top-n must be at least 1") }
        if candidates < topN { throw ValidationError("--candidates must be at least --top-n, which is \(topN)") }
    }

    func run() async throws {
        let source = try InputSource(arguments: [], file: input.input, what: "documents")
        var records = try RecordReader(source, lossy: input.lossy, parser: .documents)
        let file = try OutputFile(
            path: output.output, inputs: [source.path, try? modelPath(model.model), try? modelPath(reranker)])
        let embedder = try opening(model.model, copying: model.noMmap) {
            try Embedder(file: $0, options: model.options)
        }
        embedder.role.announce(use: .embedding, of: embedder.model)
        if instruct != nil, !embedder.takesInstructions {
            throw Failure(.usage, "this model takes no instructions; leave out --instruct")
        }
        let judge = try reranker.map { path in
            try opening(path, copying: model.noMmap) {
                try Reranker(file: $0, options: model.computing.rerankerOptions)
            }
        }
        let options = EmbeddingOptions(dimensions: dimensions, truncates: truncate)
        let target = try await embedder.embed(
            [query], as: .query(task: instruct ?? Prompt.defaultTask), options: options)[0].vector
        var best = BestHits(limit: judge == nil ? topN : candidates)
        var rejections = Rejections(strict: input.strict)
        let progress = RunProgress()

        while let window = try records.nextWindow(rejecting: { try rejections.add($0, $1) }) {
            let results = try await embedder.results(
                for: window.records.map(\.content), options: options,
                progress: { progress.show($0, in: window.span) })
            var tokenCount = 0
            for (record, result) in zip(window.records, results) {
                switch result {
                case .success(let embedding):
                    best.insert(SearchHit(record: record, similarity: Similarity.dot(target, embedding.vector)))
                    tokenCount += embedding.tokenCount
                case .failure(let error): try rejections.add(record.name, "\(error)", status: error.exitStatus)
                }
            }
            progress.finishWindow(records: results.count, tokens: tokenCount)
        }
        progress.finish()
        var hits = best.hits
        if let judge { hits = try await reranked(hits, by: judge, rejections: &rejections) }
        try file.write(format.bytes(of: hits.prefix(topN)))
        try file.finish()
        try rejections.finish()
    }

    private func reranked(
        _ hits: [SearchHit], by judge: Reranker, rejections: inout Rejections
    ) async throws -> [SearchHit] {
        let results = try await judge.results(
            for: hits.map { RerankPair(query: query, document: $0.record.content) },
            options: RerankOptions(instruction: instruct, truncates: truncate))
        var judged: [(hit: SearchHit, margin: Float)] = []
        for (var hit, result) in zip(hits, results) {
            switch result {
            case .success(let score):
                hit.score = score.score
                judged.append((hit, score.margin))
            case .failure(let error): try rejections.add(hit.record.name, "\(error)", status: error.exitStatus)
            }
        }
        return judged.sorted { $0.margin > $1.margin }.map(\.hit)
    }
}

extension RecordParser<String> {
    /// A document's title, where it has one, stands before its text, as in BEIR.
    fileprivate static var documents: Self {
        Self(
            text: { $0 },
            json: { line throws(BadRecord) in
                let text = try line.text("text")
                guard let title = line.optionalText("title"), !title.isEmpty else { return text }
                return "\(title) \(text)"
            })
    }
}

struct SearchHit {
    let record: Record<String>
    /// Cosine of the document's vector and the query's.
    let similarity: Float
    /// What the list is sorted by.
    var score: Float

    init(record: Record<String>, similarity: Float) {
        self.record = record
        self.similarity = similarity
        score = similarity
    }
}

/// The most similar of all documents seen so far, best first; of equals the first seen.
struct BestHits {
    let limit: Int
    private(set) var hits: [SearchHit] = []

    init(limit: Int) { self.limit = limit }

    mutating func insert(_ hit: SearchHit) {
        guard hits.count < limit || hits[limit - 1].similarity < hit.similarity else { return }
        // The first place whose hit is worse, by halving.
        var (low, high) = (0, hits.count)
        while low < high {
            let middle = (low + high) / 2
            if hits[middle].similarity < hit.similarity { high = middle } else { low = middle + 1 }
        }
        if hits.count == limit { hits.removeLast() }
        hits.insert(hit, at: low)
    }
}

extension SearchCommand.Format {
    /// Characters of a document that a line of text shows.
    private static let shownCharacters = 100

    fileprivate func bytes(of hits: ArraySlice<SearchHit>) -> [UInt8] {
        var text = JSONText()
        for hit in hits {
            switch self {
            case .text:
                text.append("\(hit.score)\t")
                switch hit.record.id {
                case .text(let id): text.append(id.withControlsEscaped)
                case .number(let digits): text.append(digits)
                case nil: text.append("\(hit.record.index + 1)")
                }
                let words = hit.record.content.prefix(10 * Self.shownCharacters).split(whereSeparator: \.isWhitespace)
                let beginning = words.joined(separator: " ").prefix(Self.shownCharacters)
                text.append("\t\(String(beginning).withControlsEscaped)\n")
            case .jsonl:
                text.append("{\"index\":\(hit.record.index)")
                text.append(idField: hit.record.id)
                text.append(",\"score\":\(hit.score),\"similarity\":\(hit.similarity),\"text\":")
                text.append(quoted: hit.record.content)
                text.append("}\n")
            }
        }
        return text.bytes
    }
}
