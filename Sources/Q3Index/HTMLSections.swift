// The text of an HTML page with its headings: tags away, entities as characters, blanks as a browser would show them.

struct HTMLSections {
    private let bytes: [UInt8]
    private var position = 0
    private var sections: [Section] = []
    private var title: String?
    private var stack: [(level: Int, text: String)] = []
    private var text: [UInt8] = []
    /// Where the text under construction begins and ends in the source.
    private var span: Range<Int>?
    private var headingLevel: Int?
    private var isPreformatted = false

    /// The title and the sections of a page.
    static func sections(of bytes: [UInt8]) -> (title: String?, sections: [Section]) {
        var scanner = HTMLSections(bytes: bytes)
        scanner.scan()
        return (scanner.title, scanner.sections)
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    /// Elements whose content is not text.
    private static let hidden: Set<String> = [
        "script", "style", "template", "noscript", "svg", "math", "iframe", "object",
    ]
    /// Elements within a line; all others end a paragraph.
    private static let inline: Set<String> = [
        "a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "dfn", "em", "font", "i", "img", "input", "kbd",
        "label",
        "mark", "q", "s", "samp", "small", "span", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
    ]

    private mutating func scan() {
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "<"): markup()
            case UInt8(ascii: "&"): entity()
            default: character(bytes[position], end: position + 1)
            }
        }
        close()
    }

    private mutating func character(_ byte: UInt8, end: Int) {
        defer { position = end }
        let isBlank = byte == 0x20 || (0x09...0x0D).contains(byte)
        if isBlank, !isPreformatted {
            if let last = text.last, last != 0x20 { text.append(0x20) }
            return
        }
        span = (span?.lowerBound ?? position)..<end
        text.append(byte)
    }

    private mutating func append(_ scalar: Unicode.Scalar, end: Int) {
        span = (span?.lowerBound ?? position)..<end
        text += Array(String(scalar).utf8)
        position = end
    }

    /// A comment, a declaration, or a tag; a `<` that begins none of them is a letter.
    private mutating func markup() {
        let rest = bytes[position...]
        if rest.starts(with: "<!--".utf8) {
            position = end(of: "-->", from: position + 4)
        } else if rest.dropFirst().first == UInt8(ascii: "!") || rest.dropFirst().first == UInt8(ascii: "?") {
            position = end(of: ">", from: position + 1)
        } else {
            tag()
        }
    }

    private func end(of text: String, from start: Int) -> Int {
        let wanted = Array(text.utf8)
        var index = start
        while index + wanted.count <= bytes.count {
            if bytes[index..<index + wanted.count].elementsEqual(wanted) { return index + wanted.count }
            index += 1
        }
        return bytes.count
    }

    private mutating func tag() {
        var index = position + 1
        let isEnd = index < bytes.count && bytes[index] == UInt8(ascii: "/")
        if isEnd { index += 1 }
        let nameStart = index
        while index < bytes.count, bytes[index].isASCIILetterOrDigit { index += 1 }
        guard index > nameStart, bytes[nameStart].isASCIILetter else {
            character(bytes[position], end: position + 1)
            return
        }
        let name = bytes[nameStart..<index].text.lowercased()
        // A > within a quoted value does not end the tag.
        var quote: UInt8?
        while index < bytes.count, quote != nil || bytes[index] != UInt8(ascii: ">") {
            let byte = bytes[index]
            if byte == quote {
                quote = nil
            } else if quote == nil, byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                quote = byte
            }
            index += 1
        }
        let after = min(index + 1, bytes.count)
        take(name, isEnd: isEnd)
        position = after
        if !isEnd, Self.hidden.contains(name) || name == "title" { skip(name) }
    }

    private mutating func take(_ name: String, isEnd: Bool) {
        if name == "br" {
            if !text.isEmpty { text.append(0x0A) }
        } else if name.utf8.count == 2, name.utf8.first == UInt8(ascii: "h"),
            let level = name.utf8.last.map({ Int($0) - 0x30 }), (1...6).contains(level)
        {
            if isEnd { closeHeading() } else { close() }
            headingLevel = isEnd ? nil : level
        } else if !Self.inline.contains(name) {
            // A list's entries and a table's rows are lines of one paragraph.
            if ["li", "tr", "dt", "dd"].contains(name) {
                if !isEnd, !text.isEmpty { text.append(0x0A) }
            } else if name == "td" || name == "th" {
                if !text.isEmpty { text.append(0x20) }
            } else {
                close()
            }
            if name == "pre" { isPreformatted = !isEnd }
        }
    }

    /// Skips an element whose content is not shown. A title's content is kept.
    private mutating func skip(_ name: String) {
        let start = position
        let closing = Array("</\(name)".utf8)
        while position + closing.count <= bytes.count {
            if bytes[position] == closing[0],
                bytes[position..<position + closing.count].lazy.map(\.asciiLowercased).elementsEqual(closing)
            {
                if name == "title", title == nil {
                    var inner = HTMLSections(bytes: Array(bytes[start..<position]))
                    inner.scan()
                    title = inner.sections.map(\.text).joined(separator: " ")
                }
                position = end(of: ">", from: position)
                return
            }
            position += 1
        }
        position = bytes.count
    }

    private mutating func closeHeading() {
        guard let level = headingLevel else { return close() }
        let name = text[...].trimmed.text
        close()
        if !name.isEmpty { stack.append((level, name)) }
    }

    private mutating func close() {
        defer {
            text = []
            span = nil
        }
        if let level = headingLevel { stack.removeAll { $0.level >= level } }
        let content = text[...].trimmed.text
        guard !content.isEmpty, let span else { return }
        sections.append(
            Section(
                bytes: span, text: content, headings: stack.map(\.text).filter { $0 != title },
                beginsPart: headingLevel != nil))
    }

    private static let entities: [String: UInt32] = [
        "amp": 0x26, "lt": 0x3C, "gt": 0x3E, "quot": 0x22, "apos": 0x27, "nbsp": 0x20, "copy": 0xA9, "reg": 0xAE,
        "ndash": 0x2013, "mdash": 0x2014, "hellip": 0x2026, "lsquo": 0x2018, "rsquo": 0x2019, "ldquo": 0x201C,
        "rdquo": 0x201D, "laquo": 0xAB, "raquo": 0xBB, "bull": 0x2022, "middot": 0xB7, "sect": 0xA7, "para": 0xB6,
        "deg": 0xB0, "plusmn": 0xB1, "times": 0xD7, "divide": 0xF7, "euro": 0x20AC, "pound": 0xA3, "yen": 0xA5,
        "cent": 0xA2,
        "auml": 0xE4, "ouml": 0xF6, "uuml": 0xFC, "Auml": 0xC4, "Ouml": 0xD6, "Uuml": 0xDC, "szlig": 0xDF,
        "eacute": 0xE9,
        "egrave": 0xE8, "agrave": 0xE0, "aacute": 0xE1, "ccedil": 0xE7, "ntilde": 0xF1, "iacute": 0xED, "oacute": 0xF3,
        "uacute": 0xFA, "ecirc": 0xEA, "ocirc": 0xF4, "acirc": 0xE2, "icirc": 0xEE, "larr": 0x2190, "rarr": 0x2192,
        "uarr": 0x2191, "darr": 0x2193, "le": 0x2264, "ge": 0x2265, "ne": 0x2260, "trade": 0x2122, "shy": 0xAD,
    ]

    private mutating func entity() {
        let rest = bytes[(position + 1)...].prefix(32)
        guard let end = rest.firstIndex(of: UInt8(ascii: ";")), end > position + 1 else {
            return character(bytes[position], end: position + 1)
        }
        let name = bytes[(position + 1)..<end].text
        let value: UInt32? =
            if name.hasPrefix("#x") || name.hasPrefix("#X") {
                UInt32(name.dropFirst(2), radix: 16)
            } else if name.hasPrefix("#") {
                UInt32(name.dropFirst(1))
            } else {
                Self.entities[name]
            }
        guard let scalar = value.flatMap(Unicode.Scalar.init), scalar.value != 0 else {
            return character(bytes[position], end: position + 1)
        }
        append(scalar, end: end + 1)
    }
}

extension UInt8 {
    var isASCIILetter: Bool { (0x41...0x5A).contains(self) || (0x61...0x7A).contains(self) }
    var isASCIILetterOrDigit: Bool { isASCIILetter || (0x30...0x39).contains(self) }
    var asciiLowercased: UInt8 { (0x41...0x5A).contains(self) ? self + 0x20 : self }
}
