// What clients send as text: a string, token ids, or a list of either.
#if Server
    /// One text of a request.
    enum TextOrTokens: Sendable, Equatable {
        case text(String)
        case tokens([Int32])

        /// Characters, or ids where there is no text: what Text Embeddings Inference counts.
        var characterCount: Int {
            switch self {
            case .text(let text): text.unicodeScalars.count
            case .tokens(let ids): ids.count
            }
        }
    }

    extension TextOrTokens: Decodable {
        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let ids = try? value.decode([Int32].self) {
                self = .tokens(ids)
            } else {
                self = .text(try value.decode(String.self))
            }
        }
    }

    /// A field that holds one text or many: `"x"`, `["x", "y"]`, `[1, 2]`, `[[1, 2], [3]]`, or a list that mixes strings and
    /// lists of ids.
    struct Inputs: Decodable, Sendable {
        let items: [TextOrTokens]
        /// Whether a lone text came without a list around it.
        let isSingle: Bool

        init(_ items: [TextOrTokens]) {
            self.items = items
            isSingle = false
        }

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            // Whole types first: trying element by element would cost an error for each.
            if let text = try? value.decode(String.self) {
                (items, isSingle) = ([.text(text)], true)
            } else if let texts = try? value.decode([String].self) {
                (items, isSingle) = (texts.map { .text($0) }, false)
            } else if let ids = try? value.decode([Int32].self) {
                (items, isSingle) = ([.tokens(ids)], true)
            } else if let lists = try? value.decode([[Int32]].self) {
                (items, isSingle) = (lists.map { .tokens($0) }, false)
            } else {
                let path = decoder.codingPath.map(\.stringValue).joined(separator: ".")
                guard var list = try? decoder.unkeyedContainer() else {
                    throw Fault.invalid(path, "\"\(path)\" must be a string, a list of strings, or token ids")
                }
                var mixed: [TextOrTokens] = []
                while !list.isAtEnd {
                    do {
                        mixed.append(try list.decode(TextOrTokens.self))
                    } catch is DecodingError {
                        throw Fault.invalid(
                            "\(path)[\(mixed.count)]",
                            "\"\(path)[\(mixed.count)]\" is neither a string nor a list of token ids")
                    }
                }
                (items, isSingle) = (mixed, false)
            }
        }
    }

    /// A whole number; the error of the plain type does not say which field it is.
    struct Whole: Decodable, Sendable {
        let value: Int

        init(from decoder: any Decoder) throws {
            do {
                value = try decoder.singleValueContainer().decode(Int.self)
            } catch {
                throw DecodingError.typeMismatch(
                    Int.self, .init(codingPath: decoder.codingPath, debugDescription: "not a whole number of 64 bits"))
            }
        }
    }

    /// A string, or a list of strings.
    struct OneOrMany: Decodable, Sendable {
        let texts: [String]
        let isSingle: Bool

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let text = try? value.decode(String.self) {
                (texts, isSingle) = ([text], true)
            } else {
                (texts, isSingle) = (try value.decode([String].self), false)
            }
        }
    }

    /// A document to be ranked: a string, or an object with a `text`.
    struct Document: Decodable, Sendable {
        let text: String

        private enum Key: CodingKey { case text }

        init(from decoder: any Decoder) throws {
            if let text = try? decoder.singleValueContainer().decode(String.self) {
                self.text = text
            } else {
                text = try decoder.container(keyedBy: Key.self).decode(String.self, forKey: .text)
            }
        }
    }
#endif
