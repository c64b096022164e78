// One line of JSON input: an object with texts by key and an id of either kind.

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The id of a record, given back as it came.
package enum RecordID: Sendable, Equatable {
    case text(String)
    case number(String)
}

/// The fields of one line that we know.
package struct JSONLine {
    /// "id", or "_id" as BEIR's files have it.
    package let id: RecordID?
    private let fields: [String: Value]

    /// What a field holds, as far as some command has a use for it.
    private enum Value {
        case text(String)
        case whole(Int64)
        case fraction(Double)
        case other
    }

    private static let textKeys = ["text", "query", "document", "instruction"]
    /// Fields of evaluation data, which elsewhere may hold anything.
    private static let evaluationKeys = ["title", "sentence1", "sentence2", "score", "label"]

    package init(_ line: String) throws(BadRecord) {
        // The decoder guesses UTF-16 and UTF-32 from NULs; no control character is allowed in JSON but these.
        guard !line.utf8.contains(where: { $0 < 0x20 && $0 != 0x09 && $0 != 0x0D }) else {
            throw BadRecord(message: "not JSON: a raw control character, which must be written as \\u00..")
        }
        do {
            let object = try JSONDecoder().decode(Object.self, from: Data(line.utf8))
            (id, fields) = (object.id, object.fields)
        } catch let error as BadRecord {
            throw error
        } catch DecodingError.typeMismatch(_, let context) where context.codingPath.isEmpty {
            throw BadRecord(message: "not a JSON object; each line must be one, such as {\"text\": \"...\"}")
        } catch {
            throw BadRecord(message: "not JSON")
        }
    }

    /// The text of a key; throws if there is none.
    package func text(_ key: String) throws(BadRecord) -> String {
        switch fields[key] {
        case .text(let text): return text
        case nil: throw BadRecord(message: "\"\(key)\" is missing")
        default: throw BadRecord(message: "\"\(key)\" is no string")
        }
    }

    package func optionalText(_ key: String) -> String? {
        if case .text(let text) = fields[key] { text } else { nil }
    }

    /// The number of a key; throws if there is none.
    package func number(_ key: String) throws(BadRecord) -> Double {
        switch fields[key] {
        case .whole(let number): return Double(number)
        case .fraction(let number): return number
        case nil: throw BadRecord(message: "\"\(key)\" is missing")
        default: throw BadRecord(message: "\"\(key)\" is no number")
        }
    }

    /// The name of a class, which may be a whole number.
    package func label(_ key: String) throws(BadRecord) -> String {
        switch fields[key] {
        case .text(let text): return text
        case .whole(let number): return "\(number)"
        case nil: throw BadRecord(message: "\"\(key)\" is missing")
        default: throw BadRecord(message: "\"\(key)\" is neither a string nor a whole number")
        }
    }

    private struct Object: Decodable {
        var id: RecordID?
        var fields: [String: Value] = [:]

        private struct Key: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: Key.self)
            for key in JSONLine.textKeys.map(Key.init) where values.contains(key) {
                do {
                    if let text = try values.decodeIfPresent(String.self, forKey: key) {
                        fields[key.stringValue] = .text(text)
                    }
                } catch DecodingError.typeMismatch {
                    throw BadRecord(message: "\"\(key.stringValue)\" is no string")
                }
            }
            for key in JSONLine.evaluationKeys.map(Key.init) where values.contains(key) {
                if try values.decodeNil(forKey: key) { continue }
                fields[key.stringValue] = value(of: key, in: values)
            }
            let key = Key(stringValue: values.contains(Key(stringValue: "id")) ? "id" : "_id")
            guard values.contains(key), try !values.decodeNil(forKey: key) else { return }
            if let text = try? values.decode(String.self, forKey: key) {
                id = .text(text)
            } else if let number = try? values.decode(Int64.self, forKey: key) {
                id = .number("\(number)")
            } else if let number = try? values.decode(UInt64.self, forKey: key) {
                id = .number("\(number)")
            } else {
                throw BadRecord(
                    message: "\"\(key.stringValue)\" is neither a string nor a whole number of at most 64 bits")
            }
        }

        private func value(of key: Key, in values: KeyedDecodingContainer<Key>) -> Value {
            if let text = try? values.decode(String.self, forKey: key) { return .text(text) }
            if let number = try? values.decode(Int64.self, forKey: key) { return .whole(number) }
            if let number = try? values.decode(Double.self, forKey: key), number.isFinite { return .fraction(number) }
            return .other
        }
    }
}
