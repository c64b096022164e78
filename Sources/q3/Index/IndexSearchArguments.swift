// q3 search --index: the options of a search in an index, and the search itself.
#if Index
    public import ArgumentParser
    import Q3Embedding
    public import Q3Index
    import Q3Reranking
    import Q3System

    extension SearchMode: ExpressibleByArgument {}

    /// Options that only a search in an index has.
    struct IndexSearchArguments: ParsableArguments {
        @Option(help: "Search this index instead of documents that are embedded anew.", completion: .directory)
        var index: String?

        @Option(help: "What finds the chunks.")
        var mode: SearchMode = .hybrid

        @Option(name: .customLong("where"), help: "Only documents for which this holds: KEY=VALUE or KEY:PATTERN.")
        var filters: [String] = []

        @Flag(help: "Of each document only its best chunk.")
        var group = false

        @Option(
            help: ArgumentHelp(
                "Leave out hits with a smaller cosine that hold no word of the query.", valueName: "cosine"))
        var minSimilarity: Float?

        @Option(
            help: ArgumentHelp(
                "Time for the reranker, such as 2s or 500ms; it reads as many candidates as fit. (default: all)",
                valueName: "time"))
        var rerankBudget: String?

        func validate() throws {
            if let rerankBudget, Self.duration(rerankBudget) == nil {
                throw ValidationError("--rerank-budget must be a time such as 2s or 500ms")
            }
            if index == nil, !filters.isEmpty || group || rerankBudget != nil || minSimilarity != nil || mode != .hybrid
            {
                throw ValidationError("--where, --group, --mode, --min-similarity and --rerank-budget need --index")
            }
        }

        /// The time that a text such as `2s`, `1.5` or `500ms` says.
        static func duration(_ text: String) -> Duration? {
            let (digits, unit): (Substring, Double) =
                text.hasSuffix("ms")
                ? (text.dropLast(2), 0.001) : text.hasSuffix("s") ? (text.dropLast(), 1) : (text[...], 1)
            guard let number = Double(digits), number >= 0, number * unit <= 1e6 else { return nil }
            return .seconds(number * unit)
        }
    }

    extension SearchCommand {
        /// Searches the index at `path`.
        func search(index path: String) async throws {
            let file = try OutputFile(path: output.output, inputs: [])
            let opened = try SearchIndex(path: path)
            let named = try model.namedEmbedder(recorded: opened.configuration.model.name, adapted: adapted)
            try opened.check(named)
            try named.embedder.check(instruct: instruct)
            let rerankModel = try model.reranker(reranker)
            let search = SearchQuery(
                query, mode: indexed.mode, count: topN, filters: try indexed.filters.map { try SearchFilter($0) },
                groupsByDocument: indexed.group, leastSimilarity: indexed.minSimilarity)
            var results = try await opened.search(
                search, with: named.embedder, task: instruct ?? Prompt.defaultTask, adapter: named.adapter)
            if let rerankModel {
                results = try await results.reranked(
                    by: rerankModel, query: query, count: topN, limit: candidates,
                    budget: indexed.rerankBudget.flatMap(IndexSearchArguments.duration), instruction: instruct)
                Terminal.say(
                    "reranked \(results.rerankedCount) of \(min(candidates, results.candidates.count)) candidates")
            }
            let style = IndexHitWriter(toFile: output.output.map { $0 != "-" } ?? false)
            try file.write(results.hits.flatMap { format == .text ? style.text($0) : style.json($0) })
            try file.finish()
            // As grep has it: a script can tell whether there was anything.
            if results.hits.isEmpty { throw Failure(.noHits, nil) }
        }
    }
#endif
