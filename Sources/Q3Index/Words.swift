// The words of queries and texts: letters and digits in a row, compared without case and accents.

enum Words {
    /// The words of a text with where each stands, in Unicode scalars.
    static func split(_ text: String) -> [(word: String, range: Range<Int>)] {
        var words: [(String, Range<Int>)] = []
        var current = String.UnicodeScalarView()
        var start = 0
        var offset = 0
        func close() {
            if !current.isEmpty { words.append((String(current), start..<offset)) }
            current = String.UnicodeScalarView()
        }
        for scalar in text.unicodeScalars {
            if isWordScalar(scalar) {
                if current.isEmpty { start = offset }
                current.append(scalar)
            } else {
                close()
            }
            offset += 1
        }
        close()
        return words
    }

    /// Letters, digits and what stands on letters, as FTS5's unicode61 has it.
    private static func isWordScalar(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.value < 0x80 { return UInt8(scalar.value).isASCIILetterOrDigit }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
            .letterNumber, .otherNumber, .nonspacingMark, .spacingMark, .privateUse:
            return true
        default: return false
        }
    }

    /// A word as it is compared: small letters, and none of the marks that stand on Latin ones.
    static func folded(_ word: String) -> String {
        if word.utf8.allSatisfy({ $0 < 0x80 }) { return word.lowercased() }
        var result = String.UnicodeScalarView()
        for scalar in word.lowercased().unicodeScalars where !(0x300...0x36F).contains(scalar.value) {
            result.append(scalar)
        }
        return String(result)
    }

    /// Most words of a query that are looked up; a text pasted as a query need not be compared with all of the index.
    private static let limit = 64

    /// FTS5's expression for any of the words of a text, each as a string, so that nothing in it is syntax; nil for a text
    /// without words.
    static func expression(for text: String) -> String? {
        var seen: Set<String> = []
        let words = split(text).map(\.word).filter { seen.insert(folded($0)).inserted }.prefix(limit)
        return words.isEmpty ? nil : words.map { "\"\($0)\"" }.joined(separator: " OR ")
    }
}

/// An excerpt of a text around the words of a query.
public struct Snippet: Sendable, Equatable {
    /// The excerpt, with an ellipsis where the chunk continues.
    public let text: String
    /// Where words of the query stand, in Unicode scalars of `text`.
    public let marks: [Range<Int>]

    /// Scalars that a snippet has at most.
    private static let length = 240

    /// The stretch with the most different words of the query, earlier ones first, cut at blanks. Blanks and line ends are
    /// one blank each.
    init(of text: String, for query: Set<String>) {
        let scalars = Array(text.split(whereSeparator: \.isWhitespace).joined(separator: " ").unicodeScalars)
        var flat = String.UnicodeScalarView()
        flat.append(contentsOf: scalars)
        let words = Words.split(String(flat)).map { (word: Words.folded($0.word), range: $0.range) }
            .filter { query.contains($0.word) }
        var (best, bestCount) = (0, 0)
        var last = 0
        for first in words.indices {
            last = max(last, first)
            while last + 1 < words.count,
                words[last + 1].range.upperBound - words[first].range.lowerBound <= Self.length
            {
                last += 1
            }
            let count = Set(words[first...last].map(\.word)).count
            if count > bestCount { (best, bestCount) = (first, count) }
        }
        // Some of what stands before the first word is shown, too.
        var start = bestCount == 0 ? 0 : max(0, words[best].range.lowerBound - Self.length / 6)
        if start > 0, let blank = scalars[start..<words[best].range.lowerBound].firstIndex(of: " ") {
            start = blank + 1
        }
        var end = min(scalars.count, start + Self.length)
        if end < scalars.count, let blank = scalars[start..<end].lastIndex(of: " "), blank > start + Self.length / 2 {
            end = blank
        }
        var shown = String.UnicodeScalarView()
        shown.append(contentsOf: scalars[start..<end])
        self.text = (start > 0 ? "…" : "") + String(shown) + (end < scalars.count ? "…" : "")
        let shift = (start > 0 ? 1 : 0) - start
        marks = words.filter { $0.range.lowerBound >= start && $0.range.upperBound <= end }
            .map { $0.range.lowerBound + shift..<$0.range.upperBound + shift }
    }
}
