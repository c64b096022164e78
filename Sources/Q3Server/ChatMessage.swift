// A conversation as Qwen3's chat template writes it, for vLLM's `messages`.
#if Server
import Q3Tokenizer

/// One turn: a role and a text, or parts of type `text`.
struct ChatMessage: Decodable, Sendable {
    private struct Part: Decodable {
        var type: String
        var text: String?
    }

    private enum Key: CodingKey { case role, content }

    let role: String
    let text: String

    init(from decoder: any Decoder) throws {
        let object = try decoder.container(keyedBy: Key.self)
        role = try object.decode(String.self, forKey: .role)
        if let text = try? object.decode(String.self, forKey: .content) {
            self.text = text
            return
        }
        let path = (decoder.codingPath + [Key.content]).field
        guard let parts = try? object.decode([Part].self, forKey: .content), parts.allSatisfy({ $0.type == "text" })
        else { throw APIError.invalid(path, "\"\(path)\" must be a string, or parts of type text") }
        text = parts.compactMap(\.text).joined()
    }

    /// The ids of the whole conversation. The marks of the turns are control tokens; nothing in a text is.
    static func tokens(_ messages: [ChatMessage], _ tokenizer: Tokenizer, asksForAnswer: Bool) -> [Int32] {
        let (start, end) = ("<|im_start|>", "<|im_end|>")
        var ids = messages.flatMap { message in
            tokenizer.encode(start, parseSpecial: true) + tokenizer.encode("\(message.role)\n\(message.text)")
                + tokenizer.encode("\(end)\n", parseSpecial: true)
        }
        if asksForAnswer { ids += tokenizer.encode("\(start)assistant\n", parseSpecial: true) }
        return ids
    }
}
#endif
