// Finds the token that a sequence of bytes is.

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

    func isEqual(_ id: Int32, _ piece: Span<UInt8>) -> Bool {
        let range = range(of: id)
        guard range.count == piece.count else { return false }
        for index in piece.indices where bytes[range.lowerBound + index] != piece[index] { return false }
        return true
    }
}

/// Token ids by the tokens' bytes, by open addressing. A slot is two words side by side, key and entry. The key of
/// up to eight bytes is the bytes themselves, so that finding one of the short tokens, of which text is made, is one
/// visit to memory; the key of more is a hash, and the bytes are compared.
struct PieceTable: Sendable {
    /// What a slot's second word says.
    private struct Entry {
        /// No token is empty, so no entry is 0.
        static let none = Entry(word: 0)

        /// `length in bytes << 32 | id`
        let word: UInt64

        var isNone: Bool { word == 0 }
        var id: Int32 { Int32(truncatingIfNeeded: word) }
        var byteCount: Int { Int(word >> 32) }
    }

    private var slots: [UInt64]
    private let shift: Int

    /// A table for up to `capacity` tokens, two thirds full at most.
    init(capacity: Int) {
        var bitCount = 4
        while 1 << bitCount < capacity * 3 / 2 { bitCount += 1 }
        slots = [UInt64](repeating: Entry.none.word, count: 2 << bitCount)
        shift = 64 - bitCount
    }

    @inline(__always)
    func find(_ piece: Span<UInt8>, in store: borrowing PieceStore) -> Int32? {
        let entry = Entry(word: slots[slot(of: piece, key: Self.key(piece), in: store) + 1])
        return entry.isNone ? nil : entry.id
    }

    /// Inserts a token of the store.
    ///
    /// - Returns: nil, or the token that has the same bytes and stays in the table.
    mutating func insert(_ id: Int32, of store: borrowing PieceStore) -> Int32? {
        let piece = store.bytes.span.extracting(store.range(of: id))
        let key = Self.key(piece)
        let slot = slot(of: piece, key: key, in: store)
        let entry = Entry(word: slots[slot + 1])
        guard entry.isNone else { return entry.id }
        slots[slot] = key
        slots[slot + 1] = UInt64(piece.count) << 32 | UInt64(id)
        return nil
    }

    /// Index of the first word of the slot that holds `piece` or would hold it.
    @inline(__always)
    private func slot(of piece: Span<UInt8>, key: UInt64, in store: borrowing PieceStore) -> Int {
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: ((key ^ key >> 32) &* 0x9E37_79B9_7F4A_7C15) >> shift) * 2
        while true {
            let entry = Entry(word: slots[index + 1])
            if entry.isNone { return index }
            if slots[index] == key, entry.byteCount == piece.count,
                piece.count <= 8 || store.isEqual(entry.id, piece)
            {
                return index
            }
            index = (index + 2) & mask
        }
    }

    /// The bytes as an integer, or their FNV-1a hash.
    @inline(__always)
    private static func key(_ piece: Span<UInt8>) -> UInt64 {
        guard piece.count > 8 else {
            var key: UInt64 = 0
            for index in piece.indices { key = key << 8 | UInt64(piece[index]) }
            return key
        }
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in piece.indices { hash = (hash ^ UInt64(piece[index])) &* 0x100_0000_01B3 }
        return hash
    }
}
