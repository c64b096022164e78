// A strict reader of one JSON value (RFC 8259) that keeps the fields of an object and checks everything else.
import Q3System

/// A value, as far as a command uses it.
package enum JSONValue: Sendable, Equatable {
    case text(String)
    /// A number as it is written.
    case number(String)
    case bool(Bool)
    case null
    /// A list or an object below the fields, which was checked only: its bytes.
    case nested([UInt8])
    /// The fields of the outermost object, in their order.
    case object([JSONField])
}

/// A field of an object.
package struct JSONField: Sendable, Equatable {
    package let key: String
    package let value: JSONValue
}

/// Reads a value from its bytes, which must be UTF-8.
struct JSONScanner {
    private let bytes: [UInt8]
    private var position = 0
    /// Whether half a surrogate pair becomes U+FFFD instead of an error.
    private let isLossy: Bool

    /// Deeper nesting is refused; nobody's texts need it.
    private static let depthLimit = 512

    init(_ bytes: [UInt8], lossy: Bool = false) {
        self.bytes = bytes
        isLossy = lossy
    }

    /// The value that all bytes are.
    mutating func wholeValue() throws(BadRecord) -> JSONValue {
        skipSpace()
        let value = try bytes[safe: position] == UInt8(ascii: "{") ? .object(fields()) : scalar(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw bad("something follows the value") }
        return value
    }

    /// The elements of a list, whose bytes all are; nil for an object.
    mutating func elements() throws(BadRecord) -> [JSONValue]? {
        skipSpace()
        guard take("[") else { return nil }
        var values: [JSONValue] = []
        skipSpace()
        if take("]") { return values }
        while true {
            values.append(try scalar(depth: 1))
            skipSpace()
            if take("]") { return values }
            guard take(",") else { throw bad("expected , or ]") }
            skipSpace()
        }
    }

    private mutating func fields() throws(BadRecord) -> [JSONField] {
        var fields: [JSONField] = []
        position += 1
        skipSpace()
        if take("}") { return fields }
        while true {
            let key = try key()
            do throws(BadRecord) {
                fields.append(JSONField(key: key, value: try scalar(depth: 1)))
            } catch {
                throw error.isInText ? BadRecord(message: "\"\(key.escapedForTerminal)\" \(error.message)") : error
            }
            skipSpace()
            if take("}") { return fields }
            guard take(",") else { throw bad("expected , or }") }
            skipSpace()
        }
    }

    /// A key and its colon.
    private mutating func key() throws(BadRecord) -> String {
        guard bytes[safe: position] == UInt8(ascii: "\"") else { throw bad("expected a key") }
        let key = try string()
        skipSpace()
        guard take(":") else { throw bad("expected :") }
        skipSpace()
        return key
    }

    private mutating func scalar(depth: Int) throws(BadRecord) -> JSONValue {
        switch bytes[safe: position] {
        case UInt8(ascii: "\""): return .text(try string())
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            let start = position
            try skipNested(depth: depth)
            return .nested(Array(bytes[start..<position]))
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return .number(try number())
        }
    }

    /// Checks a list or an object without recursion, so that no depth of nesting can exhaust the stack.
    private mutating func skipNested(depth: Int) throws(BadRecord) {
        var closers: [Character] = []
        repeat {
            var isEmpty = false
            if take("{") {
                closers.append("}")
                skipSpace()
                isEmpty = bytes[safe: position] == UInt8(ascii: "}")
                if !isEmpty { _ = try key() }
            } else if take("[") {
                closers.append("]")
                skipSpace()
                isEmpty = bytes[safe: position] == UInt8(ascii: "]")
            }
            guard closers.count + depth <= Self.depthLimit else { throw bad("nested more than 512 deep") }
            if !isEmpty {
                if [UInt8(ascii: "{"), UInt8(ascii: "[")].contains(bytes[safe: position]) { continue }
                _ = try scalar(depth: depth)
            }
            // After a value: close what ends here, or go to the next value.
            while let closer = closers.last {
                skipSpace()
                if take(closer) {
                    closers.removeLast()
                    continue
                }
                guard take(",") else { throw bad("expected , or \(closer)") }
                skipSpace()
                if closer == "}" { _ = try key() }
                break
            }
        } while !closers.isEmpty
    }

    private mutating func string() throws(BadRecord) -> String {
        position += 1
        var text: [UInt8] = []
        while true {
            let start = position
            while let byte = bytes[safe: position], byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\")
            {
                position += 1
            }
            text += bytes[start..<position]
            switch bytes[safe: position] {
            case UInt8(ascii: "\""):
                position += 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                position += 1
                text += String(try escape()).utf8
            case nil: throw bad("a string does not end")
            default: throw bad("a raw control character in a string, which must be written as \\u00..")
            }
        }
    }

    private mutating func escape() throws(BadRecord) -> Unicode.Scalar {
        defer { position += 1 }
        switch bytes[safe: position] {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            position += 1
            let unit = try unit()
            if let scalar = Unicode.Scalar(unit) { return scalar }
            if unit < 0xDC00, bytes[safe: position + 1] == UInt8(ascii: "\\"),
                bytes[safe: position + 2] == UInt8(ascii: "u")
            {
                let place = position
                position += 3
                let low = try self.unit()
                if 0xDC00...0xDFFF ~= low,
                    let scalar = Unicode.Scalar(0x10000 + (UInt32(unit) & 0x3FF) << 10 + UInt32(low) & 0x3FF)
                {
                    return scalar
                }
                position = place
            }
            guard isLossy else {
                throw BadRecord(
                    message: "holds half of a surrogate pair, \\u\(String(unit, radix: 16)), which is not a character",
                    isInText: true)
            }
            return "\u{FFFD}"
        default: throw bad("an unknown escape in a string")
        }
    }

    /// Four hexadecimal digits; ends at the last of them.
    private mutating func unit() throws(BadRecord) -> UInt16 {
        var unit: UInt16 = 0
        for place in position..<position + 4 {
            guard let byte = bytes[safe: place], let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw bad("\\u needs four hexadecimal digits")
            }
            unit = unit << 4 | UInt16(digit)
        }
        position += 3
        return unit
    }

    private mutating func number() throws(BadRecord) -> String {
        let start = position
        _ = take("-")
        let whole = digits()
        guard whole == 1 || whole > 1 && bytes[position - whole] != UInt8(ascii: "0") else {
            position = start
            throw bad("expected a value")
        }
        if take(".") { guard digits() > 0 else { throw bad("a number without digits after its point") } }
        if take("e") || take("E") {
            _ = take("+") || take("-")
            guard digits() > 0 else { throw bad("a number without digits in its exponent") }
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func digits() -> Int {
        let start = position
        while let byte = bytes[safe: position], 0x30...0x39 ~= byte { position += 1 }
        return position - start
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws(BadRecord) -> JSONValue {
        guard bytes[position...].starts(with: word.utf8) else { throw bad("expected a value") }
        position += word.utf8.count
        return value
    }

    private mutating func take(_ character: Character) -> Bool {
        guard bytes[safe: position] == character.asciiValue else { return false }
        position += 1
        return true
    }

    private mutating func skipSpace() {
        while let byte = bytes[safe: position], byte == 0x20 || 0x09...0x0A ~= byte || byte == 0x0D { position += 1 }
    }

    private func bad(_ reason: String) -> BadRecord {
        BadRecord(message: "not JSON: \(reason), at byte \(position) of the value")
    }
}

extension [UInt8] {
    fileprivate subscript(safe index: Int) -> UInt8? { index < count ? self[index] : nil }
}
