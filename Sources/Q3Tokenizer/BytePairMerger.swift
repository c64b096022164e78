// Byte pair encoding of one piece of text: merges the pair of lowest rank, leftmost first, until no pair merges.

/// Scratch and method for all pieces of a text. Short pieces, which are nearly all, are two small arrays that shrink;
/// long ones go to `LongPieceMerger`, whose time is near linear.
struct BytePairMerger {
    /// Up to here, looking through all pairs for the lowest one beats keeping a queue of them.
    private static let shortPieceByteLimit = 160

    private let table: MergeTable
    private let byteTokens: [Int32]
    private var ids: [Int32] = []
    /// Element i is what tokens i and i + 1 merge into; one shorter than `ids`.
    private var candidates: [MergeTable.Candidate] = []
    private var long = LongPieceMerger()

    init(table: MergeTable, byteTokens: [Int32]) {
        self.table = table
        self.byteTokens = byteTokens
    }

    /// Appends the tokens of a piece.
    mutating func merge(_ piece: Span<UInt8>, into output: inout [Int32]) {
        guard piece.count <= Self.shortPieceByteLimit else {
            return long.merge(piece, table: table, byteTokens: byteTokens, into: &output)
        }
        ids.removeAll(keepingCapacity: true)
        candidates.removeAll(keepingCapacity: true)
        for index in piece.indices {
            let id = byteTokens[Int(piece[index])]
            if let last = ids.last { candidates.append(table.candidate(last, id)) }
            ids.append(id)
        }
        while let index = lowestCandidate() { mergePair(at: index) }
        output.append(contentsOf: ids)
    }

    private func lowestCandidate() -> Int? {
        var (lowest, lowestIndex) = (MergeTable.none, -1)
        for index in candidates.indices where candidates[index] < lowest {
            (lowest, lowestIndex) = (candidates[index], index)
        }
        return lowestIndex < 0 ? nil : lowestIndex
    }

    private mutating func mergePair(at index: Int) {
        ids[index] = Int32(truncatingIfNeeded: candidates[index])
        ids.remove(at: index + 1)
        candidates.remove(at: index)
        if index < candidates.count { candidates[index] = table.candidate(ids[index], ids[index + 1]) }
        if index > 0 { candidates[index - 1] = table.candidate(ids[index - 1], ids[index]) }
    }
}
