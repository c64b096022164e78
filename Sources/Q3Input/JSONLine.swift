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
    package let id: RecordID?
    private let fields: [String: String]

    private static let knownKeys = ["text", "title", "query", "document", "instruction"]

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
        guard let text = fields[key] else { throw BadRecord(message: "\"\(key)\" is missing") }
        return text
    }

    package func optionalText(_ key: String) -> String? { fields[key] }

    private struct Object: Decodable {
        var id: RecordID?
        var fields: [String: String] = [:]

        private struct Key: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: Key.self)
            for key in JSONLine.knownKeys.map(Key.init) where values.contains(key) {
                do {
                    if let text = try values.decodeIfPresent(String.self, forKey: key) {
                        fields[key.stringValue] = text
                    }
                } catch DecodingError.typeMismatch {
                    throw BadRecord(message: "\"\(key.stringValue)\" is no string")
                }
            }
            // BEIR's corpora call it "_id".
            guard
                let key = try ["id", "_id"].map(Key.init).first(where: {
                    try values.contains($0) && !values.decodeNil(forKey: $0)
                })
            else { return }
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
    }
}
