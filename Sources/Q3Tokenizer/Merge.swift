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
        let bytes = text.bytes.span
        // Three short loops and not one: the searches then wait on memory for many lines at once.
        var lefts: [Int32] = []
        lefts.reserveCapacity(text.count)
        for rank in 0..<text.count {
            let part = bytes.extracting(text.left(rank))
            guard let id = vocabulary.normalToken(part) else {
                throw .unknownMergePart(rank: rank, part: String(copying: part))
            }
            lefts.append(id)
        }
        var rights: [Int32] = []
        rights.reserveCapacity(text.count)
        for rank in 0..<text.count {
            let part = bytes.extracting(text.right(rank))
            guard let id = vocabulary.normalToken(part) else {
                throw .unknownMergePart(rank: rank, part: String(copying: part))
            }
            rights.append(id)
        }
        var merges: [Merge] = []
        merges.reserveCapacity(text.count)
        var last: Int32 = 0
        for rank in 0..<text.count {
            let whole = bytes.extracting(text.whole(rank))
            // Files list results in the order of their merges, so the token after the last result is nearly always it.
            guard let id = vocabulary.normalToken(whole, guess: last + 1) else {
                throw .unknownMergeResult(rank: rank, result: String(copying: whole))
            }
            merges.append(Merge(left: lefts[rank], right: rights[rank], result: id))
            last = id
        }
        return merges
    }
}

/// The lines' bytes, decoded from the byte-level alphabet.
private struct MergeLines {
    private(set) var bytes: [UInt8] = []
    /// Where in `bytes` the left part of a line ends, and the right one.
    private var splits: [Int] = []
    private var ends: [Int] = []

    var count: Int { ends.count }

    func whole(_ rank: Int) -> Range<Int> { (rank == 0 ? 0 : ends[rank - 1])..<ends[rank] }
    func left(_ rank: Int) -> Range<Int> { whole(rank).lowerBound..<splits[rank] }
    func right(_ rank: Int) -> Range<Int> { splits[rank]..<ends[rank] }

    init(_ text: StringArray) throws(TokenizerError) {
        guard text.count <= Vocabulary.countLimit else {
            throw .tooMany(key: TokenizerKey.merges, count: text.count, limit: Vocabulary.countLimit)
        }
        bytes.reserveCapacity(8 * text.count)
        splits.reserveCapacity(text.count)
        ends.reserveCapacity(text.count)
        unsafe try text.forEachBytes { rank, line throws(TokenizerError) in
            guard append(unsafe Span(_unsafeBytes: line)) else { throw .malformedMerge(rank: rank) }
        }
    }

    /// A space is not a character of the alphabet, so the first one ends the left part and there must be no second.
    private mutating func append(_ line: Span<UInt8>) -> Bool {
        var space = 0
        while space < line.count, line[space] != UInt8(ascii: " ") { space += 1 }
        // A part is at most as long as a token, whose characters take two bytes of UTF-8 at most.
        guard 0 < space, space + 1 < line.count, line.count <= 4 * Vocabulary.tokenByteLimit,
            ByteLevelAlphabet.decode(line.extracting(..<space), into: &bytes) == nil
        else { return false }
        let split = bytes.count
        guard ByteLevelAlphabet.decode(line.extracting((space + 1)...), into: &bytes) == nil else { return false }
        splits.append(split)
        ends.append(bytes.count)
        return true
    }
}

extension String {
    /// Text of bytes that need not be UTF-8, for messages.
    fileprivate init(copying bytes: Span<UInt8>) {
        self.init(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
    }
}
