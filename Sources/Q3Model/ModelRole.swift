// What a checkpoint was made for, inferred from metadata, never from vectors.
public import Q3GGUF
import Q3System

/// What a GGUF file was made for, and what in the file says so.
public struct ModelRole: Sendable, Equatable {
    public enum Kind: String, Sendable {
        case embedding, reranker
        /// A causal language model that says neither; both heads accept it.
        case unstated
    }

    public let kind: Kind
    /// The key, tensor or name that decided, ready for a message.
    public let evidence: String

    /// The first sign that is present decides; what a converter writes on purpose comes before names.
    public init(of file: GGUFFile) throws(GGUFError) {
        let metadata = file.metadata
        let pooling = try metadata.optionalUInt32(Key.poolingType)
        var names: [(key: String, text: String, folded: String)] = []
        for key in [Key.name, Key.baseName] {
            guard let name = try metadata.optionalString(key) else { continue }
            names.append((key, name.escapedForTerminal, name.lowercased()))
        }
        let classifier = Qwen3Schema.Tensor(.classifier).name
        if pooling == Pooling.rank.rawValue {
            self.init(.reranker, "\(Key.poolingType) is 4 (rank)")
        } else if file.tensor(named: classifier) != nil {
            self.init(.reranker, "it has a \(classifier)")
        } else if metadata.value(Key.labels) != nil {
            self.init(.reranker, "it has \(Key.labels)")
        } else if metadata.value("tokenizer.chat_template.rerank") != nil {
            self.init(.reranker, "it has a tokenizer.chat_template.rerank")
        } else if let name = names.first(where: { $0.folded.contains("rerank") }) {
            self.init(.reranker, "\(name.key) is \"\(name.text)\"")
        } else if let pooling, pooling != Pooling.none.rawValue {
            self.init(.embedding, "\(Key.poolingType) is \(pooling)")
        } else if let name = names.first(where: { $0.folded.contains("embed") }) {
            self.init(.embedding, "\(name.key) is \"\(name.text)\"")
        } else {
            self.init(.unstated, "no pooling type, classifier or telling name")
        }
    }

    private typealias Key = Qwen3Schema.Key

    private init(_ kind: Kind, _ evidence: String) {
        self.kind = kind
        self.evidence = evidence
    }
}
