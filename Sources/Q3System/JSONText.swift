// Writes JSON: strings with everything escaped that must be, and the shortest numbers that read back the same.

/// Text under construction, in place because vectors are long.
package struct JSONText {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package mutating func append(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    package mutating func append(_ bytes: [UInt8]) {
        self.bytes += bytes
    }

    package mutating func append(quoted text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case UInt8(ascii: "\n"): append("\\n")
            case UInt8(ascii: "\r"): append("\\r")
            case UInt8(ascii: "\t"): append("\\t")
            case 0..<0x20: append(byte < 0x10 ? "\\u000" : "\\u00"); append(String(byte, radix: 16))
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// A cell of a row of CSV, in quotes where it needs them.
    package mutating func append(csv cell: String) {
        let isPlain = cell.utf8.allSatisfy { $0 != 0x22 && $0 != 0x2C && $0 != 0x0A && $0 != 0x0D }
        append(isPlain ? cell : "\"\(cell.replacing("\"", with: "\"\""))\"")
    }

    /// A list of numbers; a float's description is the shortest that reads back the same, and never NaN here.
    package mutating func append(_ values: some Collection<some CustomStringConvertible>, separator: String = ",") {
        var first = true
        for value in values {
            if !first { append(separator) }
            first = false
            append(value.description)
        }
    }

    package static func quoted(_ text: String) -> String {
        var json = JSONText()
        json.append(quoted: text)
        return String(decoding: json.bytes, as: UTF8.self)
    }
}
