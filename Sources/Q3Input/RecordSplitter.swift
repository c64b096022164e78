// Records of a file or a pipe as stretches of bytes, in bounded memory, with the place of each.
import Q3System

/// Cuts an input into lines, into rows of a table or into JSON values. Lines end in LF or CRLF; the last one may end with the
/// input.
package final class RecordSplitter {
    /// What a record is.
    package enum Form: Sendable, Equatable {
        case lines
        /// Rows of a table, in which a quoted cell may hold line breaks.
        case rows(delimiter: UInt8)
        /// The values of a JSON list, or values one after another.
        case values
        /// All bytes are one record.
        case whole
    }

    /// Where the next record begins, in decoded bytes from the start of the input.
    package private(set) var byteOffset = 0

    private let bytes: ByteStream
    private let form: Form
    private var number = 0
    private var line = 1
    private var buffer: [UInt8] = []
    private var position = 0
    /// Where to continue looking for the end of a record: a long one is not searched again with every chunk.
    private var searched = 0
    /// The end of the next record, which was looked for but not taken.
    private var foundEnd: (content: Int, next: Int)?
    private var atEnd = false
    private var isStarted = false
    private var cell = CellState.start
    private var value = ValueState()

    package init(_ bytes: ByteStream, form: Form = .lines) {
        self.bytes = bytes
        self.form = form
    }

    /// Lines of a file, or of stdin for a nil path.
    package convenience init(path: String?) throws(InputError) {
        self.init(try ByteStream(path: path))
    }

    /// Bytes of the file that were taken, as they lie on disk.
    package var takenByteCount: Int { bytes.isPlain ? byteOffset : bytes.rawByteCount }

    /// Whether a line end followed the last record, rather than the end of the input.
    package private(set) var lastRecordIsTerminated = false

    /// Whether the next record is here, so that `next` will not wait for the writer of a pipe.
    package func hasRecordAtHand() throws(InputError) -> Bool {
        guard isStarted else { return bytes.hasBytesAtHand() }
        while true {
            if let end = end() {
                // What stands between JSON values is not one of them.
                guard form == .values, end.content == position else { return true }
                _ = take(upTo: end.content, next: end.next, skipped: 0)
            } else {
                if atEnd || buffer.count - position > Line.byteLimit { return true }
                guard bytes.hasBytesAtHand() else { return false }
                try fill()
            }
        }
    }

    /// The next record, nil at the end of the input.
    package func next() throws(InputError) -> Line? {
        var skippedByteCount = 0
        while true {
            if let end = end() {
                lastRecordIsTerminated = true
                if let line = take(upTo: end.content, next: end.next, skipped: skippedByteCount) { return line }
                continue
            }
            if atEnd {
                guard position < buffer.count || skippedByteCount > 0 else { return nil }
                lastRecordIsTerminated = false
                let isOpen = cell == .quoted || value.depth > 0
                let line = take(upTo: buffer.count, next: buffer.count, skipped: skippedByteCount)
                guard isOpen, let line else { return line }
                return Line(
                    name: line.name, byteOffset: line.byteOffset, number: line.number,
                    content: .broken(reason: unfinished))
            }
            if buffer.count - position > Line.byteLimit {
                skippedByteCount += buffer.count - position
                (position, searched) = (buffer.count, buffer.count)
            }
            try fill()
        }
    }

    private var unfinished: String {
        form == .values ? "not JSON: the input ends inside this value" : "a quoted cell begins here and does not end"
    }

    /// Where the record that begins at `position` ends, and where the next one begins. It may be asked for more than once.
    private func end() -> (content: Int, next: Int)? {
        if foundEnd == nil { foundEnd = findEnd() }
        return foundEnd
    }

    private func findEnd() -> (content: Int, next: Int)? {
        switch form {
        case .lines: return newline().map { ($0, $0 + 1) }
        case .whole: return nil
        case .rows(let delimiter):
            while searched < buffer.count {
                let byte = buffer[searched]
                searched += 1
                cell = cell.after(byte, delimiter: delimiter)
                if byte == UInt8(ascii: "\n"), cell == .start { return (searched - 1, searched) }
            }
            return nil
        case .values:
            while searched < buffer.count {
                switch value.take(buffer[searched]) {
                case .inside: searched += 1
                case .between:
                    searched += 1
                    return (position, searched)
                case .ends:
                    searched += 1
                    return (searched, searched)
                case .endsBefore: return (searched, searched)
                }
            }
            return nil
        }
    }

    private func newline() -> Int? {
        let end = unsafe buffer.withUnsafeBytes { bytes -> Int? in
            guard let start = bytes.baseAddress, searched < bytes.count else { return nil }
            let found = unsafe memchr(start + searched, CInt(UInt8(ascii: "\n")), bytes.count - searched)
            return unsafe found.map { unsafe UnsafeRawPointer($0) - start }
        }
        searched = end ?? buffer.count
        return end
    }

    /// The record up to `end`; nil for what stands between JSON values.
    private func take(upTo end: Int, next: Int, skipped: Int) -> Line? {
        let (start, firstLine) = (byteOffset, line)
        byteOffset += skipped + next - position
        var content = buffer[position..<end]
        line += form == .lines ? 1 : buffer[position..<next].count { $0 == UInt8(ascii: "\n") }
        position = next
        searched = position
        foundEnd = nil
        (cell, value.depth) = (.start, 0)
        if form == .values, content.isEmpty, skipped == 0 { return nil }
        number += 1
        let place: String
        switch form {
        case .lines, .rows: place = "\(bytes.name):\(firstLine) (byte \(start))"
        case .values: place = "\(bytes.name): value \(number) (byte \(start))"
        case .whole: place = bytes.name
        }
        guard skipped + content.count <= Line.byteLimit else {
            return Line(
                name: place, byteOffset: start, number: firstLine,
                content: .tooLong(byteCount: skipped + content.count))
        }
        if form != .whole, content.last == UInt8(ascii: "\r") { content.removeLast() }
        return Line(name: place, byteOffset: start, number: firstLine, content: .bytes(Array(content)))
    }

    /// Moves what is left to the front and reads one more chunk after it.
    private func fill() throws(InputError) {
        buffer.removeSubrange(..<position)
        searched -= position
        position = 0
        let more = try bytes.read()
        if !isStarted {
            isStarted = true
            if bytes.isPlain { byteOffset = bytes.markByteCount }
        }
        buffer += more
        atEnd = more.isEmpty
    }
}

/// Where in a row of a table the reading is. A quote opens a cell only at its start, as in RFC 4180.
enum CellState {
    case start, plain, quoted
    /// After a quote in a quoted cell: its end, or the first of two that mean one.
    case quote

    func after(_ byte: UInt8, delimiter: UInt8) -> CellState {
        switch (self, byte) {
        case (.quoted, UInt8(ascii: "\"")): .quote
        case (.quoted, _): .quoted
        case (.quote, UInt8(ascii: "\"")): .quoted
        case (_, UInt8(ascii: "\n")), (_, delimiter): .start
        case (.start, UInt8(ascii: "\"")): .quoted
        default: .plain
        }
    }
}

/// Where among JSON values the reading is; it finds their ends and leaves their content to the scanner.
private struct ValueState {
    /// Open brackets of the value, or 1 inside a value without brackets.
    var depth = 0
    private var isInString = false
    private var isEscaped = false
    /// Whether the value is a number or a word, which ends before the next mark.
    private var isBare = false
    private var isInList = false
    private var isFirst = true

    enum Step { case inside, between, ends, endsBefore }

    mutating func take(_ byte: UInt8) -> Step {
        if isInString {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
                isInString = false
                return depth == 1 ? close() : step(-1)
            }
            return .inside
        }
        if depth == 0 {
            switch byte {
            case 0x20, 0x09, 0x0A, 0x0D, UInt8(ascii: ","): return .between
            case UInt8(ascii: "[") where isFirst:
                (isFirst, isInList) = (false, true)
                return .between
            case UInt8(ascii: "]") where isInList:
                isInList = false
                return .between
            default: break
            }
            isFirst = false
        } else if isBare {
            guard [0x20, 0x09, 0x0A, 0x0D, UInt8(ascii: ","), UInt8(ascii: "]")].contains(byte) else { return .inside }
            isBare = false
            depth = 0
            return .endsBefore
        }
        switch byte {
        case UInt8(ascii: "\""):
            isInString = true
            return step(1)
        case UInt8(ascii: "{"), UInt8(ascii: "["): return step(1)
        case UInt8(ascii: "}"), UInt8(ascii: "]"): return depth <= 1 ? close() : step(-1)
        default:
            if depth == 0 {
                isBare = true
                depth = 1
            }
            return .inside
        }
    }

    private mutating func step(_ change: Int) -> Step {
        depth += change
        return .inside
    }

    private mutating func close() -> Step {
        depth = 0
        return .ends
    }
}
