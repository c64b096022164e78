// How a request says what its texts are for.
#if Server
import Q3Embedding

/// What is put before a text.
public enum TextPrompt: Sendable, Equatable {
    /// Nothing.
    case document
    /// A query for a task; nil is web search, the task of the model card.
    case query(task: String?)
    /// The given characters, as Text Embeddings Inference's `--default-prompt`.
    case verbatim(String)

    /// The prompt of a name in `config_sentence_transformers.json`, of Cohere's `input_type` or Jina's `task`; nil for
    /// another name.
    ///
    /// The model was trained with an instruction on queries and none on documents, so classification and clustering
    /// without an instruction of their own are embedded as documents.
    public init?(name: String) {
        switch name.lowercased() {
        case "query", "search_query", "web_search_query", "retrieval.query": self = .query(task: nil)
        case "document", "passage", "corpus", "search_document", "retrieval.passage", "text-matching", "separation",
            "classification", "clustering", "":
            self = .document
        default: return nil
        }
    }

    /// The text as a model reads it.
    func applied(to text: String, for embedder: Embedder?) -> String {
        switch self {
        case .query(let task):
            Self.prompted(text, as: .query(task: task ?? Prompt.defaultTask), for: embedder)
        case .document: Self.prompted(text, as: .document, for: embedder)
        case .verbatim(let prefix): prefix + text
        }
    }

    /// As an embedder reads it; a reranker has no prompts of its own.
    private static func prompted(_ text: String, as prompt: Prompt, for embedder: Embedder?) -> String {
        embedder?.prompted(text, as: prompt) ?? prompt.applied(to: text)
    }
}

extension TextPrompt {
    /// The prompt that a field of a request names.
    init?(named name: String?, field: String) throws(APIError) {
        guard let name else { return nil }
        guard let prompt = TextPrompt(name: name) else {
            throw .invalid(field, "\"\(field)\" \"\(name.prefix(100))\" is unknown; there are query and document")
        }
        self = prompt
    }
}
#endif
