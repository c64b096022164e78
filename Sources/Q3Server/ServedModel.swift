// A model that is served, and what every family tells about it.
#if Server
public import Q3Embedding
import Q3GGUF
public import Q3Model
public import Q3Reranking
import Q3Tokenizer

/// A model and the name that clients call it by.
public struct ServedModel: Sendable {
    /// What computes answers.
    public enum Head: Sendable {
        /// Gives vectors.
        case embedder(Embedder)
        /// Gives scores.
        case reranker(Reranker)
    }

    /// The name that clients call it by.
    public let name: String
    /// What computes answers.
    public let head: Head
    /// When the file was written, in seconds since 1970.
    public let created: Int
    /// What is put before a text that comes without a prompt of its own; nil takes the server's.
    public let prompt: TextPrompt?
    /// Adapters that requests may ask for by their names, or as the model NAME:ADAPTER.
    public let adapters: [ServedAdapter]
    /// The adapter of requests under this name.
    let adapter: ServedAdapter?

    /// A model that is open, and adapters that were made for it.
    public init(
        name: String, head: Head, created: Int, prompt: TextPrompt? = nil, adapters: [ServedAdapter] = []
    ) {
        self.init(name: name, head: head, created: created, prompt: prompt, adapters: adapters, adapter: nil)
    }

    private init(
        name: String, head: Head, created: Int, prompt: TextPrompt?, adapters: [ServedAdapter], adapter: ServedAdapter?
    ) {
        self.name = name
        self.head = head
        self.created = created
        self.prompt = prompt
        self.adapters = adapters
        self.adapter = adapter
    }

    /// The same model under another name or with another prompt.
    public func alias(_ name: String, prompt: TextPrompt?) -> ServedModel {
        ServedModel(
            name: name, head: head, created: created, prompt: prompt ?? self.prompt, adapters: adapters,
            adapter: adapter)
    }

    /// The same model under the name NAME:ADAPTER; texts that come without a prompt are queries, which is what adapters change.
    func adapted(by adapter: ServedAdapter) -> ServedModel {
        ServedModel(
            name: "\(name):\(adapter.name)", head: head, created: created,
            prompt: prompt ?? .query(task: takesInstructions ? adapter.adapter.instruction : nil), adapters: adapters,
            adapter: adapter)
    }

    /// The checkpoint under either head.
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

    var embedder: Embedder? { if case .embedder(let embedder) = head { embedder } else { nil } }

    var takesInstructions: Bool {
        if case .embedder(let embedder) = head { embedder.takesInstructions } else { true }
    }

    var isEmbedder: Bool { if case .embedder = head { true } else { false } }

    var parameterCount: Int { model.file.tensors.reduce(0) { $0 + $1.shape.reduce(1, *) } }

    /// The type that most of the weights' bytes have, such as `Q8_0`.
    var dominantType: String? {
        let sizes = Dictionary(grouping: model.file.tensors, by: \.type.name).mapValues { tensors in
            tensors.reduce(0) { $0 + $1.byteCount }
        }
        return sizes.max { ($0.value, $0.key) < ($1.value, $1.key) }?.key
    }
}

/// An adapter and the name that clients call it by.
public struct ServedAdapter: Sendable {
    /// The name that clients call it by.
    public let name: String
    /// The adapter, made for the model that serves it.
    public let adapter: EmbeddingAdapter

    /// An adapter that is open.
    public init(name: String, adapter: EmbeddingAdapter) { (self.name, self.adapter) = (name, adapter) }
}
#endif
