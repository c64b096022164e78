// How a request says what its texts are for.
#if Server
import Q3Embedding

/// What is put before a text.
public enum TextPrompt: Sendable, Equatable {
    case document
    /// A query for a task; nil is web search, the task of the model card.
    case query(task: String?)
    /// The given characters, as Text Embeddings Inference's `--default-prompt`.
    case verbatim(String)

    /// The prompt of a name in `config_sentence_transformers.json`, of Cohere's `input_type` or Jina's `task`; nil for another name.
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

    /// The text as a model reads it: not all take instructions.
    func applied(to text: String, takesInstructions: Bool) -> String {
        switch self {
        case .query(let task) where takesInstructions:
            Prompt.query(task: task ?? Prompt.defaultTask).applied(to: text)
        case .document, .query: Prompt.document.applied(to: text)
        case .verbatim(let prefix): prefix + text
        }
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
