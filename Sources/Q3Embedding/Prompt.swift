// What is put before a text before it is encoded: as a rule nothing for documents, an instruction for queries.

import Q3Model

/// What a text is for, which decides the prompt around it.
///
/// The model was trained with instructions on queries only, so an index holds `.document` vectors and is searched with
/// `.query` vectors. Symmetric tasks (duplicates, clustering, classification) use the same `.query(task:)` on both
/// sides.
public enum Prompt: Sendable, Equatable {
    /// The text itself, after the file's prompt for documents where it has one.
    case document
    /// The text after `Instruct: {task}` on a line of its own, or after the file's own prompt for queries.
    case query(task: String = Prompt.defaultTask)

    /// The task of the model card, for web search.
    public static let defaultTask = Qwen3Schema.webSearchTask

    /// The query form with its two holes, as `q3 info` shows it and as the fingerprint records it.
    public static let queryTemplate = Prompt.query(task: "{task}").applied(to: "{text}")

    /// The text as the model reads it. No space follows `Query:`; the model was trained without one.
    public func applied(to text: String) -> String {
        switch self {
        case .document: text
        case .query(let task): "Instruct: \(task)\nQuery:\(text)"
        }
    }
}
