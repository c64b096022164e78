// Source code by its structure, as its indentation tells it: definitions at the outermost level, and what is within those
// that are too large, under their first lines.

/// Any language whose blocks are indented, without a grammar for each: what begins at a level after a blank line or after the
/// end of a block is a part of its own, with the comments right above it.
struct CodeSections {
    private let lines: LineTable
    /// Most tokens of a part that is left whole.
    private let limit: Int
    private let tokens: (String) -> Int
    private var sections: [Section] = []

    static func sections(of lines: LineTable, limit: Int, tokens: @escaping (String) -> Int) -> [Section] {
        var scanner = CodeSections(lines: lines, limit: limit, tokens: tokens)
        scanner.add(0..<lines.count, under: [])
        return scanner.sections
    }

    private init(lines: LineTable, limit: Int, tokens: @escaping (String) -> Int) {
        self.lines = lines
        self.limit = limit
        self.tokens = tokens
    }

    private mutating func add(_ range: Range<Int>, under headings: [String]) {
        for part in parts(of: range) {
            let section = TextSections.section(lines, part, headings: headings, beginsPart: true)
            if section.text.isEmpty { continue }
            // A text has at most as many tokens as bytes.
            guard section.text.utf8.count > limit, tokens(section.text) > limit, part.count > 1, headings.count < 8
            else {
                sections.append(section)
                continue
            }
            let (head, signature) = head(of: part)
            let body = head.upperBound..<part.upperBound
            guard !body.isEmpty, part.count < range.count || headings.isEmpty || parts(of: body).count > 1 else {
                sections.append(section)
                continue
            }
            sections.append(TextSections.section(lines, head, headings: headings, beginsPart: true))
            add(body, under: headings + (signature.isEmpty ? [] : [signature]))
        }
    }

    /// Where parts begin: at lines of the smallest indentation, after a blank line or the end of a block.
    private func parts(of range: Range<Int>) -> [Range<Int>] {
        let filled = range.filter { !lines.isBlank($0) }
        // The line that closes what is around the range is indented less, and begins nothing.
        let openers = filled.filter { !isClosing($0) }
        guard let level = openers.map({ lines.indent($0) }).min() else { return filled.isEmpty ? [] : [range] }
        var starts: [Int] = []
        var previous: Int?
        for line in filled {
            defer { previous = line }
            guard lines.indent(line) <= level, !isClosing(line) else { continue }
            let isAfterGap = previous.map { line - $0 > 1 || (isClosing($0) && lines.indent($0) <= level) } ?? true
            if isAfterGap || starts.isEmpty { starts.append(line) }
        }
        if starts.isEmpty { return [range] }
        starts[0] = range.lowerBound
        return starts.indices.map { starts[$0]..<($0 + 1 < starts.count ? starts[$0 + 1] : range.upperBound) }
    }

    /// A line that only ends something: brackets and `end`.
    private func isClosing(_ line: Int) -> Bool {
        let text = lines.trimmed(line)
        guard let first = text.first else { return false }
        return [UInt8(ascii: "}"), UInt8(ascii: ")"), UInt8(ascii: "]")].contains(first)
            || text.elementsEqual("end".utf8) || text.elementsEqual("fi".utf8) || text.elementsEqual("done".utf8)
    }

    /// The lines of a part before its body, and the line that names it: the last one that is indented as the first, before
    /// one that is indented more.
    private func head(of part: Range<Int>) -> (lines: Range<Int>, signature: String) {
        guard let first = part.first(where: { !lines.isBlank($0) }) else { return (part, "") }
        let level = lines.indent(first)
        var last = first
        for line in first..<part.upperBound where !lines.isBlank(line) {
            guard lines.indent(line) <= level else { break }
            last = line
        }
        let name = String(lines.trimmed(last).text.prefix(80))
        return (part.lowerBound..<last + 1, name.hasSuffix("{") ? name.dropLast().trimmedText : name)
    }
}

extension Substring {
    fileprivate var trimmedText: String { Array(utf8)[...].trimmed.text }
}
extension String {
    fileprivate func dropLast() -> Substring {
        self[..<(index(endIndex, offsetBy: -1, limitedBy: startIndex) ?? startIndex)]
    }
}
