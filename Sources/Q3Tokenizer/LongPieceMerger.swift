// Byte pair encoding of pieces of hundreds of bytes up to a gigabyte, in time near linear in their length.

/// Tokens as a doubly linked list over the positions of their first bytes, pairs in a queue by rank and position.
///
/// The queue may hold pairs that are gone. A pair is still there if its position's candidate has its rank: a rank belongs
/// to one pair of tokens, and a token at a position only ever grows.
struct LongPieceMerger {
    private var ids: [Int32] = []
    private var next: [Int32] = []
    private var previous: [Int32] = []
    /// By position of the left token; `none` if the pair does not merge or the position is inside a token.
    private var candidates: [MergeTable.Candidate] = []
    private var queue = RankQueue()

    mutating func merge(
        _ piece: Span<UInt8>, table: borrowing MergeTable, byteTokens: borrowing [Int32], into output: inout [Int32]
    ) {
        let count = piece.count
        ids = []
        ids.reserveCapacity(count)
        for index in piece.indices { ids.append(byteTokens[Int(piece[index])]) }
        next = Array(1...Int32(count))
        previous = Array(-1..<Int32(count - 1))
        candidates = [MergeTable.Candidate](repeating: MergeTable.none, count: count)
        for position in 0..<count { updateCandidate(at: position, table) }

        while let (rank, position) = queue.popFirst() {
            guard candidates[position] >> 32 == rank else { continue }
            let right = Int(next[position])
            let after = next[right]
            ids[position] = Int32(truncatingIfNeeded: candidates[position])
            next[position] = after
            if after < count { previous[Int(after)] = Int32(position) }
            candidates[right] = MergeTable.none
            updateCandidate(at: position, table)
            if previous[position] >= 0 { updateCandidate(at: Int(previous[position]), table) }
        }
        var position = 0
        while position < count {
            output.append(ids[position])
            position = Int(next[position])
        }
    }

    private mutating func updateCandidate(at position: Int, _ table: borrowing MergeTable) {
        let right = Int(next[position])
        let candidate = right < ids.count ? table.candidate(ids[position], ids[right]) : MergeTable.none
        candidates[position] = candidate
        if candidate != MergeTable.none { queue.insert(rank: candidate >> 32, position: position) }
    }
}
