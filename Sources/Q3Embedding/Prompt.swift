// How a text is dressed before it is encoded: documents stay as they are, queries carry an instruction.

package import Q3GGUF
import Q3Model

/// What a text is for, which decides the prompt around it.
///
/// The model was trained with instructions on queries only, so an index holds `.document` vectors and is searched with
/// `.query` vectors. Symmetric tasks (duplicates, clustering, classification) use the same `.query(task:)` on both sides.
public enum Prompt: Sendable, Equatable {
    /// The text itself.
    case document
    /// The text after `Instruct: {task}` on a line of its own.
    case query(task: String = Prompt.defaultTask)

    /// The task of the model card, for web search.
    public static let defaultTask = Qwen3Schema.webSearchTask

    /// The query form with its two holes, as `q3 info` shows it and as the fingerprint records it.
    public static let queryTemplate = Prompt.query(task: "{task}").applied(to: "{text}")

    /// Whether a model was trained with instructions: not when its file says that the prompt of queries is empty, as
    /// `config_sentence_transformers.json` would. Its queries are embedded as they are, whatever their task.
    package static func isUsed(by metadata: Metadata) throws(GGUFError) -> Bool {
        try metadata.optionalString(Qwen3Schema.Key.prompt("query")) != ""
    }

    /// The text as the model reads it. No space follows `Query:`; the model was trained without one.
    public func applied(to text: String) -> String {
        switch self {
        case .document: text
        case .query(let task): "Instruct: \(task)\nQuery:\(text)"
        }
    }
}
