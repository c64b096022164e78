// Bodies to values and back, with errors that name the field.
#if Server
import NIOCore
import Q3System

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A request's body, checked byte by byte and then decoded once.
struct JSONBody: Sendable {
    /// Deeper bodies are refused before they are parsed.
    static let depthLimit = 64

    private let data: Data
    /// Those of the fields that were looked for which the body has; `inputs.sentences` is one inside of an object.
    let fields: Set<String>

    /// The body as it came, for those who read it in a way of their own.
    var text: String { String(decoding: data, as: UTF8.self) }

    /// The body of a request that has none.
    init() { (data, fields) = (Data(), []) }

    /// Refuses what the parser would accept or guess: other encodings, raw control characters, bottomless nesting.
    /// Half an emoji (a surrogate without its pair) becomes U+FFFD. Two fields of an object whose names Swift takes for the same
    /// although their bytes differ are refused: the parser would drop one of them.
    init(checking data: Data, lookingFor names: [String] = []) throws(APIError) {
        guard !data.isEmpty else { throw APIError(.invalid, "the body is empty; expected a JSON object") }
        do throws(UTF8.ValidationError) {
            _ = try UTF8Span(validating: data.span)
        } catch {
            throw APIError(.invalid, "the body is not UTF-8 at its byte \(error.byteOffsets.lowerBound)")
        }
        if data.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw APIError(.invalid, "the body begins with a byte order mark, which JSON does not allow")
        }
        var scan = JSONScan(names: Set(names))
        try scan.run(over: data.span)
        fields = scan.fields
        var data = data
        for offset in scan.loneSurrogates { data.replaceSubrange(offset..<offset + 4, with: Data("fffd".utf8)) }
        self.data = data
    }

    /// Unknown fields are ignored and `null` is the same as leaving a field out, since clients send both. The error
    /// names the first field that is wrong.
    func decode<Body: Decodable>(_ type: Body.Type) throws(APIError) -> Body {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do {
            return try decoder.decode(type, from: data)
        } catch let error as APIError {
            throw error
        } catch let error as DecodingError {
            throw APIError(error)
        } catch {
            throw APIError(.invalid, "the body is not JSON")
        }
    }
}

/// One pass over the bytes of a body.
private struct JSONScan {
    let names: Set<String>
    private(set) var fields: Set<String> = []
    /// Where the four digits of `\ud83d` and the like stand that have no other half.
    private(set) var loneSurrogates: [Int] = []
    /// Whether each open bracket is that of an object, the innermost in the lowest bit.
    private var objects: UInt64 = 0
    private var depth = 0
    /// The names in each open bracket that are more than plain ASCII.
    private var wideNames: [Set<String>] = []
    /// The field of the whole body that the scan is in.
    private var outerField = ""

    init(names: Set<String>) { self.names = names }

    mutating func run(over bytes: Span<UInt8>) throws(APIError) {
        var offset = 0
        var last: UInt8 = 0
        while offset < bytes.count {
            let byte = bytes[offset]
            guard byte >= 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D else { throw controlCharacter(offset) }
            switch byte {
            case UInt8(ascii: "\""):
                let end = try endOfText(bytes, from: offset + 1)
                // A field's name follows a bracket or a comma, and a value a colon.
                if objects & 1 == 1, last != UInt8(ascii: ":") {
                    let key = bytes.extracting(min(offset + 1, end)..<end)
                    if depth <= 2, !names.isEmpty { note(String(copying: unsafe UTF8Span(unchecked: key))) }
                    try checkWide(key)
                }
                offset = end
            case UInt8(ascii: "["), UInt8(ascii: "{"):
                depth += 1
                wideNames.append([])
                objects = objects << 1 | (byte == UInt8(ascii: "{") ? 1 : 0)
                if depth > JSONBody.depthLimit {
                    throw APIError(.invalid, "the body is nested more than \(JSONBody.depthLimit) levels deep")
                }
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                // The parser lets a comma before a closing bracket pass.
                if last == UInt8(ascii: ",") {
                    throw APIError(.invalid, "the body is not JSON: nothing follows the comma before byte \(offset)")
                }
                depth -= 1
                _ = wideNames.popLast()
                objects >>= 1
            default: break
            }
            if byte > 0x20 { last = byte }
            offset += 1
        }
    }

    /// Throws where an earlier name of the same object looks like this one and has other bytes.
    private mutating func checkWide(_ key: Span<UInt8>) throws(APIError) {
        var isWide = false
        for index in key.indices where key[index] >= 0x80 || key[index] == UInt8(ascii: "\\") { isWide = true }
        guard isWide, !wideNames.isEmpty else { return }
        var name = String(copying: unsafe UTF8Span(unchecked: key))
        if name.utf8.contains(UInt8(ascii: "\\")) {
            name = (try? JSONDecoder().decode(String.self, from: Data("\"\(name)\"".utf8))) ?? name
        }
        let (isNew, earlier) = wideNames[wideNames.count - 1].insert(name)
        guard isNew || earlier.hasBytes(of: name) else {
            throw APIError(.invalid, "two fields of an object have names that look the same, \"\(name.prefix(100))\"")
        }
    }

    /// Remembers a field's name if it is one that is looked for. Names with escapes are not.
    private mutating func note(_ name: String) {
        if depth == 1 { outerField = name }
        let path = depth == 1 ? name : "\(outerField).\(name)"
        if names.contains(path) { fields.insert(path) }
    }

    /// The offset of a text's closing quote, or the end of all.
    private mutating func endOfText(_ bytes: Span<UInt8>, from start: Int) throws(APIError) -> Int {
        var offset = start
        while offset < bytes.count, bytes[offset] != UInt8(ascii: "\"") {
            if bytes[offset] < 0x20 { throw controlCharacter(offset) }
            guard bytes[offset] == UInt8(ascii: "\\") else {
                offset += 1
                continue
            }
            guard let unit = Self.escapedUnit(bytes, at: offset) else {
                offset += 2
                continue
            }
            if unit & 0xFC00 == 0xD800, let low = Self.escapedUnit(bytes, at: offset + 6), low & 0xFC00 == 0xDC00 {
                offset += 12
                continue
            }
            if unit & 0xF800 == 0xD800 { loneSurrogates.append(offset + 2) }
            offset += 6
        }
        return min(offset, bytes.count)
    }

    /// The number in `\u0041` if that is what stands there.
    private static func escapedUnit(_ bytes: Span<UInt8>, at offset: Int) -> UInt16? {
        guard offset + 6 <= bytes.count, bytes[offset] == UInt8(ascii: "\\"), bytes[offset + 1] == UInt8(ascii: "u")
        else { return nil }
        var unit: UInt16 = 0
        for place in offset + 2..<offset + 6 {
            guard let digit = Character(UnicodeScalar(bytes[place])).hexDigitValue else { return nil }
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }

    private func controlCharacter(_ offset: Int) -> APIError {
        APIError(.invalid, "the body has a raw control character at its byte \(offset), to be written as \\u00..")
    }
}

enum JSON {
    static func bytes(of body: some Encodable) throws -> ByteBuffer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return ByteBuffer(bytes: try encoder.encode(body))
    }

    /// A string as it is written in JSON.
    static func text(_ string: String) -> String {
        var text = "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case _ where scalar.value < 0x20:
                text += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}

/// A field that is written as `null` where it has no value, instead of being left out.
@propertyWrapper struct Null<Value: Encodable & Sendable>: Encodable, Sendable {
    var wrappedValue: Value?

    init(wrappedValue: Value?) { self.wrappedValue = wrappedValue }

    func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        if let wrappedValue { try value.encode(wrappedValue) } else { try value.encodeNil() }
    }
}

extension APIError {
    fileprivate init(_ error: DecodingError) {
        switch error {
        case .keyNotFound(let key, let context):
            let path = (context.codingPath + [key]).field
            self = .invalid(path, "\"\(path)\" is missing")
        case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
            let path = context.codingPath.field
            let expected = expectedName(of: type)
            self =
                path.isEmpty
                ? APIError(.invalid, "the body is not \(expected)")
                : .invalid(path, "\"\(path)\" must be \(expected)")
        case .dataCorrupted(let context) where !context.codingPath.isEmpty:
            let path = context.codingPath.field
            self = .invalid(path, "\"\(path)\": \(context.debugDescription)")
        default:
            self.init(.invalid, "the body is not JSON")
        }
    }
}

private func expectedName(of type: Any.Type) -> String {
    switch type {
    case is String.Type: "a string"
    case is Bool.Type: "true or false"
    case is Int.Type, is Int32.Type: "a whole number"
    case is [String: Any].Type: "an object"
    case is [Any].Type: "a list"
    default: "of another type"
    }
}

extension [any CodingKey] {
    /// The path as clients write it: `input[3]`, `parameters.prompt_name`.
    var field: String {
        reduce(into: "") { path, key in
            if let index = key.intValue {
                path += "[\(index)]"
            } else {
                path += path.isEmpty ? key.stringValue.snakeCased : ".\(key.stringValue.snakeCased)"
            }
        }
    }
}

extension String {
    fileprivate var snakeCased: String {
        reduce(into: "") { $0 += $1.isUppercase ? "_\($1.lowercased())" : "\($1)" }
    }
}
#endif
