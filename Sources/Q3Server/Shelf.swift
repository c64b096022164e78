// The models that are served, by name.
#if Server
    public import Q3Embedding
    public import Q3Model
    public import Q3Reranking
    import Q3Tokenizer
    import Synchronization

    /// A model and the name that clients call it by.
    public struct ServedModel: Sendable {
        public enum Head: Sendable {
            case embedder(Embedder)
            case reranker(Reranker)
        }

        public let name: String
        public let head: Head
        /// When the file was written, in seconds since 1970.
        public let created: Int

        public init(name: String, head: Head, created: Int) {
            self.name = name
            self.head = head
            self.created = created
        }

        public var model: Qwen3Model {
            switch head {
            case .embedder(let embedder): embedder.model
            case .reranker(let reranker): reranker.model
            }
        }

        var tokenizer: Tokenizer {
            switch head {
            case .embedder(let embedder): embedder.tokenizer
            case .reranker(let reranker): reranker.tokenizer
            }
        }

        var takesInstructions: Bool {
            if case .embedder(let embedder) = head { embedder.takesInstructions } else { true }
        }

        var isEmbedder: Bool { if case .embedder = head { true } else { false } }
    }

    /// The models and whether they can be used yet, or still.
    final class Shelf: Sendable {
        enum Phase: Sendable {
            case loading, ready, draining
        }

        private struct State {
            var phase = Phase.loading
            var models: [ServedModel] = []
            var isChanged = false
        }

        private let state = Mutex(State())
        private let strict: Bool
        /// Tells once that a model's file is not what it was.
        let changes: AsyncStream<Void>
        private let changed: AsyncStream<Void>.Continuation

        init(strict: Bool) {
            self.strict = strict
            (changes, changed) = AsyncStream.makeStream()
        }

        var phase: Phase { state.withLock { $0.phase } }

        func fill(_ models: [ServedModel]) {
            state.withLock {
                $0.models = models
                if $0.phase == .loading { $0.phase = .ready }
            }
        }

        var isChanged: Bool { state.withLock { $0.isChanged } }

        /// A changed file can only give wrong answers, so nothing is answered from now on.
        func fileChanged() {
            state.withLock { $0.isChanged = true }
            changed.yield()
        }

        func drain() { state.withLock { $0.phase = .draining } }

        /// All models, once they are there.
        func models() throws(Fault) -> [ServedModel] {
            let state = state.withLock { $0 }
            switch state.phase {
            case .loading: throw Fault(.unavailable, "the model is being loaded")
            case .draining: throw Fault(.unavailable, "the server is ending")
            case .ready: return state.models
            }
        }

        func embedder(_ name: String?) throws(Fault) -> (served: ServedModel, embedder: Embedder) {
            let served = try model(name, orElse: \.isEmbedder)
            guard case .embedder(let embedder) = served.head else {
                throw Fault(
                    .wrongTask, "model \(served.name) is a reranker: it gives scores, not vectors", param: "model")
            }
            return (served, embedder)
        }

        func reranker(_ name: String?) throws(Fault) -> (served: ServedModel, reranker: Reranker) {
            let served = try model(name) { !$0.isEmbedder }
            guard case .reranker(let reranker) = served.head else {
                throw Fault(
                    .wrongTask, "model \(served.name) is not a re-ranker model: it gives vectors, not scores",
                    param: "model")
            }
            return (served, reranker)
        }

        /// The model of a name, or the first one that fits where the name means none that is served.
        func model(_ name: String?, orElse fits: (ServedModel) -> Bool) throws(Fault) -> ServedModel {
            let models = try models()
            if let name {
                let bare = name.hasSuffix(":latest") ? String(name.dropLast(7)) : name
                if let named = models.first(where: { $0.name.utf8.elementsEqual(bare.utf8) }) { return named }
                if strict {
                    throw Fault(.noSuchModel, "model \"\(name.prefix(100))\" is not served here", param: "model")
                }
            }
            guard let model = models.first(where: fits) ?? models.first else {
                throw Fault(.noSuchModel, "no model is served here", param: "model")
            }
            return model
        }
    }
#endif
