// Any JSON, as agents send it.
#if Index
    #if canImport(FoundationEssentials)
        import FoundationEssentials
    #else
        import Foundation
    #endif

    /// A JSON value. Numbers keep whether they are whole, so that an id comes back as it was.
    enum JSONValue: Decodable, Sendable, Equatable {
        case null
        case bool(Bool)
        case whole(Int)
        case number(Double)
        case text(String)
        case list([JSONValue])
        case object([String: JSONValue])

        /// Nil for text that is not JSON.
        init?(parsing text: String) {
            guard let value = try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)) else { return nil }
            self = value
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .null
            } else if let value = try? container.decode(Bool.self) {
                self = .bool(value)
            } else if let value = try? container.decode(Int.self) {
                self = .whole(value)
            } else if let value = try? container.decode(Double.self) {
                self = .number(value)
            } else if let value = try? container.decode(String.self) {
                self = .text(value)
            } else if let value = try? container.decode([JSONValue].self) {
                self = .list(value)
            } else {
                self = .object(try container.decode([String: JSONValue].self))
            }
        }

        /// A member of an object.
        subscript(_ key: String) -> JSONValue? {
            if case .object(let members) = self { members[key] } else { nil }
        }

        var text: String? { if case .text(let text) = self { text } else { nil } }
        var whole: Int? { if case .whole(let number) = self { number } else { nil } }
        var list: [JSONValue]? { if case .list(let values) = self { values } else { nil } }
        var number: Double? {
            switch self {
            case .whole(let number): Double(number)
            case .number(let number): number
            default: nil
            }
        }
    }

    extension JSONValue: CustomStringConvertible {
        /// As JSON again.
        var description: String {
            switch self {
            case .null: "null"
            case .bool(let value): "\(value)"
            case .whole(let value): "\(value)"
            case .number(let value): "\(value)"
            case .text(let text): JSONText.quoted(text)
            case .list(let values): "[\(values.map(\.description).joined(separator: ","))]"
            case .object(let members):
                "{\(members.sorted { $0.key < $1.key }.map { "\(JSONText.quoted($0.key)):\($0.value)" }.joined(separator: ","))}"
            }
        }
    }
#endif
