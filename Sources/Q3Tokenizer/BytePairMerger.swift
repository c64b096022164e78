// Byte pair encoding of one piece of text: merges the pair of lowest rank, leftmost first, until no pair merges.

/// Tokens are a doubly linked list over the positions of their first bytes. In a short piece, as nearly all are, the
/// pair to merge next is found by looking at all of them, in a long one by a queue, so that the time for a piece of
/// megabytes is near linear.
struct BytePairMerger: Sendable {
    /// Up to here, looking at all pairs beats keeping a queue of them.
    static let shortPieceByteLimit = 128

    /// The token that begins at a position, if one does.
    struct Node {
        /// What the token and the next one merge into; `none` also where no token begins any more.
        var candidate: MergeTable.Candidate
        var id: Int32
        /// Positions of the tokens on both sides; -1 and the piece's length beyond its ends.
        var previous: Int32
        var next: Int32
    }

    private let table: MergeTable
    private let byteTokens: [Int32]

    init(table: MergeTable, byteTokens: [Int32]) {
        self.table = table
        self.byteTokens = byteTokens
    }

    /// Appends the tokens of a piece. `nodes` is scratch: one array for all pieces of a text saves allocating one for
    /// each.
    func merge(_ piece: Span<UInt8>, scratch nodes: inout [Node], into output: inout [Int32]) {
        nodes.removeAll(keepingCapacity: true)
        for index in piece.indices {
            let isLast = index + 1 == piece.count
            nodes.append(
                Node(
                    candidate: isLast ? MergeTable.none : table.candidate(bytes: piece[index], piece[index + 1]),
                    id: byteTokens[Int(piece[index])], previous: Int32(index - 1), next: Int32(index + 1)))
        }
        var span = nodes.mutableSpan
        if piece.count <= Self.shortPieceByteLimit {
            mergeByLooking(&span)
        } else {
            mergeByQueue(&span)
        }
        var position = 0
        while position < nodes.count {
            output.append(nodes[position].id)
            position = Int(nodes[position].next)
        }
    }

    private func mergeByLooking(_ nodes: inout MutableSpan<Node>) {
        while true {
            countSteps(nodes.count)
            var (lowest, lowestPosition) = (MergeTable.none, 0)
            for position in nodes.indices where nodes[position].candidate < lowest {
                (lowest, lowestPosition) = (nodes[position].candidate, position)
            }
            guard lowest != MergeTable.none else { return }
            mergePair(at: lowestPosition, of: &nodes)
        }
    }

    private func mergeByQueue(_ nodes: inout MutableSpan<Node>) {
        var queue = RankQueue(capacity: nodes.count)
        for position in nodes.indices where nodes[position].candidate != MergeTable.none {
            queue.insert(rank: UInt32(nodes[position].candidate >> 32), position: Int32(position))
        }
        while let pair = queue.popFirst() {
            // The queue may hold pairs that are gone. A rank belongs to one pair of tokens, and a token at a
            // position only grows, so a pair of the same rank is the same pair.
            let position = Int(pair.position)
            countSteps()
            guard nodes[position].candidate >> 32 == UInt64(pair.rank) else { continue }
            mergePair(at: position, of: &nodes)
            let previous = nodes[position].previous
            if previous >= 0, nodes[Int(previous)].candidate != MergeTable.none {
                queue.insert(rank: UInt32(nodes[Int(previous)].candidate >> 32), position: previous)
            }
            if nodes[position].candidate != MergeTable.none {
                queue.insert(rank: UInt32(nodes[position].candidate >> 32), position: pair.position)
            }
        }
    }

    @inline(__always)
    private func mergePair(at position: Int, of nodes: inout MutableSpan<Node>) {
        let id = Int32(truncatingIfNeeded: nodes[position].candidate)
        let right = Int(nodes[position].next)
        let next = Int(nodes[right].next)
        nodes[right].candidate = MergeTable.none
        nodes[position].id = id
        nodes[position].next = Int32(next)
        if next < nodes.count {
            nodes[next].previous = Int32(position)
            nodes[position].candidate = table.candidate(id, nodes[next].id)
        } else {
            nodes[position].candidate = MergeTable.none
        }
        let previous = Int(nodes[position].previous)
        if previous >= 0 { nodes[previous].candidate = table.candidate(nodes[previous].id, id) }
    }
}
