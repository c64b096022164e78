// Finds the token that a sequence of bytes is.

/// Token ids by the tokens' bytes. The key of up to eight bytes is the bytes themselves, so that finding one of the short
/// tokens, of which text is made, does not visit the bytes of any token; the key of more is a hash.
struct PieceTable: Sendable {
    /// `length in bytes << 32 | id`, by key.
    private var table: WordTable
    /// Another one for each table: a file cannot know which of its tokens have one hash.
    private let start = UInt64.random(in: 0...UInt64.max)

    /// - Throws: `TokenizerError.duplicateToken`.
    init(_ ids: [Int32], of store: PieceStore) throws(TokenizerError) {
        table = WordTable(capacity: ids.count)
        var keys: [UInt64] = []
        var values: [UInt64] = []
        keys.reserveCapacity(ids.count)
        values.reserveCapacity(ids.count)
        let bytes = store.bytes.span
        for id in ids {
            let piece = bytes.extracting(store.range(of: id))
            keys.append(key(piece))
            values.append(UInt64(piece.count) << 32 | UInt64(id))
        }
        let twins = table.insert(keys: keys, values: values) { first, second in
            guard first >> 32 == second >> 32 else { return false }
            return first >> 32 <= 8 || store.isEqual(Self.id(first), bytes.extracting(store.range(of: Self.id(second))))
        }
        if let twins { throw .duplicateToken(id: Self.id(twins.second), first: Self.id(twins.first)) }
    }

    @inline(__always)
    func find(_ piece: Span<UInt8>, in store: borrowing PieceStore) -> Int32? {
        let value = table.value(of: key(piece)) { value in
            value >> 32 == UInt64(piece.count) && (piece.count <= 8 || store.isEqual(Self.id(value), piece))
        }
        return value == WordTable.none ? nil : Self.id(value)
    }

    private static func id(_ value: UInt64) -> Int32 { Int32(truncatingIfNeeded: value) }

    /// The bytes as an integer, or their FNV-1a hash from the table's start.
    @inline(__always)
    private func key(_ piece: Span<UInt8>) -> UInt64 {
        guard piece.count > 8 else {
            var key: UInt64 = 0
            for index in piece.indices { key = key << 8 | UInt64(piece[index]) }
            return key
        }
        var hash = start
        for index in piece.indices { hash = (hash ^ UInt64(piece[index])) &* 0x100_0000_01B3 }
        return hash
    }
}
