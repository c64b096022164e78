// The models that are served, by name, and whether they still are.
#if Server
import Q3Embedding
import Q3Reranking
import Synchronization

final class ModelRegistry: Sendable {
    private enum Phase {
        case serving, draining
        /// A changed file can only give wrong answers.
        case changed
    }

    private let served: [ServedModel]
    private let phase = Mutex(Phase.serving)
    private let isStrict: Bool
    /// Says once that a model's file has changed.
    let changes: AsyncStream<Void>
    private let changed: AsyncStream<Void>.Continuation

    /// - Parameter isStrict: Whether a name that is not served is an error.
    init(_ models: [ServedModel], isStrict: Bool) {
        served = models
        self.isStrict = isStrict
        (changes, changed) = AsyncStream.makeStream()
    }

    var isChanged: Bool { phase.withLock { $0 == .changed } }

    func fileChanged() {
        phase.withLock { $0 = .changed }
        changed.yield()
    }

    func drain() {
        phase.withLock { phase in
            if phase == .serving { phase = .draining }
        }
    }

    /// All models, unless the server is ending.
    func all() throws(APIError) -> [ServedModel] {
        guard phase.withLock({ $0 == .serving }) else { throw APIError(.unavailable, "the server is ending") }
        return served
    }

    func embedder(_ name: String?) throws(APIError) -> (served: ServedModel, embedder: Embedder) {
        let served = try model(name, orElse: \.isEmbedder)
        guard case .embedder(let embedder) = served.head else {
            throw APIError(
                .wrongTask, "model \(served.name) is a reranker: it gives scores, not vectors", param: "model")
        }
        return (served, embedder)
    }

    func reranker(_ name: String?) throws(APIError) -> (served: ServedModel, reranker: Reranker) {
        let served = try model(name) { !$0.isEmbedder }
        guard case .reranker(let reranker) = served.head else {
            throw APIError(
                .wrongTask, "model \(served.name) is not a re-ranker model: it gives vectors, not scores",
                param: "model")
        }
        return (served, reranker)
    }

    /// The model of a name; for no name, or one that is not served, the first that fits.
    func model(_ name: String? = nil, orElse fits: (ServedModel) -> Bool = \.isEmbedder) throws(APIError) -> ServedModel
    {
        let models = try all()
        if let name {
            if let named = named(name, in: models) { return named }
            if isStrict { throw Self.notServed(name) }
        }
        guard let model = models.first(where: fits) ?? models.first else {
            throw APIError(.noSuchModel, "no model is served here", param: "model")
        }
        return model
    }

    /// The model of exactly this name.
    func named(_ name: String) throws(APIError) -> ServedModel {
        guard let named = named(name, in: try all()) else { throw Self.notServed(name) }
        return named
    }

    /// Names are compared by their bytes. Ollama's clients add `:latest` where a name has no tag; `:query` and
    /// `:document` are for clients that can set only a name.
    private func named(_ name: String, in models: [ServedModel]) -> ServedModel? {
        if let model = models.first(where: { $0.name.utf8.elementsEqual(name.utf8) }) { return model }
        for model in models {
            for adapter in model.adapters where "\(model.name):\(adapter.name)".utf8.elementsEqual(name.utf8) {
                return model.adapted(by: adapter)
            }
        }
        for (tag, prompt) in [(":latest", nil), (":query", .query(task: nil)), (":document", .document)]
            as [(String, TextPrompt?)] where name.utf8.suffix(tag.utf8.count).elementsEqual(tag.utf8)
        {
            let bare = name.utf8.dropLast(tag.utf8.count)
            return models.first { $0.name.utf8.elementsEqual(bare) }?.alias(name, prompt: prompt)
        }
        return nil
    }

    private static func notServed(_ name: String) -> APIError {
        APIError(.noSuchModel, "model \"\(name.prefix(100))\" is not served here", param: "model")
    }
}
#endif
