// A hash table from one 64-bit word to another, which pieces and merges share.

/// Open addressing with key and value side by side, two thirds full at most, so that a look-up is mostly one visit to
/// memory.
struct WordTable: Sendable {
    /// The value of what is not in the table.
    static let none = UInt64.max

    /// Key and value in turn; the value of a free slot is `none`.
    private var slots: [UInt64]
    private let shift: Int
    /// Odd, and another one for each table: a file cannot know which of its keys will crowd together.
    private let multiplier = UInt64.random(in: 0...UInt64.max) | 1

    /// A table for up to `capacity` keys.
    init(capacity: Int) {
        let bitCount = Self.bitCount(capacity: capacity)
        slots = [UInt64](repeating: Self.none, count: 2 << bitCount)
        shift = 64 - bitCount
    }

    /// Base-2 logarithm of the number of slots.
    static func bitCount(capacity: Int) -> Int {
        var bitCount = 8
        while 1 << bitCount < capacity * 3 / 2 { bitCount += 1 }
        return bitCount
    }

    /// Multiplicative hashing: the high bits are the good ones.
    @inline(__always)
    func hash(_ key: UInt64) -> UInt64 {
        (key ^ key >> 29) &* multiplier
    }

    /// The value of a key; of those with the same key, the one for which `isMatch` says so.
    @inline(__always)
    func value(of key: UInt64, where isMatch: (UInt64) -> Bool) -> UInt64 {
        slots[slot(of: key, where: isMatch) + 1]
    }

    /// Inserts keys with their values. Two entries are the same if their keys are and `isSame` says so of their values.
    ///
    /// - Returns: nil, or the values of two entries that are the same; the table is of no use then.
    mutating func insert(
        keys: [UInt64], values: [UInt64], isSame: (UInt64, UInt64) -> Bool
    ) -> (first: UInt64, second: UInt64)? {
        // Each insertion in the order of the entries would wait on memory. In the order of the first byte of the hash, all
        // of one byte go to the same few kilobytes.
        var ends = [Int](repeating: 0, count: 257)
        for key in keys { ends[Int(hash(key) >> 56) + 1] += 1 }
        for byte in 1...256 { ends[byte] += ends[byte - 1] }
        var entries = [(key: UInt64, value: UInt64)](repeating: (0, 0), count: keys.count)
        for index in keys.indices {
            let byte = Int(hash(keys[index]) >> 56)
            entries[ends[byte]] = (keys[index], values[index])
            ends[byte] += 1
        }
        for entry in entries {
            let slot = slot(of: entry.key) { isSame($0, entry.value) }
            guard slots[slot + 1] == Self.none else { return (slots[slot + 1], entry.value) }
            (slots[slot], slots[slot + 1]) = entry
        }
        return nil
    }

    /// Index of the slot that holds the key or would hold it.
    @inline(__always)
    private func slot(of key: UInt64, where isMatch: (UInt64) -> Bool) -> Int {
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: hash(key) >> shift) * 2
        while slots[index + 1] != Self.none, slots[index] != key || !isMatch(slots[index + 1]) {
            countSteps()
            index = (index + 2) & mask
        }
        return index
    }
}
