// Finds the token that a sequence of bytes is, by open addressing over one blob of all tokens' bytes.

/// The bytes of all tokens, one behind the other, by id.
struct PieceStore: Sendable {
    private(set) var bytes: [UInt8] = []
    /// Where token i begins; one more entry than tokens.
    private var starts: [UInt32] = [0]

    var count: Int { starts.count - 1 }

    func range(of id: Int32) -> Range<Int> {
        Int(starts[Int(id)])..<Int(starts[Int(id) + 1])
    }

    /// Appends the next token through `body`, which may only append; what it appends is the token.
    mutating func append<E: Error>(_ body: (inout [UInt8]) throws(E) -> Void) throws(E) {
        try body(&bytes)
        starts.append(UInt32(bytes.count))
    }

    mutating func reserve(tokenCount: Int) {
        starts.reserveCapacity(tokenCount + 1)
        bytes.reserveCapacity(8 * tokenCount)
    }

    @inline(__always)
    func isEqual(_ id: Int32, _ piece: Span<UInt8>) -> Bool {
        let start = Int(starts[Int(id)])
        guard Int(starts[Int(id) + 1]) - start == piece.count else { return false }
        for index in piece.indices where bytes[start + index] != piece[index] { return false }
        return true
    }
}

/// A hash table of token ids by the tokens' bytes. Slots hold 32 bits of hash, one flag and 31 bits of id, so that nearly
/// every comparison of bytes is one that succeeds.
struct PieceTable: Sendable {
    private static let empty = UInt64.max
    private static let flag: UInt64 = 0x8000_0000

    /// A token and the mark that `setFlags` gave it.
    struct Entry {
        let id: Int32
        let isFlagged: Bool
    }

    private var slots: [UInt64]
    private let mask: Int

    /// A table for up to `capacity` tokens, at most half full.
    init(capacity: Int) {
        var slotCount = 16
        while slotCount < 2 * capacity { slotCount *= 2 }
        slots = [UInt64](repeating: Self.empty, count: slotCount)
        mask = slotCount - 1
    }

    @inline(__always)
    func find(_ piece: Span<UInt8>, in store: borrowing PieceStore) -> Entry? {
        let slot = slots[slotIndex(of: piece, in: store)]
        guard slot != Self.empty else { return nil }
        return Entry(id: Int32(slot & 0x7FFF_FFFF), isFlagged: slot & Self.flag != 0)
    }

    /// Inserts a token of the store.
    ///
    /// - Returns: nil, or the token that has the same bytes and stays in the table.
    mutating func insert(_ id: Int32, of store: PieceStore) -> Int32? {
        let piece = store.bytes.span.extracting(store.range(of: id))
        let index = slotIndex(of: piece, in: store)
        guard slots[index] == Self.empty else { return Int32(slots[index] & 0x7FFF_FFFF) }
        slots[index] = Self.hash(piece) << 32 | UInt64(id)
        return nil
    }

    /// Flags the tokens for which `isFlagged` says so.
    mutating func setFlags(_ isFlagged: (Int32) -> Bool) {
        for index in slots.indices where slots[index] != Self.empty {
            if isFlagged(Int32(slots[index] & 0x7FFF_FFFF)) { slots[index] |= Self.flag }
        }
    }

    /// The slot that holds `piece` or would hold it.
    @inline(__always)
    private func slotIndex(of piece: Span<UInt8>, in store: borrowing PieceStore) -> Int {
        let hash = Self.hash(piece)
        var index = Int(hash >> 32) & mask
        while slots[index] != Self.empty {
            if slots[index] >> 32 == hash & 0xFFFF_FFFF, store.isEqual(Int32(slots[index] & 0x7FFF_FFFF), piece) { break }
            index = (index + 1) & mask
        }
        return index
    }

    /// FNV-1a, with a last step that spreads it over all bits.
    @inline(__always)
    private static func hash(_ piece: Span<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in piece.indices { hash = (hash ^ UInt64(piece[index])) &* 0x100_0000_01B3 }
        hash ^= hash >> 32
        return hash &* 0x9E37_79B9_7F4A_7C15
    }
}
