// The named fields of a record, of a JSON object or of a row of a table.
import Q3System

/// The id of a record, given back as it came.
package enum RecordID: Sendable, Equatable {
    case text(String)
    case number(String)

    /// As it is shown.
    package var text: String {
        switch self {
        case .text(let text), .number(let text): text
        }
    }
}

/// Texts, numbers and an id by name.
package struct Fields: Sendable {
    private let fields: [JSONField]

    init(_ fields: [JSONField]) { self.fields = fields }

    /// Reads an object from JSON.
    package init(json text: String) throws(BadRecord) {
        var scanner = JSONScanner(Array(text.utf8))
        guard case .object(let fields) = try scanner.wholeValue() else {
            throw BadRecord(message: "not a JSON object")
        }
        self.init(fields)
    }

    /// The cells of a row; as many as columns.
    init(columns: [String], cells: [String]) throws(BadRecord) {
        guard cells.count == columns.count else {
            throw BadRecord(message: "\(cells.count) cells in a table of \(columns.count) columns")
        }
        fields = zip(columns, cells).map { JSONField(key: $0, value: .text($1)) }
    }

    /// The names that there are.
    package var names: [String] { fields.map(\.key) }

    /// By the bytes of the name: two names that only look alike are two. Of equal names the last counts.
    private func value(_ name: String) -> JSONValue? {
        let value = fields.last { $0.key.utf8.elementsEqual(name.utf8) }?.value
        return value == .null ? nil : value
    }

    /// The text of a field; throws if there is none.
    package func text(_ name: String) throws(BadRecord) -> String {
        switch value(name) {
        case .text(let text): return text
        case nil: throw missing(name)
        default: throw BadRecord(message: "\"\(name)\" is not a string")
        }
    }

    /// The text of a field that may be absent or hold something else.
    package func optionalText(_ name: String) -> String? {
        if case .text(let text) = value(name) { text } else { nil }
    }

    /// The texts of a field that holds a text or a list of them; nil without the field.
    package func texts(_ name: String) throws(BadRecord) -> [String]? {
        switch value(name) {
        case nil: return nil
        case .text(let text): return [text]
        case .nested(let bytes):
            var scanner = JSONScanner(bytes)
            guard let elements = try scanner.elements() else { break }
            var texts: [String] = []
            for element in elements {
                guard case .text(let text) = element else {
                    throw BadRecord(message: "\"\(name)\" has an element that is not a string")
                }
                texts.append(text)
            }
            return texts
        default: break
        }
        throw BadRecord(message: "\"\(name)\" is neither a string nor a list of strings")
    }

    /// The whole numbers of a field that holds a list of them; nil without the field.
    package func integers(_ name: String) throws(BadRecord) -> [Int]? {
        guard let value = value(name) else { return nil }
        if case .nested(let bytes) = value {
            var scanner = JSONScanner(bytes)
            if let elements = try scanner.elements() {
                let numbers = elements.compactMap { element -> Int? in
                    if case .number(let digits) = element { Int(digits) } else { nil }
                }
                if numbers.count == elements.count { return numbers }
            }
        }
        throw BadRecord(message: "\"\(name)\" is not a list of whole numbers")
    }

    /// The contents of a conversation, [{"role", "content"}], or of a list of conversations, a text for each: what its users say.
    package func messages(_ name: String) throws(BadRecord) -> [String]? {
        guard let value = value(name) else { return nil }
        let fault = BadRecord(message: "\"\(name)\" is not a list of {\"role\", \"content\"}")
        guard case .nested(let bytes) = value else { throw fault }
        var scanner = JSONScanner(bytes)
        guard let elements = try scanner.elements() else { throw fault }
        var texts: [String] = []
        var said: [String] = []
        for element in elements {
            guard case .nested(let bytes) = element else { throw fault }
            var inner = JSONScanner(bytes)
            if let messages = try inner.elements() {
                var said: [String] = []
                for message in messages {
                    guard case .nested(let bytes) = message else { throw fault }
                    if let text = try Self.userContent(bytes) { said.append(text) }
                }
                texts.append(said.joined(separator: "\n"))
            } else if let text = try Self.userContent(bytes) {
                said.append(text)
            }
        }
        return texts + (said.isEmpty ? [] : [said.joined(separator: "\n")])
    }

    /// The content of a message of the user; nil for one of the system.
    private static func userContent(_ bytes: [UInt8]) throws(BadRecord) -> String? {
        let message = try Fields(json: String(decoding: bytes, as: UTF8.self))
        guard try message.text("role") != "system" else { return nil }
        return try message.text("content")
    }

    /// The texts, numbers and truth values of all fields but some, as a JSON object; nil where there are none.
    package func metadata(without names: [String]) -> String? {
        var object = JSONObject()
        var isEmpty = true
        var seen: Set<String> = []
        for field in fields.reversed() where !names.contains(field.key) && seen.insert(field.key).inserted {
            switch field.value {
            case .text(let text): object.add(field.key, quoted: text)
            case .number(let digits): object.add(field.key, digits)
            // As a word: SQLite would make 1 of it.
            case .bool(let value): object.add(field.key, quoted: "\(value)")
            case .null, .nested, .object: continue
            }
            isEmpty = false
        }
        return isEmpty ? nil : "\(object)"
    }

    /// All texts and numbers, a line for each: what a record says that has no field for its text.
    package var asLines: String {
        fields.compactMap { field -> String? in
            switch field.value {
            case .text(let text) where !text.isEmpty: "\(field.key): \(text)"
            case .number(let digits): "\(field.key): \(digits)"
            default: nil
            }
        }.joined(separator: "\n")
    }

    /// Whether there is a field of this name.
    package func has(_ name: String) -> Bool { value(name) != nil }

    /// The number of a field; throws if there is none.
    package func number(_ name: String) throws(BadRecord) -> Double {
        switch value(name) {
        case .number(let digits):
            guard let number = Double(digits), number.isFinite else {
                throw BadRecord(message: "\"\(name)\" is too large a number")
            }
            return number
        case nil: throw missing(name)
        default: throw BadRecord(message: "\"\(name)\" is not a number")
        }
    }

    /// The name of a class, which may be a whole number.
    package func label(_ name: String) throws(BadRecord) -> String {
        switch value(name) {
        case .text(let text): return text
        case .number(let digits) where Int64(digits) != nil: return digits
        case nil: throw missing(name)
        default: throw BadRecord(message: "\"\(name)\" is neither a string nor a whole number")
        }
    }

    /// The id in the named field, or in "id", else "_id" as BEIR's files have it.
    package func id(_ name: String?) throws(BadRecord) -> RecordID? {
        let key = name ?? (fields.contains { $0.key == "id" } ? "id" : "_id")
        switch value(key) {
        case .text(let text): return .text(text)
        case .number(let digits) where Int64(digits) != nil || UInt64(digits) != nil: return .number(digits)
        case nil:
            if name != nil, !fields.contains(where: { $0.key.utf8.elementsEqual(key.utf8) }) { throw missing(key) }
            return nil
        default:
            throw BadRecord(message: "\"\(key)\" is neither a string nor a whole number of at most 64 bits")
        }
    }

    private func missing(_ name: String) -> BadRecord {
        let known = names.prefix(10).map { "\"\($0.escapedForTerminal)\"" }.joined(separator: ", ")
        return BadRecord(message: "\"\(name)\" is missing" + (names.isEmpty ? "" : "; there is \(known)"))
    }
}
