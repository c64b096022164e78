// Says which pairs of tokens BPE merges, in which order, and into what.

import Q3GGUF

/// One line of the file's merges: `left` and `right` become `result`. Its place in the list is its rank; low ranks go first.
struct Merge {
    let left: Int32
    let right: Int32
    let result: Int32
}

/// Merges by pair, by open addressing. A slot is two words side by side, pair and candidate, so a look-up that fails or
/// succeeds at once touches one cache line.
struct MergeTable: Sendable {
    /// What a pair merges into: `rank << 32 | result`, so the smallest candidate is the one to merge first.
    typealias Candidate = UInt64
    /// The pair does not merge.
    static let none = Candidate.max
    private static let empty = UInt64.max

    private var slots: [UInt64]
    private let shift: Int

    init(_ merges: [Merge]) throws(TokenizerError) {
        var bitCount = 4
        while 1 << bitCount < merges.count * 3 / 2 { bitCount += 1 }
        slots = [UInt64](repeating: Self.empty, count: 2 << bitCount)
        shift = 64 - bitCount
        for (rank, merge) in merges.enumerated() {
            let pair = Self.pair(merge.left, merge.right)
            let slot = slot(of: pair)
            guard slots[slot] == Self.empty else {
                throw .duplicateMerge(rank: rank, first: Int(slots[slot + 1] >> 32))
            }
            slots[slot] = pair
            slots[slot + 1] = UInt64(rank) << 32 | UInt64(merge.result)
        }
    }

    @inline(__always)
    func candidate(_ left: Int32, _ right: Int32) -> Candidate {
        // The second word of an empty slot is `none`.
        slots[slot(of: Self.pair(left, right)) + 1]
    }

    @inline(__always)
    private static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    /// Index of the first word of the slot that holds `pair` or would hold it.
    @inline(__always)
    private func slot(of pair: UInt64) -> Int {
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: ((pair ^ pair >> 29) &* 0x9E37_79B9_7F4A_7C15) >> shift) * 2
        while slots[index] != pair, slots[index] != Self.empty { index = (index + 2) & mask }
        return index
    }
}

extension Merge {
    /// The merges of a file, each resolved to ids.
    static func resolve(_ lines: StringArray, in vocabulary: Vocabulary) throws(TokenizerError) -> [Merge] {
        guard lines.count <= Vocabulary.countLimit else {
            throw .tooMany(key: TokenizerKey.merges, count: lines.count, limit: Vocabulary.countLimit)
        }
        var merges: [Merge] = []
        merges.reserveCapacity(lines.count)
        var bytes: [UInt8] = []
        unsafe try lines.forEach { rank, line throws(TokenizerError) in
            try merges.append(
                Merge(rank: rank, line: unsafe Span(_unsafeBytes: line), vocabulary: vocabulary, scratch: &bytes))
        }
        return merges
    }

    private init(
        rank: Int, line: Span<UInt8>, vocabulary: borrowing Vocabulary, scratch: inout [UInt8]
    ) throws(TokenizerError) {
        // A space is no character of the alphabet, so the first one ends the left part and there must be no second.
        var space = 0
        while space < line.count, line[space] != UInt8(ascii: " ") { space += 1 }
        guard 0 < space, space + 1 < line.count, line.count <= 2 * Vocabulary.tokenByteLimit + 1 else {
            throw .malformedMerge(rank: rank)
        }
        scratch.removeAll(keepingCapacity: true)
        guard ByteLevelAlphabet.decode(line.extracting(..<space), into: &scratch) == nil else {
            throw .malformedMerge(rank: rank)
        }
        let split = scratch.count
        guard ByteLevelAlphabet.decode(line.extracting((space + 1)...), into: &scratch) == nil else {
            throw .malformedMerge(rank: rank)
        }
        let whole = scratch.span
        func id(of part: Span<UInt8>) throws(TokenizerError) -> Int32 {
            guard let entry = vocabulary.normalToken(part) else {
                throw .unknownMergePart(rank: rank, part: String(copying: part))
            }
            return entry.id
        }
        left = try id(of: whole.extracting(..<split))
        right = try id(of: whole.extracting(split...))
        guard let result = vocabulary.normalToken(whole) else {
            throw .unknownMergeResult(rank: rank, result: String(copying: whole))
        }
        self.result = result.id
    }
}

extension String {
    /// Text of bytes that need not be UTF-8, for messages.
    fileprivate init(copying bytes: Span<UInt8>) {
        self.init(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
    }
}
