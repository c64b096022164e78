// Says which pairs of tokens BPE merges, in which order, and into what.

/// Merges by pair of tokens. Look-ups are most of the work of encoding and wait on memory, so there are three
/// tables, each asked before the next larger one: all pairs of bytes, which begin every piece; a bit per hash that
/// tells most pairs that do not merge; and all merges.
struct MergeTable: Sendable {
    /// What a pair merges into: `rank << 32 | result`, so the smallest candidate is the one to merge first.
    typealias Candidate = UInt64
    /// The pair does not merge.
    static let none = Candidate.max
    private static let empty = UInt64.max

    /// By first byte and second byte.
    private var bytePairs = [Candidate](repeating: none, count: 0x10000)
    /// A bit for the hash of each merge's pair: 64 per word, about one in fourteen set.
    private var filter: [UInt64]
    /// Open addressing, two words a slot: pair and candidate. Two thirds full at most.
    private var slots: [UInt64]
    private let shift: Int

    init(_ merges: [Merge], byteTokens: [Int32]) throws(TokenizerError) {
        var bitCount = 8
        while 1 << bitCount < merges.count * 3 / 2 { bitCount += 1 }
        shift = 64 - bitCount
        slots = [UInt64](repeating: Self.empty, count: 2 << bitCount)
        filter = [UInt64](repeating: 0, count: 1 << (bitCount - 3))
        for (rank, merge) in merges.enumerated() {
            let pair = Self.pair(merge.left, merge.right)
            let hash = Self.hash(pair)
            let slot = slot(of: pair, hash)
            guard slots[slot] == Self.empty else {
                throw .duplicateMerge(rank: rank, first: Int(slots[slot + 1] >> 32))
            }
            slots[slot] = pair
            slots[slot + 1] = UInt64(rank) << 32 | UInt64(merge.result)
            let bit = filterBit(hash)
            filter[bit >> 6] |= 1 << UInt64(bit & 63)
        }
        for first in 0..<256 {
            for second in 0..<256 {
                bytePairs[first << 8 | second] = candidate(byteTokens[first], byteTokens[second])
            }
        }
    }

    @inline(__always)
    func candidate(_ left: Int32, _ right: Int32) -> Candidate {
        let pair = Self.pair(left, right)
        let hash = Self.hash(pair)
        let bit = filterBit(hash)
        guard filter[bit >> 6] >> UInt64(bit & 63) & 1 != 0 else { return Self.none }
        // The second word of an empty slot is `none`.
        return slots[slot(of: pair, hash) + 1]
    }

    /// What the tokens of two bytes merge into.
    @inline(__always)
    func candidate(bytes first: UInt8, _ second: UInt8) -> Candidate {
        bytePairs[Int(first) << 8 | Int(second)]
    }

    @inline(__always)
    private static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    @inline(__always)
    private static func hash(_ pair: UInt64) -> UInt64 {
        (pair ^ pair >> 29) &* 0x9E37_79B9_7F4A_7C15
    }

    /// Eight bits of the filter for every slot.
    @inline(__always)
    private func filterBit(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash >> (shift - 3)) }

    /// Index of the first word of the slot that holds `pair` or would hold it.
    @inline(__always)
    private func slot(of pair: UInt64, _ hash: UInt64) -> Int {
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: hash >> shift) * 2
        while slots[index] != pair, slots[index] != Self.empty { index = (index + 2) & mask }
        return index
    }
}
