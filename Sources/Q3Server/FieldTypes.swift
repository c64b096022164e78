// The types of fields that several families have, read as leniently as the peers read them.
#if Server
import Q3Embedding
import Q3System

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

/// A field that holds one text or many: `"x"`, `["x", "y"]`, `[1, 2]`, `[[1, 2], [3]]`, or a list that mixes strings
/// and lists of ids.
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
            let path = decoder.codingPath.field
            guard var list = try? decoder.unkeyedContainer() else {
                throw APIError.invalid(path, "\"\(path)\" must be a string, a list of strings, or token ids")
            }
            var mixed: [TextOrTokens] = []
            while !list.isAtEnd {
                do {
                    mixed.append(try list.decode(TextOrTokens.self))
                } catch is DecodingError {
                    throw APIError.invalid(
                        "\(path)[\(mixed.count)]",
                        "\"\(path)[\(mixed.count)]\" is neither a string nor a list of token ids")
                }
            }
            (items, isSingle) = (mixed, false)
        }
    }
}

/// A whole number: `64`, `64.0` or `"64"`, as the servers written in Python read it.
struct Whole: Decodable, Sendable {
    let value: Int

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let number = try? container.decode(Int.self) {
            value = number
        } else if let number = (try? container.decode(String.self)).flatMap({ Int($0) }) {
            value = number
        } else if let number = (try? container.decode(Double.self)).flatMap({ Int(exactly: $0) }) {
            value = number
        } else {
            // The error of the plain type does not say which field it is.
            throw DecodingError.typeMismatch(
                Int.self, .init(codingPath: decoder.codingPath, debugDescription: "not a whole number of 64 bits"))
        }
    }
}

/// `true` or `false`, or one of the words and numbers for them that the servers written in Python read.
struct Flag: Decodable, Sendable {
    let value: Bool

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let flag = try? container.decode(Bool.self) {
            value = flag
        } else if let flag = (try? container.decode(String.self)).flatMap(Self.flag)
            ?? (try? container.decode(Int.self)).flatMap({ Self.flag("\($0)") })
        {
            value = flag
        } else {
            throw DecodingError.typeMismatch(
                Bool.self, .init(codingPath: decoder.codingPath, debugDescription: "neither true nor false"))
        }
    }

    fileprivate static func flag(_ word: String) -> Bool? {
        switch word.lowercased() {
        case "true", "1", "yes", "on", "y", "t": true
        case "false", "0", "no", "off", "n", "f": false
        default: nil
        }
    }
}

/// A field that another server has and q3 does not: an error unless it is absent, null, or asks for what q3 does anyway.
///
/// Ignoring it would give a wrong answer.
struct Unsupported: Decodable, Sendable {
    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let flag = try? container.decode(Bool.self), !flag { return }
        if let list = try? decoder.unkeyedContainer(), list.count == 0 { return }
        let path = decoder.codingPath.field
        throw APIError.invalid(path, "\"\(path)\" is not supported")
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

/// The ways in which clients ask for texts to be cut: true or false, Cohere's NONE, START and END, or a side.
struct Truncation: Decodable, Sendable {
    /// Which end of a text is lost; nil for none.
    let cut: Embedder.Cut?

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let flag = try? container.decode(Bool.self) {
            cut = flag ? .end : nil
            return
        }
        let word = try container.decode(String.self)
        switch word.uppercased() {
        case "END", "RIGHT": cut = .end
        case "START", "LEFT": cut = .start
        case "NONE": cut = nil
        default:
            guard let flag = Flag.flag(word) else {
                let path = decoder.codingPath.field
                throw APIError.invalid(path, "\"\(path)\" must be NONE, START or END")
            }
            cut = flag ? .end : nil
        }
    }
}

/// A document to be ranked: a string, or an object with a `text` or with fields of its own.
struct Document: Decodable, Sendable {
    /// A value of an object's field, as text.
    private struct Field: Decodable {
        let text: String

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let string = try? value.decode(String.self) {
                text = string
            } else if let flag = try? value.decode(Bool.self) {
                text = "\(flag)"
            } else if let number = try? value.decode(Int.self) {
                text = "\(number)"
            } else if let number = try? value.decode(Double.self) {
                text = "\(number)"
            } else {
                text = ""
            }
        }
    }

    /// nil for an object.
    private let string: String?
    let fields: [String: String]

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        string = try? value.decode(String.self)
        fields = string == nil ? try value.decode([String: Field].self).mapValues(\.text) : [:]
    }

    /// What is ranked: the given fields of an object, a line for each; without any its `text`.
    func text(fields names: [String]?) throws(APIError) -> String {
        if let string { return string }
        guard let names, names != ["text"] else {
            guard let text = fields["text"] else {
                throw APIError(.invalid, "a document has no \"text\"; say with \"rank_fields\" which fields to read")
            }
            return text
        }
        let lines = names.compactMap { name in
            fields.index(forKey: name).flatMap {
                fields[$0].key.hasBytes(of: name) ? "\(name): \(fields[$0].value)" : nil
            }
        }
        guard !lines.isEmpty else {
            throw APIError(.invalid, "a document has none of the fields in \"rank_fields\"")
        }
        return lines.joined(separator: "\n")
    }
}

extension Whole {
    /// A limit on tokens, where 0 stands for none.
    func tokenLimit(field: String) throws(APIError) -> Int? {
        guard value >= 0 else { throw .invalid(field, "\"\(field)\" must be 0 (no limit) or more") }
        return value == 0 ? nil : value
    }

    /// vLLM's `truncate_prompt_tokens`, where -1 stands for as many as the model reads.
    func promptTokenLimit(field: String) throws(APIError) -> Int? {
        guard value == -1 || value > 0 else { throw .invalid(field, "\"\(field)\" must be -1, or at least 1") }
        return value == -1 ? nil : value
    }
}
#endif
