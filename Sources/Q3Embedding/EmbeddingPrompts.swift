// The prompts in a file, as sentence-transformers names them.
package import Q3GGUF
import Q3Model

/// What a model puts before texts. sentence-transformers' `config_sentence_transformers.json` has these prompts by
/// name; `q3 convert` stores them under `Qwen3Schema.Key.prompt`.
package struct EmbeddingPrompts: Sendable, Equatable {
    /// Before queries; nil means the instruction of Qwen3-Embedding, with the task of the call.
    package let query: String?
    /// The task of queries that name none; the model card's where the file has no other.
    package let defaultTask: String
    /// Before documents; mostly empty.
    package let document: String

    /// The longest prompt, in bytes: enough for a long instruction, too little for another document.
    private static let byteLimit = 1 << 14
    /// Names that sentence-transformers looks up for documents, in this order.
    private static let documentNames = ["document", "passage", "corpus"]

    /// Throws `GGUFError` for prompts of another type, `ModelError` for one that is too long.
    package init(of metadata: Metadata) throws {
        func prompt(_ name: String) throws -> String? {
            let key = Qwen3Schema.Key.prompt(name)
            guard let text = try metadata.optionalString(key) else { return nil }
            guard text.utf8.count <= Self.byteLimit else {
                throw ModelError.badValue(
                    key: key, value: "\(text.utf8.count) bytes long", expected: "at most \(Self.byteLimit)")
            }
            return text
        }
        let query = try prompt("query")
        // An instruction is a default for calls that give none, and leaves the vector space as it is.
        let task = query.flatMap(Self.task)
        self.query = task == nil ? query : nil
        defaultTask = task ?? Prompt.defaultTask
        var document: String?
        for name in Self.documentNames where document == nil { document = try prompt(name) }
        self.document = document ?? ""
    }

    /// The task in a prompt of the form "Instruct: {task}\nQuery:", nil for another prompt.
    private static func task(in prompt: String) -> String? {
        let (start, end) = ("Instruct: ", "\nQuery:")
        guard prompt.hasPrefix(start), prompt.hasSuffix(end), prompt.utf8.count > start.utf8.count + end.utf8.count
        else {
            return nil
        }
        return String(prompt.dropFirst(start.count).dropLast(end.count))
    }

    /// What a fingerprint covers: the templates of queries and, where there is one, of documents.
    var fingerprintText: String {
        (query ?? Prompt.queryTemplate) + (document.isEmpty ? "" : "\u{0}" + document)
    }

    /// How queries look, with their holes.
    package var queryTemplate: String { query.map { $0 + "{text}" } ?? Prompt.queryTemplate }
    package var documentTemplate: String { document + "{text}" }
}
