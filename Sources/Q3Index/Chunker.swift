// Sections packed into chunks up to a size in tokens, each with the context that is embedded before it.
import Q3Tokenizer

/// A piece of a document that gets a vector.
struct Chunk: Sendable, Equatable {
    /// Where it stands in the document's bytes.
    let bytes: Range<Int>
    /// Its lines in the document, counted from 1.
    let lines: ClosedRange<Int>
    /// What stands before it when it is embedded: the title and the headings above it.
    let context: String
    let text: String
    /// Tokens of the text, without the context and up to a few where sections meet.
    let tokenCount: Int

    /// What is embedded.
    var embeddedText: String { context.isEmpty ? text : "\(context)\n\n\(text)" }
}

/// Cuts documents.
///
/// A chunk ends where a part of the document does (a heading, a function) once it has a quarter of the size, and between
/// paragraphs when the next one would make it too large. A section that is too large by itself is cut at line ends, ends of
/// sentences or blanks, whichever comes last in its second half.
struct Chunker: Sendable {
    /// To be raised with any change that gives other chunks for the same document.
    static let version = 1
    /// Tokens that a context may have; of a longer one the outermost headings go.
    static let contextTokens = 64

    let tokenizer: Tokenizer
    /// Most tokens of a chunk's text.
    let limit: Int

    /// The title of a document that has one of its own, and its chunks. `fallbackTitle` is that of others.
    func chunks(
        of bytes: [UInt8], kind: DocumentKind, context: String, fallbackTitle: String
    ) -> (title: String, chunks: [Chunk]) {
        let lines = LineTable(bytes)
        let (title, sections) = sections(of: lines, kind: kind)
        let ownTitle = title.map { String($0.prefix(200)) } ?? ""
        let chosen = ownTitle.isEmpty ? fallbackTitle : ownTitle
        return (chosen, pack(sections, lines: lines, lead: [context, chosen].filter { !$0.isEmpty }))
    }

    private func sections(of lines: LineTable, kind: DocumentKind) -> (title: String?, sections: [Section]) {
        switch kind {
        case .markdown: TextSections.markdown(lines)
        case .html: HTMLSections.sections(of: lines.bytes)
        case .code: (nil, CodeSections.sections(of: lines, limit: limit, tokens: count))
        case .text, .pdf, .record: (nil, TextSections.paragraphs(of: lines))
        }
    }

    private func count(_ text: String) -> Int { tokenizer.encode(text).count }

    private struct Pending {
        var bytes: Range<Int>
        var text: String
        var headings: [String]
        var tokens: Int
    }

    private func pack(_ sections: [Section], lines: LineTable, lead: [String]) -> [Chunk] {
        var chunks: [Chunk] = []
        var pending: Pending?
        func close() {
            guard let chunk = pending else { return }
            chunks.append(
                Chunk(
                    bytes: chunk.bytes, lines: lines.numbers(of: chunk.bytes),
                    context: context(lead: lead, headings: chunk.headings), text: chunk.text, tokenCount: chunk.tokens))
            pending = nil
        }
        for section in sections {
            for piece in pieces(of: section) {
                if let chunk = pending,
                    chunk.tokens + piece.tokens > limit || (piece.beginsPart && chunk.tokens >= limit / 4)
                {
                    close()
                }
                guard var chunk = pending else {
                    pending = Pending(
                        bytes: piece.section.bytes, text: piece.section.text, headings: piece.section.headings,
                        tokens: piece.tokens)
                    continue
                }
                chunk.bytes = chunk.bytes.lowerBound..<max(chunk.bytes.upperBound, piece.section.bytes.upperBound)
                chunk.text += piece.separator + piece.section.text
                chunk.tokens += piece.tokens
                if piece.beginsPart {
                    chunk.headings = zip(chunk.headings, piece.section.headings).prefix { $0 == $1 }.map(\.0)
                }
                pending = chunk
            }
        }
        close()
        return chunks
    }

    private struct Piece {
        let section: Section
        let tokens: Int
        let beginsPart: Bool
        var separator = "\n\n"
    }

    /// The section as it is, or in as many pieces as it needs to keep to the limit.
    private func pieces(of section: Section) -> [Piece] {
        // No text has more tokens than bytes.
        if section.text.utf8.count <= limit {
            return [Piece(section: section, tokens: max(1, count(section.text)), beginsPart: section.beginsPart)]
        }
        let tokens = tokenizer.encodeWithOffsets(section.text)
        if tokens.count <= limit {
            return [Piece(section: section, tokens: max(1, tokens.count), beginsPart: section.beginsPart)]
        }
        let bytes = Array(section.text.utf8)
        // Where the section's text is not a copy of the document's, all that is known is where the whole stands.
        let isCopy = bytes.count == section.bytes.count
        var pieces: [Piece] = []
        var (start, first) = (0, 0)
        while start < bytes.count {
            let end =
                first + limit < tokens.count
                ? cut(bytes, from: start, to: tokens[first + limit].range.lowerBound) : bytes.count
            let next = tokens[first...].firstIndex { $0.range.lowerBound >= end } ?? tokens.count
            let part = bytes[start..<end].trimmed
            if !part.isEmpty {
                let range =
                    isCopy
                    ? section.bytes.lowerBound + part.startIndex..<section.bytes.lowerBound + part.endIndex
                    : section.bytes
                pieces.append(
                    Piece(
                        section: Section(
                            bytes: range, text: part.text, headings: section.headings, beginsPart: section.beginsPart),
                        tokens: max(1, next - first), beginsPart: section.beginsPart && pieces.isEmpty, separator: "\n")
                )
            }
            (start, first) = (end, next)
        }
        return pieces
    }

    /// Where to cut before `end`: after the last line end of the second half, else the last sentence, else the last blank,
    /// else the last character that is whole.
    private func cut(_ bytes: [UInt8], from start: Int, to end: Int) -> Int {
        let half = bytes[(start + (end - start) / 2)..<end]
        if let line = half.lastIndex(of: 0x0A) { return line + 1 }
        let stops: Set<UInt8> = [UInt8(ascii: "."), UInt8(ascii: "!"), UInt8(ascii: "?")]
        if let stop = half.indices.dropLast().last(where: { stops.contains(bytes[$0]) && bytes[$0 + 1] == 0x20 }) {
            return stop + 1
        }
        if let blank = half.lastIndex(of: 0x20) { return blank + 1 }
        var whole = end
        while whole > start + 1, whole < bytes.count, bytes[whole] & 0xC0 == 0x80 { whole -= 1 }
        return whole > start + 1 || bytes[start] < 0x80 ? max(whole, start + 1) : min(start + 4, bytes.count)
    }

    private func context(lead: [String], headings: [String]) -> String {
        var headings = headings
        while true {
            let context = (lead + headings).joined(separator: " > ")
            if headings.isEmpty || context.utf8.count <= Self.contextTokens || count(context) <= Self.contextTokens {
                return context
            }
            headings.removeFirst()
        }
    }
}
