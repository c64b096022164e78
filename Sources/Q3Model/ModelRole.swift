// What a checkpoint was made for, told from what its file says and never from its vectors.
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
        let pooling = try metadata.optionalUInt32("qwen3.pooling_type")
        var names: [(key: String, text: String, folded: String)] = []
        for key in ["general.name", "general.basename"] {
            guard let name = try metadata.optionalString(key) else { continue }
            names.append((key, name.escapedForTerminal, name.lowercased()))
        }
        if pooling == PoolingType.rank {
            self.init(.reranker, "qwen3.pooling_type is 4 (rank)")
        } else if file.tensor(named: "cls.output.weight") != nil {
            self.init(.reranker, "it has a cls.output.weight")
        } else if metadata.value("qwen3.classifier.output_labels") != nil {
            self.init(.reranker, "it has qwen3.classifier.output_labels")
        } else if metadata.value("tokenizer.chat_template.rerank") != nil {
            self.init(.reranker, "it has a tokenizer.chat_template.rerank")
        } else if let name = names.first(where: { $0.folded.contains("rerank") }) {
            self.init(.reranker, "\(name.key) is \"\(name.text)\"")
        } else if let pooling, pooling != PoolingType.none {
            self.init(.embedding, "qwen3.pooling_type is \(pooling)")
        } else if let name = names.first(where: { $0.folded.contains("embed") }) {
            self.init(.embedding, "\(name.key) is \"\(name.text)\"")
        } else {
            self.init(.unstated, "no pooling type, classifier or telling name")
        }
    }

    private init(_ kind: Kind, _ evidence: String) {
        self.kind = kind
        self.evidence = evidence
    }
}

/// Values of `qwen3.pooling_type` as converters write them.
package enum PoolingType {
    static let none: UInt32 = 0
    package static let last: UInt32 = 3
    static let rank: UInt32 = 4
    package static let names: [UInt32: String] = [0: "none", 1: "mean", 2: "cls", 3: "last", 4: "rank"]
}
