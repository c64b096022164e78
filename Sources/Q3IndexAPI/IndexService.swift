// The indexes that are served, and the answer to a request, the same for HTTP and for agents.
package import Q3Embedding
package import Q3Index
package import Q3Reranking
import Q3System

/// An index that others may ask, with its model.
package struct NamedIndex: Sendable {
    /// What requests call it.
    package let name: String
    package let index: SearchIndex
    package let embedder: Embedder
    /// What requests call its model.
    package let model: String
    /// Adapters of the model that requests may ask for, by name.
    package let adapters: [String: EmbeddingAdapter]
    /// The adapter of requests that name none.
    package let adapterName: String?

    package init(
        name: String, index: SearchIndex, embedder: Embedder, model: String,
        adapters: [String: EmbeddingAdapter] = [:], adapterName: String? = nil
    ) {
        self.name = name
        self.index = index
        self.embedder = embedder
        self.model = model
        self.adapters = adapters
        self.adapterName = adapterName
    }
}

/// What is computed for a search: at once, or in a server's turn.
package struct IndexComputing: Sendable {
    package typealias Scores =
        @Sendable (_ pairs: [RerankPair], _ reranking: SearchRequest) async throws
        -> [Result<RerankScore, RerankError>]

    /// The vector of a query, of unit length and the index's dimensions.
    package let vector: @Sendable (_ request: SearchRequest, _ index: NamedIndex) async throws -> [Float]
    /// A score of each pair; nil where there is no reranker.
    package let scores: Scores?

    package init(
        vector: @escaping @Sendable (SearchRequest, NamedIndex) async throws -> [Float], scores: Scores?
    ) {
        self.vector = vector
        self.scores = scores
    }

    /// Computes with the models themselves, beside nobody else.
    package static func direct(reranker: Reranker?) -> IndexComputing {
        guard let reranker else { return IndexComputing(vector: vector, scores: nil) }
        return IndexComputing(vector: vector) { pairs, request in
            if request.reranking?.model != nil {
                throw RequestFault("reranker", "there is one reranker; leave out \"reranker\"")
            }
            let options = RerankOptions(instruction: request.instruction, truncates: true)
            return try await reranker.results(for: pairs, options: options)
        }
    }

    @Sendable private static func vector(of request: SearchRequest, for served: NamedIndex) async throws -> [Float] {
        if request.instruction != nil, !served.embedder.takesInstructions {
            throw RequestFault("instruction", "the model \(served.model) takes no instructions")
        }
        var options = EmbeddingOptions(dimensions: served.index.configuration.dimensions, truncates: true)
        if let name = request.adapter ?? served.adapterName {
            guard let adapter = served.adapters[name] else {
                throw RequestFault("adapter", "there is no adapter \"\(name.prefix(100))\" here")
            }
            options.adapter = adapter
        }
        let prompt = Prompt.query(task: request.instruction ?? Prompt.defaultTask)
        return try await served.embedder.embed([request.query.text], as: prompt, options: options)[0].vector
    }
}

/// What a search gave.
package struct SearchAnswer: Sendable {
    package let index: NamedIndex
    package let results: SearchResults
    /// The place of each hit before it was reranked, counted from 1; empty where nothing was.
    package var placesBefore: [Int] = []
    /// The cosine of each hit and each other, [hits, hits]; nil where it was not asked for.
    package var similarities: [[Float]]?
    /// How long the query's vector, the search and the reranker took.
    package var times: (vector: Duration, search: Duration, rerank: Duration)
}

/// Answers requests. It keeps nothing between them.
package struct IndexService: Sendable {
    package let indexes: [NamedIndex]
    package let computing: IndexComputing

    package init(indexes: [NamedIndex], computing: IndexComputing) {
        self.indexes = indexes
        self.computing = computing
    }

    /// The index of a name, or the first.
    package func index(_ name: String?) throws(RequestFault) -> NamedIndex {
        guard let name else {
            guard let first = indexes.first else { throw RequestFault("index", "there is no index here") }
            return first
        }
        // Names are compared by their bytes: they come from file names.
        guard let served = indexes.first(where: { $0.name.utf8.elementsEqual(name.utf8) }) else {
            let names = indexes.map { "\"\($0.name)\"" }.joined(separator: ", ")
            throw RequestFault("index", "there is no index \"\(name.prefix(100))\"; there are \(names)")
        }
        return served
    }

    package func search(_ request: SearchRequest) async throws -> SearchAnswer {
        let served = try index(request.index)
        let clock = ContinuousClock()
        guard request.reranking == nil || computing.scores != nil else {
            throw RequestFault("rerank", "there is no reranker here; leave out \"rerank\"")
        }
        let start = clock.now
        var vector: [Float]?
        if request.query.mode != .words { vector = try await computing.vector(request, served) }
        let embedded = clock.now
        var results = try await served.index.search(request.query, vector: vector)
        let searched = clock.now
        var places: [Int: Int] = [:]
        if let reranking = request.reranking, let scores = computing.scores {
            for (place, hit) in results.candidates.enumerated() { places[hit.id] = place + 1 }
            results = try await results.reranked(
                query: request.query.text, count: request.query.count, limit: reranking.candidates,
                budget: reranking.budget
            ) { pairs in try await scores(pairs, request) }
        }
        let reranked = clock.now
        var answer = SearchAnswer(
            index: served, results: results,
            times: (embedded - start, searched - embedded, reranked - searched))
        answer.placesBefore = places.isEmpty ? [] : results.hits.map { places[$0.id] ?? 0 }
        if request.givesSimilarities {
            let vectors = try await served.index.vectors(ofChunks: results.hits.map(\.id))
            answer.similarities = vectors.map { one in
                vectors.map { one.isEmpty || $0.isEmpty ? 0 : Similarity.dot(one, $0) }
            }
        }
        return answer
    }
}
