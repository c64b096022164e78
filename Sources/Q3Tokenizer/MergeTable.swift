// Says which pairs of tokens BPE merges, in which order, and into what.

/// Merges by pair of tokens. Look-ups are most of the work of encoding and wait on memory, so there are three tables,
/// each asked before the next larger one: all pairs of bytes, which begin every piece; a bit per hash that tells most
/// pairs that do not merge; and all merges.
struct MergeTable: Sendable {
    /// What a pair merges into: `rank << 32 | result`, so the smallest candidate is the one to merge first.
    typealias Candidate = UInt64
    /// The pair does not merge.
    static let none = WordTable.none

    /// By first byte and second byte.
    private var bytePairs = [Candidate](repeating: none, count: 0x10000)
    /// A bit for the hash of each merge's pair: 64 per word, about one in fourteen set.
    private var filter: [UInt64]
    private let filterShift: Int
    private var merges: WordTable

    /// - Throws: `TokenizerError.duplicateMerge`.
    init(_ list: [Merge], byteTokens: [Int32]) throws(TokenizerError) {
        merges = WordTable(capacity: list.count)
        let pairs = list.map { Self.pair($0.left, $0.right) }
        let candidates = list.enumerated().map { UInt64($0) << 32 | UInt64($1.result) }
        if let twins = merges.insert(keys: pairs, values: candidates, isSame: { _, _ in true }) {
            throw .duplicateMerge(rank: Int(twins.second >> 32), first: Int(twins.first >> 32))
        }

        // Eight bits for every slot of the table.
        let bitCount = WordTable.bitCount(capacity: list.count) + 3
        filter = [UInt64](repeating: 0, count: 1 << (bitCount - 6))
        filterShift = 64 - bitCount
        for pair in pairs {
            let bit = filterBit(pair)
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
        let bit = filterBit(pair)
        guard filter[bit >> 6] >> UInt64(bit & 63) & 1 != 0 else { return Self.none }
        return merges.value(of: pair) { _ in true }
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
    private func filterBit(_ pair: UInt64) -> Int {
        Int(truncatingIfNeeded: merges.hash(pair) >> filterShift)
    }
}
