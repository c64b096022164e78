// The ways in which clients ask for texts to be cut.
#if Server
    import Q3Embedding
    import Q3Tokenizer

    /// `truncate`: true or false, or Cohere's NONE, START and END.
    enum Truncate: Decodable, Sendable {
        case flag(Bool)
        case side(String)

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let flag = try? value.decode(Bool.self) {
                self = .flag(flag)
            } else {
                self = .side(try value.decode(String.self))
            }
        }

        func cut(field: String) throws(Fault) -> Embedder.Cut? {
            switch self {
            case .flag(let on): on ? .end : nil
            case .side(let side):
                switch side.uppercased() {
                case "NONE": nil
                case "END", "RIGHT": .end
                case "START", "LEFT": .start
                default: throw .invalid(field, "\"\(field)\" must be NONE, START or END")
                }
            }
        }
    }

    extension TextPrompt {
        init(named name: String, field: String) throws(Fault) {
            guard let prompt = TextPrompt(name: name) else {
                throw .invalid(field, "\"\(field)\" \"\(name.prefix(100))\" is unknown; there are query and document")
            }
            self = prompt
        }
    }

    extension Tokenizer {
        /// The beginning of a text that has at most so many tokens, cut between scalars.
        func prefix(of text: String, tokens count: Int) -> String {
            let pieces = encodeWithOffsets(text)
            guard pieces.count > max(0, count) else { return text }
            let utf8 = text.utf8
            var end = utf8.index(utf8.startIndex, offsetBy: pieces[max(0, count)].range.lowerBound)
            while end > utf8.startIndex, String.Index(end, within: text.unicodeScalars) == nil {
                end = utf8.index(before: end)
            }
            return String(text[..<end])
        }
    }
#endif
