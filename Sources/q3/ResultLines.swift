// Ranked texts for people: a line each, as wide as the terminal, cut between words.
import Q3System

/// A found or scored text.
struct RankedText {
    let score: Float
    /// Its id, or its number in the input from 1.
    let label: String
    let text: String
}

/// How ranked texts are shown.
struct ResultLines {
    /// Columns of the terminal; nil where output is not one, and columns stand with tabs between.
    let width: Int?
    let hasColor: Bool
    /// Digits of a score after its point.
    let digits: Int

    /// For stdout, unless the output goes to a file.
    init(toFile: Bool, digits: Int) {
        width = !toFile && Terminal.isInteractive(1) ? Terminal.width(1) : nil
        hasColor = !toFile && Terminal.hasColor(1)
        self.digits = digits
    }

    init(width: Int?, hasColor: Bool, digits: Int) {
        (self.width, self.hasColor, self.digits) = (width, hasColor, digits)
    }

    func text(_ rows: [RankedText]) -> String {
        guard let width else {
            return rows.map { "\($0.score)\t\($0.label.withControlsEscaped)\t\(Self.line(of: $0.text))\n" }.joined()
        }
        let scores = rows.map { Double($0.score).fixed(digits) }
        let labels = rows.map { Self.cut($0.label.withControlsEscaped, to: max(8, width / 4)) }
        let rankWidth = "\(rows.count)".count
        let scoreWidth = scores.map(\.count).max() ?? 0
        let labelWidth = labels.map(Self.width).max() ?? 0
        let space = max(10, width - rankWidth - scoreWidth - labelWidth - 6)
        return rows.indices.map { index in
            let rank = Self.padding("\(index + 1)", rankWidth) + "\(index + 1)"
            let score = Self.padding(scores[index], scoreWidth) + scores[index]
            let label = labels[index] + Self.padding(labels[index], labelWidth)
            let text = Self.cut(Self.line(of: rows[index].text), to: space)
            return "\(color(rank, "2"))  \(color(score, "32"))  \(color(label, "36"))  \(text)\n"
        }.joined()
    }

    private func color(_ text: String, _ code: String) -> String { hasColor ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text }

    private static func padding(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - Self.width(text)))
    }

    /// A text on one line.
    private static func line(of text: String) -> String {
        text.prefix(4000).split(whereSeparator: \.isWhitespace).joined(separator: " ").withControlsEscaped
    }

    /// The beginning of a text in so many columns; cut between words if the last one is not too long, with an ellipsis.
    static func cut(_ text: String, to columns: Int) -> String {
        guard width(text) > columns else { return text }
        var (used, end) = (0, text.startIndex)
        var lastSpace: String.Index?
        while end < text.endIndex, used + width(text[end]) <= columns - 1 {
            if text[end] == " " { lastSpace = end }
            used += width(text[end])
            end = text.index(after: end)
        }
        if text[end] != " ", let lastSpace, width(String(text[..<lastSpace])) >= columns / 2 { end = lastSpace }
        return text[..<end] + "…"
    }

    private static func width(_ text: String) -> Int { text.reduce(0) { $0 + width($1) } }

    /// Columns of a character: two for the wide letters of East Asia and for emoji.
    private static func width(_ character: Character) -> Int {
        guard let scalar = character.unicodeScalars.first else { return 0 }
        switch scalar.value {
        case 0..<0x1100: return 1
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
            0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x20000...0x3FFFD:
            return 2
        default: return scalar.properties.isEmojiPresentation ? 2 : 1
        }
    }
}
