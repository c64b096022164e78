// The merges of a file, from lines of text to ids of tokens.

import Q3GGUF

/// One line of the file's merges: `left` and `right` become `result`. Its place in the list is its rank; low ranks
/// go first.
struct Merge {
    let left: Int32
    let right: Int32
    let result: Int32

    /// Resolves all lines.
    static func resolve(_ lines: StringArray, in vocabulary: Vocabulary) throws(TokenizerError) -> [Merge] {
        let text = try MergeLines(lines)
        var merges: [Merge] = []
        merges.reserveCapacity(lines.count)
        var start = 0
        for (rank, line) in text.lines.enumerated() {
            let whole = text.bytes.span.extracting(start..<line.end)
            let left = whole.extracting(..<(line.split - start))
            let right = whole.extracting((line.split - start)...)
            guard let leftID = vocabulary.normalToken(left) else {
                throw .unknownMergePart(rank: rank, part: String(copying: left))
            }
            guard let rightID = vocabulary.normalToken(right) else {
                throw .unknownMergePart(rank: rank, part: String(copying: right))
            }
            // Files list results in the order of their merges, so the token after the last result is nearly always
            // it.
            guard let result = vocabulary.normalToken(whole, guess: (merges.last?.result ?? 0) + 1) else {
                throw .unknownMergeResult(rank: rank, result: String(copying: whole))
            }
            merges.append(Merge(left: leftID, right: rightID, result: result))
            start = line.end
        }
        return merges
    }
}

/// The lines' bytes, decoded from the byte-level alphabet. A pass of its own: the searches that follow then wait on
/// memory for many lines at once.
private struct MergeLines {
    struct Line {
        /// Where in `bytes` the left part ends, and the right one.
        let split: Int
        let end: Int
    }

    private(set) var bytes: [UInt8] = []
    private(set) var lines: [Line] = []

    init(_ text: StringArray) throws(TokenizerError) {
        guard text.count <= Vocabulary.countLimit else {
            throw .tooMany(key: TokenizerKey.merges, count: text.count, limit: Vocabulary.countLimit)
        }
        bytes.reserveCapacity(8 * text.count)
        lines.reserveCapacity(text.count)
        unsafe try text.forEach { rank, line throws(TokenizerError) in
            guard append(unsafe Span(_unsafeBytes: line)) else { throw .malformedMerge(rank: rank) }
        }
    }

    /// A space is no character of the alphabet, so the first one ends the left part and there must be no second.
    private mutating func append(_ line: Span<UInt8>) -> Bool {
        var space = 0
        while space < line.count, line[space] != UInt8(ascii: " ") { space += 1 }
        // A part is at most as long as a token, whose characters take two bytes of UTF-8 at most.
        guard 0 < space, space + 1 < line.count, line.count <= 4 * Vocabulary.tokenByteLimit,
            ByteLevelAlphabet.decode(line.extracting(..<space), into: &bytes) == nil
        else { return false }
        let split = bytes.count
        guard ByteLevelAlphabet.decode(line.extracting((space + 1)...), into: &bytes) == nil else { return false }
        lines.append(Line(split: split, end: bytes.count))
        return true
    }
}

extension String {
    /// Text of bytes that need not be UTF-8, for messages.
    fileprivate init(copying bytes: Span<UInt8>) {
        self.init(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
    }
}
