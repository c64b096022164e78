// The lines of a text: where each begins, and which one a byte is in.

struct LineTable {
    let bytes: [UInt8]
    /// Where each line begins; the last entry is the end of the text.
    private let starts: [Int]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        var starts = [0]
        for (index, byte) in bytes.enumerated() where byte == 0x0A { starts.append(index + 1) }
        if starts.last != bytes.count { starts.append(bytes.count) }
        self.starts = starts
    }

    var count: Int { starts.count - 1 }

    /// The bytes of a line, counted from 0, with its end.
    func range(_ line: Int) -> Range<Int> { starts[line]..<starts[line + 1] }

    /// The bytes of lines, with the last one's end.
    func range(_ lines: Range<Int>) -> Range<Int> { starts[lines.lowerBound]..<starts[lines.upperBound] }

    /// A line without the blanks at both ends.
    func trimmed(_ line: Int) -> ArraySlice<UInt8> { bytes[range(line)].trimmed }

    func isBlank(_ line: Int) -> Bool { trimmed(line).isEmpty }

    /// Columns of blanks before a line's first letter; a tab counts as four.
    func indent(_ line: Int) -> Int {
        var columns = 0
        for byte in bytes[range(line)] {
            switch byte {
            case UInt8(ascii: " "): columns += 1
            case UInt8(ascii: "\t"): columns += 4
            default: return columns
            }
        }
        return columns
    }

    /// The line, counted from 1, that a byte is in.
    func number(at offset: Int) -> Int {
        var (low, high) = (0, starts.count - 1)
        while low < high {
            let middle = (low + high + 1) / 2
            if starts[middle] <= offset { low = middle } else { high = middle - 1 }
        }
        return min(low, max(count - 1, 0)) + 1
    }

    /// The lines, counted from 1, of a range of bytes.
    func numbers(of range: Range<Int>) -> ClosedRange<Int> {
        let first = number(at: range.lowerBound)
        return first...max(first, number(at: max(range.lowerBound, range.upperBound - 1)))
    }
}

extension ArraySlice<UInt8> {
    /// Without blanks and line ends at both ends.
    var trimmed: ArraySlice<UInt8> {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        guard let first = firstIndex(where: { !isBlank($0) }), let last = lastIndex(where: { !isBlank($0) }) else {
            return self[startIndex..<startIndex]
        }
        return self[first...last]
    }

    var text: String { String(decoding: self, as: UTF8.self) }
}

/// A stretch of a document that belongs together: a paragraph, a heading, a function.
struct Section: Equatable {
    /// Where it stands in the document's bytes.
    var bytes: Range<Int>
    var text: String
    /// Headings that it stands under, outermost first; not what it begins with itself.
    var headings: [String]
    /// Whether something new begins here, so that a chunk should end before it.
    var beginsPart: Bool
}
