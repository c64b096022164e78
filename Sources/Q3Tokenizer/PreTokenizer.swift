// Cuts text into the pieces that Qwen2's pattern matches, by hand instead of by a regular expression.

/// Cuts normalised UTF-8 text into pieces; BPE merges never cross a piece's end. All bytes are in some piece.
///
/// The pattern has these alternatives, the first that matches wins:
///
///     (?i:'s|'t|'re|'ve|'m|'ll|'d)
///     [^\r\n\p{L}\p{N}]?\p{L}+
///     \p{N}
///      ?[^\s\p{L}\p{N}]+[\r\n]*
///     \s*[\r\n]+
///     \s+(?!\S)
///     \s+
struct PreTokenizer: ~Escapable {
    /// The max bytes of a piece, so that the merger's positions fit. Other tokenizers do not cut here; none that was tried
    /// survives such a piece.
    static let pieceByteLimit = 1 << 29

    private let text: Span<UInt8>
    private let characters = CharacterTable.shared
    private var position = 0

    @_lifetime(copy text)
    init(_ text: Span<UInt8>) {
        self.text = text
    }

    /// The next piece as a range of bytes; nil at the end of the text.
    @_lifetime(self: copy self)
    mutating func next() -> Range<Int>? {
        guard position < text.count else { return nil }
        let start = position
        position = min(pieceEnd(from: start), limit(from: start))
        return start..<position
    }

    private func pieceEnd(from start: Int) -> Int {
        let first = scalar(at: start)
        switch first.characterClass {
        case CharacterClass.letter:
            return end(of: CharacterClass.letter, from: first.end)
        case CharacterClass.number:
            return first.end
        case CharacterClass.space:
            return spacesEnd(from: start, first: first)
        default:
            if text[start] == UInt8(ascii: "'"), let end = contractionEnd(from: first.end) { return end }
            // Anything but a line end may lead a word.
            if isClass(CharacterClass.letter, at: first.end) { return end(of: CharacterClass.letter, from: first.end) }
            return symbolsEnd(from: first.end)
        }
    }

    /// After a white space scalar: a word or symbols with a space before them, or a run of white space.
    private func spacesEnd(from start: Int, first: Scalar) -> Int {
        if !isLineEnd(at: start) {
            let next = first.end < text.count ? scalar(at: first.end) : nil
            if let next, next.characterClass == CharacterClass.letter {
                return end(of: CharacterClass.letter, from: next.end)
            }
            if let next, next.characterClass == CharacterClass.other, text[start] == UInt8(ascii: " ") {
                return symbolsEnd(from: next.end)
            }
        }
        // The run's last scalar is left for the next word, unless there is none, or the run is that one scalar.
        var (last, end, afterLineEnd) = (start, first.end, isLineEnd(at: start) ? first.end : nil)
        while end < text.count {
            let scalar = scalar(at: end)
            guard scalar.characterClass == CharacterClass.space else { break }
            (last, end) = (end, scalar.end)
            if isLineEnd(at: last) { afterLineEnd = end }
        }
        if let afterLineEnd { return afterLineEnd }
        return end == text.count || last == start ? end : last
    }

    /// The rest of a run of symbols, with the line ends right after it.
    private func symbolsEnd(from start: Int) -> Int {
        var end = end(of: CharacterClass.other, from: start)
        while end < text.count, isLineEnd(at: end) { end += 1 }
        return end
    }

    /// The end of what follows an apostrophe in a contraction. Ignoring case makes U+017F an "s" too.
    private func contractionEnd(from start: Int) -> Int? {
        func letter(_ offset: Int) -> UInt8 { offset < text.count ? text[offset] | 0x20 : 0 }
        switch (letter(start), letter(start + 1)) {
        case (UInt8(ascii: "s"), _), (UInt8(ascii: "t"), _), (UInt8(ascii: "m"), _), (UInt8(ascii: "d"), _):
            return start + 1
        case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
            (UInt8(ascii: "l"), UInt8(ascii: "l")):
            return start + 2
        default:
            return start < text.count && scalar(at: start).value == 0x17F ? start + 2 : nil
        }
    }

    // MARK: - Scalars

    private struct Scalar {
        let value: UInt32
        let characterClass: UInt8
        let end: Int
    }

    @inline(__always)
    private func scalar(at offset: Int) -> Scalar {
        countSteps()
        let (value, byteCount) = text.scalar(at: offset)
        return Scalar(value: value, characterClass: characters[value].characterClass, end: offset + byteCount)
    }

    @inline(__always)
    private func isClass(_ expected: UInt8, at offset: Int) -> Bool {
        offset < text.count && scalar(at: offset).characterClass == expected
    }

    private func isLineEnd(at offset: Int) -> Bool {
        text[offset] == UInt8(ascii: "\n") || text[offset] == UInt8(ascii: "\r")
    }

    /// Where the run of scalars of one class ends that begins at `start`.
    @inline(__always)
    private func end(of expected: UInt8, from start: Int) -> Int {
        var end = start
        while end < text.count {
            let scalar = scalar(at: end)
            guard scalar.characterClass == expected else { break }
            end = scalar.end
        }
        return end
    }

    /// Where a piece from `start` is cut at the latest: at a scalar, so that what follows is still UTF-8.
    private func limit(from start: Int) -> Int {
        guard text.count - start > Self.pieceByteLimit else { return text.count }
        var limit = start + Self.pieceByteLimit
        while text[limit] & 0xC0 == 0x80 { limit -= 1 }
        return limit
    }
}
