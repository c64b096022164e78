// One line of input, or another stretch of bytes that is a record, and its bytes as text.

package struct Line {
    package enum Content {
        case bytes([UInt8])
        /// A line longer than the limit, which was skipped without being held.
        case tooLong(byteCount: Int)
        /// Bytes that are not a record at all.
        case broken(reason: String)
    }

    package static let byteLimit = 16 << 20

    /// Source, number and place, for messages.
    package let name: String
    /// Of the content's first byte, from the start of the input.
    package let byteOffset: Int
    /// The first line of the input that it stands on, counted from 1.
    package let number: Int
    package let content: Content

    /// The bytes of the input that it is, without the line end.
    package var byteRange: Range<Int> {
        switch content {
        case .bytes(let bytes): byteOffset..<byteOffset + bytes.count
        case .tooLong(let byteCount): byteOffset..<byteOffset + byteCount
        case .broken: byteOffset..<byteOffset
        }
    }

    package var isBlank: Bool {
        guard case .bytes(let bytes) = content else { return false }
        return bytes.allSatisfy { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\r") }
    }

    /// The line as text. Repaired only when `lossy`: a replaced byte gives a vector for a text that nobody wrote.
    package func text(lossy: Bool = false) throws(BadRecord) -> String {
        switch content {
        case .tooLong(let byteCount):
            throw BadRecord(message: "\(byteCount) bytes are too long for a line, the limit is \(Self.byteLimit)")
        case .broken(let reason):
            throw BadRecord(message: reason)
        case .bytes(let bytes) where lossy:
            return String(decoding: bytes, as: UTF8.self)
        case .bytes(let bytes):
            do throws(UTF8.ValidationError) {
                return String(copying: try UTF8Span(validating: bytes.span))
            } catch {
                throw BadRecord(message: "not UTF-8 at byte \(byteOffset + error.byteOffsets.lowerBound) of the input")
            }
        }
    }
}

/// What is wrong with a record.
package struct BadRecord: Error {
    package let message: String
    /// Whether a string's content is wrong, so that the name of its field goes before the message.
    let isInText: Bool

    package init(message: String) { self.init(message: message, isInText: false) }

    init(message: String, isInText: Bool) {
        self.message = message
        self.isInText = isInText
    }
}
