// The bytes of all tokens, one after the other.

/// Tokens' bytes by id.
struct PieceStore: Sendable {
    private(set) var bytes: [UInt8] = []
    /// Where token i begins; one more entry than tokens.
    private var starts: [UInt32] = [0]

    var count: Int { starts.count - 1 }

    @inline(__always)
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
