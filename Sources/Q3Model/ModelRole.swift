// What a checkpoint was made for, inferred from metadata, never from vectors.
public import Q3GGUF
import Q3System

/// What a GGUF file was made for, and what in the file says so.
public struct ModelRole: Sendable, Equatable {
    /// What a model can be for.
    public enum Kind: String, Sendable {
        /// Made for vectors.
        case embedding
        /// Made for scores.
        case reranker
        /// A causal language model that says neither; both heads accept it.
        case unstated
    }

    /// What it was made for.
    public let kind: Kind
    /// The key, tensor or name that decided, ready for a message.
    public let evidence: String

    /// The first sign that is present decides: what a converter writes on purpose, then names, of which the model's own
    /// come before its file's and its base models'. `asked` is what the caller takes the file for; it decides where
    /// nothing but names speaks. Throws `GGUFError` for metadata of another type.
    public init(of file: GGUFFile, asked: Kind? = nil) throws(GGUFError) {
        let stated = try Self.stated(by: file)
        if let stated {
            self = stated
        } else if let asked, asked != .unstated {
            self.init(asked, "asked for as \(asked.rawValue)")
        } else {
            self = try Self.named(by: file) ?? Self(.unstated, "no pooling type, classifier or telling name")
        }
    }

    /// What keys and tensors say that are written for this purpose. Rerankers go first: many carry a pooling type
    /// besides.
    private static func stated(by file: GGUFFile) throws(GGUFError) -> Self? {
        let metadata = file.metadata
        let pooling = try metadata.optionalUInt32(Key.poolingType)
        let classifier = Qwen3Schema.Tensor(.classifier).name
        if pooling == Pooling.rank.rawValue { return Self(.reranker, "\(Key.poolingType) is 4 (rank)") }
        if file.tensor(named: classifier) != nil { return Self(.reranker, "it has a \(classifier)") }
        for key in [Key.labels, Key.rerankTemplate] where metadata.value(key) != nil {
            return Self(.reranker, "it has \(key == Key.rerankTemplate ? "a " : "")\(key)")
        }
        guard let pooling, pooling != Pooling.none.rawValue else { return nil }
        // Some converters write the pooling of vectors into rerankers too: there the name is right.
        let own = try names(of: file, [Key.name, Key.baseName])
        return own.first(where: \.saysReranker)?.reranker ?? Self(.embedding, "\(Key.poolingType) is \(pooling)")
    }

    private static func named(by file: GGUFFile) throws(GGUFError) -> Self? {
        let metadata = file.metadata
        var tiers = [try names(of: file, [Key.name, Key.baseName, Key.finetune])]
        if let tags = try metadata.optionalStringArray(Key.tags), tags.count <= 1024 {
            tiers.append(tags.makeStrings().map { Name("a tag in \(Key.tags)", $0) })
        }
        let fileName = file.path.split(separator: "/").last.map(String.init) ?? ""
        tiers.append([Name("the file's name", fileName)])
        let baseCount = min(try metadata.optionalUInt32(Key.baseModelCount) ?? 1, 16)
        tiers.append(try names(of: file, (0..<baseCount).map(Key.baseModelName)))
        for tier in tiers {
            if let name = tier.first(where: \.saysReranker) { return name.reranker }
            if let name = tier.first(where: \.saysEmbedding) { return Self(.embedding, name.evidence) }
        }
        return nil
    }

    private static func names(of file: GGUFFile, _ keys: [String]) throws(GGUFError) -> [Name] {
        var names: [Name] = []
        for key in keys {
            if let text = try file.metadata.optionalString(key) { names.append(Name(key, text)) }
        }
        return names
    }

    /// A name that may tell.
    private struct Name {
        let evidence: String
        private let folded: String

        init(_ key: String, _ text: String) {
            evidence = "\(key) is \"\(text.escapedForTerminal)\""
            folded = text.lowercased()
        }

        /// Also the names of tasks at Hugging Face. Its tag text-embeddings-inference names a server of both.
        var saysReranker: Bool { folded.contains("rerank") || folded == "text-ranking" }
        var saysEmbedding: Bool {
            folded != "text-embeddings-inference"
                && (folded.contains("embed") || ["feature-extraction", "sentence-similarity"].contains(folded))
        }
        var reranker: ModelRole { ModelRole(.reranker, evidence) }
    }

    private typealias Key = Qwen3Schema.Key

    private init(_ kind: Kind, _ evidence: String) {
        self.kind = kind
        self.evidence = evidence
    }
}
