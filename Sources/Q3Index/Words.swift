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

    /// Scripts that are written without spaces between words: Han, Japanese and Korean, Thai, Lao, Burmese and Khmer. (Korean
    /// has spaces, but its words have endings.)
    private static func isUnspaced(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case ..<0x0E00: false
        case 0x0E00...0x0EFF, 0x1000...0x109F, 0x1100...0x11FF, 0x1780...0x17FF, 0x3005...0x3007, 0x3040...0x30FF,
            0x3130...0x318F, 0x31F0...0x31FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA960...0xA97F, 0xAC00...0xD7FF,
            0xF900...0xFAFF, 0xFF66...0xFF9F, 0x20000...0x3FFFD:
            true
        default: false
        }
    }

    /// The words of a text where words stand apart, and of what is written without spaces every two letters that stand side by
    /// side, or a lone letter. FTS5 takes a whole clause of Chinese for a word, with the Latin words in it.
    ///
    /// Of ways to cut such texts this one found most (`Tests/EndToEnd/Index/languages.py`).
    static func terms(_ text: String) -> [(word: String, range: Range<Int>, isUnspaced: Bool)] {
        var terms: [(String, Range<Int>, Bool)] = []
        for (word, range) in split(text) {
            if word.utf8.allSatisfy({ $0 < 0x80 }) {
                terms.append((word, range, false))
                continue
            }
            let scalars = Array(word.unicodeScalars)
            var start = 0
            while start < scalars.count {
                let isPart = isUnspaced(scalars[start])
                let end = scalars[start...].firstIndex { isUnspaced($0) != isPart } ?? scalars.count
                let width = isPart ? min(2, end - start) : end - start
                for first in start...(end - width) {
                    var part = String.UnicodeScalarView()
                    part.append(contentsOf: scalars[first..<first + width])
                    let place = range.lowerBound + first
                    terms.append((String(part), place..<place + width, isPart))
                }
                start = end
            }
        }
        return terms
    }

    /// What words of a text without spaces are searched by, with spaces between: of every clause that has such letters its
    /// terms, and each last letter, so that every letter begins a term. Empty for other texts.
    static func pairs(of text: String) -> String {
        if text.utf8.allSatisfy({ $0 < 0xE0 }) { return "" }
        var result: [String] = []
        for (word, _) in split(text) where word.unicodeScalars.contains(where: isUnspaced) {
            let terms = terms(word)
            for (index, term) in terms.enumerated() {
                result.append(term.word)
                let isLast = index + 1 == terms.count || !terms[index + 1].isUnspaced
                if term.isUnspaced, isLast, term.range.count == 2, let last = term.word.unicodeScalars.last {
                    result.append(String(last))
                }
            }
        }
        return result.joined(separator: " ")
    }

    /// The terms of a query as they are compared.
    static func searched(_ query: String) -> Set<String> { Set(terms(query).map { folded($0.word) }) }

    /// A word as it is compared: small letters, and none of the marks that stand on Latin ones.
    static func folded(_ word: String) -> String {
        if word.utf8.allSatisfy({ $0 < 0x80 }) { return word.lowercased() }
        var result = String.UnicodeScalarView()
        for scalar in word.lowercased().unicodeScalars where !(0x300...0x36F).contains(scalar.value) {
            result.append(scalar)
        }
        return String(result)
    }

    /// Most terms of a query that are looked up; a text pasted as a query need not be compared with all of the index.
    private static let limit = 128

    /// What FTS5 looks up for a text: each of its terms as a string, so that nothing in it is syntax. A lone letter of a script
    /// without spaces is the beginning of terms.
    static func phrases(for text: String) -> [String] {
        var seen: Set<String> = []
        return terms(text).filter { seen.insert(folded($0.word)).inserted }.prefix(limit).map { term in
            "\"\(term.word)\"\(term.isUnspaced && term.range.count == 1 ? "*" : "")"
        }
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
        let words = Self.found(query, in: Words.terms(String(flat)))
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
        var marks: [Range<Int>] = []
        for (_, range) in words where range.lowerBound >= start && range.upperBound <= end {
            let mark = range.lowerBound + shift..<range.upperBound + shift
            // Pairs of letters overlap.
            if let last = marks.last, mark.lowerBound < last.upperBound {
                marks[marks.count - 1] = last.lowerBound..<max(last.upperBound, mark.upperBound)
            } else {
                marks.append(mark)
            }
        }
        self.marks = marks
    }

    /// Those of a text's terms that a query has; of two letters also the one that it has alone.
    private static func found(
        _ query: Set<String>, in terms: [(word: String, range: Range<Int>, isUnspaced: Bool)]
    ) -> [(word: String, range: Range<Int>)] {
        var found: [(word: String, range: Range<Int>)] = []
        for term in terms {
            let word = Words.folded(term.word)
            if query.contains(word) {
                found.append((word, term.range))
            } else if term.isUnspaced {
                for (offset, scalar) in term.word.unicodeScalars.enumerated() {
                    let place = term.range.lowerBound + offset
                    if query.contains(String(scalar)), found.last?.range != place..<place + 1 {
                        found.append((String(scalar), place..<place + 1))
                    }
                }
            }
        }
        return found
    }
}
