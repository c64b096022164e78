// Plain text and Markdown by their structure: paragraphs, headings, fenced code.

enum TextSections {
    /// The paragraphs of plain text. A form feed, which ends a page, ends a part too.
    static func paragraphs(of lines: LineTable) -> [Section] {
        var sections: [Section] = []
        var start: Int?
        var beginsPart = false
        func close(before line: Int) {
            guard let first = start else { return }
            sections.append(section(lines, first..<line, headings: [], beginsPart: beginsPart))
            (start, beginsPart) = (nil, false)
        }
        for line in 0..<lines.count {
            if lines.bytes[lines.range(line)].contains(0x0C) {
                close(before: line)
                beginsPart = true
            }
            if lines.isBlank(line) { close(before: line) } else if start == nil { start = line }
        }
        close(before: lines.count)
        return sections
    }

    /// The headings, paragraphs and fenced blocks of Markdown, and the document's title: that of the first heading if it
    /// is the highest, or what the front matter says.
    static func markdown(_ lines: LineTable) -> (title: String?, sections: [Section]) {
        var scanner = MarkdownScanner(lines: lines)
        scanner.scan()
        return (scanner.title, scanner.sections)
    }

    static func section(
        _ lines: LineTable, _ range: Range<Int>, headings: [String], beginsPart: Bool
    ) -> Section {
        let bytes = lines.range(range)
        let trimmed = lines.bytes[bytes].trimmed
        return Section(
            bytes: trimmed.startIndex..<trimmed.endIndex, text: trimmed.text, headings: headings, beginsPart: beginsPart
        )
    }
}

private struct MarkdownScanner {
    let lines: LineTable
    var title: String?
    var sections: [Section] = []
    private var stack: [(level: Int, text: String)] = []
    private var start: Int?
    private var sawHeading = false

    init(lines: LineTable) { self.lines = lines }

    mutating func scan() {
        var line = frontMatter()
        while line < lines.count {
            if let fence = fence(line) {
                if start == nil { start = line }
                line += 1
                while line < lines.count, !isClosing(line, of: fence) { line += 1 }
                line = min(line + 1, lines.count)
            } else if let heading = heading(line) {
                close(before: line)
                take(heading, at: line)
                line += 1
            } else if let level = underline(line), let first = start, first == line - 1 {
                // A line of text over a line of = or - is a heading.
                start = nil
                take((level, lines.trimmed(first).text), from: first, to: line + 1)
                line += 1
            } else {
                if lines.isBlank(line) { close(before: line) } else if start == nil { start = line }
                line += 1
            }
        }
        close(before: lines.count)
    }

    /// The line after the front matter, between two lines of three dashes at the very start.
    private mutating func frontMatter() -> Int {
        guard lines.count > 1, lines.trimmed(0).elementsEqual("---".utf8) else { return 0 }
        for line in 1..<min(lines.count, 200) {
            let text = lines.trimmed(line)
            if text.elementsEqual("---".utf8) {
                if line > 1 {
                    sections.append(TextSections.section(lines, 1..<line, headings: [], beginsPart: true))
                }
                return line + 1
            }
            if text.starts(with: "title:".utf8) {
                let value = text.dropFirst(6).trimmed
                let quote = value.first.map { $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "'") } ?? false
                title = (quote && value.count > 1 ? value.dropFirst().dropLast() : value).text
            }
        }
        (title, sections) = (nil, [])
        return 0
    }

    private func fence(_ line: Int) -> (mark: UInt8, count: Int)? {
        let text = lines.trimmed(line)
        guard let mark = text.first, mark == UInt8(ascii: "`") || mark == UInt8(ascii: "~") else { return nil }
        let count = text.prefix { $0 == mark }.count
        return count >= 3 ? (mark, count) : nil
    }

    private func isClosing(_ line: Int, of fence: (mark: UInt8, count: Int)) -> Bool {
        let text = lines.trimmed(line)
        return text.count >= fence.count && text.allSatisfy { $0 == fence.mark }
    }

    private func heading(_ line: Int) -> (level: Int, text: String)? {
        guard lines.indent(line) < 4 else { return nil }
        let text = lines.trimmed(line)
        let level = text.prefix { $0 == UInt8(ascii: "#") }.count
        guard (1...6).contains(level) else { return nil }
        let rest = text.dropFirst(level)
        guard rest.isEmpty || rest.first == 0x20 || rest.first == 0x09 else { return nil }
        var name = rest.trimmed
        while name.last == UInt8(ascii: "#") { name = name.dropLast() }
        return (level, name.trimmed.text)
    }

    /// The level that a line of only = or only - gives to the one above it.
    private func underline(_ line: Int) -> Int? {
        let text = lines.trimmed(line)
        guard text.count >= 2, let mark = text.first, text.allSatisfy({ $0 == mark }) else { return nil }
        return mark == UInt8(ascii: "=") ? 1 : mark == UInt8(ascii: "-") ? 2 : nil
    }

    private mutating func take(_ heading: (level: Int, text: String), at line: Int) {
        take(heading, from: line, to: line + 1)
    }

    private mutating func take(_ heading: (level: Int, text: String), from first: Int, to end: Int) {
        stack.removeAll { $0.level >= heading.level }
        if !sawHeading, title == nil, heading.level == 1, !heading.text.isEmpty {
            title = heading.text  // it stands before every chunk as the title, so not as a heading, too
            sections.append(TextSections.section(lines, first..<end, headings: [], beginsPart: true))
        } else {
            sections.append(
                TextSections.section(lines, first..<end, headings: stack.map(\.text), beginsPart: true))
            if !heading.text.isEmpty { stack.append(heading) }
        }
        sawHeading = true
    }

    private mutating func close(before line: Int) {
        guard let first = start else { return }
        sections.append(
            TextSections.section(lines, first..<line, headings: stack.map(\.text), beginsPart: false))
        start = nil
    }
}
