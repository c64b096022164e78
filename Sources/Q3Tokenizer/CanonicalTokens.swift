// Proves, once at load, which tokens their own bytes encode to.

/// Nearly every token of a trained vocabulary is what BPE makes of its bytes, and then a piece of text that is such a token
/// needs no merging. Nearly every is not every, so each is proved from the merges alone.
///
/// A token is made of two canonical parts, l + r, by a merge of rank k. While no merge crosses the boundary between them,
/// BPE works on each as if alone: it makes l and r, then merges them. A crossing merge needs a pair (x, y) of a token x
/// that ends l and a token y that begins r at the same time; those are the right spine of l's tree of merges and the left
/// spine of r's, and each lives from its own merge to its parent's. As parents have higher ranks than children here, rank is
/// time, and it is enough to walk both spines upwards in that order and to see that no pair on the way merges before one of
/// the two grows.
struct CanonicalTokens {
    /// How a canonical token is made.
    private struct Making {
        /// Of the merge; -1 for single bytes, `unproven` if the token is not known to be canonical.
        var rank = CanonicalTokens.unproven
        var left: Int32 = -1
        var right: Int32 = -1
    }

    private static let unproven = Int32.max

    /// By token id.
    private var makings: [Making]

    init(vocabulary: borrowing Vocabulary, merges: [Merge], table: MergeTable) {
        makings = [Making](repeating: Making(), count: vocabulary.count)
        for id in vocabulary.byteTokens { makings[Int(id)].rank = -1 }

        var spines = Spines()
        for (rank, merge) in merges.enumerated() where !contains(merge.result) {
            guard contains(merge.left), contains(merge.right) else { continue }
            appendSpine(of: merge.left, to: &spines.left, child: \.right)
            appendSpine(of: merge.right, to: &spines.right, child: \.left)
            if !isCrossed(spines, table) {
                makings[Int(merge.result)] = Making(rank: Int32(rank), left: merge.left, right: merge.right)
            }
        }
    }

    func contains(_ id: Int32) -> Bool { makings[Int(id)].rank != Self.unproven }

    /// The tokens on each side of the boundary, whole part first, single byte last.
    private struct Spines {
        var left: [Tip] = []
        var right: [Tip] = []
    }

    private struct Tip {
        let id: Int32
        let rank: Int32
    }

    @inline(__always)
    private func appendSpine(of id: Int32, to spine: inout [Tip], child: (Making) -> Int32) {
        spine.removeAll(keepingCapacity: true)
        var id = id
        while id >= 0 {
            let making = makings[Int(id)]
            spine.append(Tip(id: id, rank: making.rank))
            id = child(making)
        }
    }

    private func isCrossed(_ spines: borrowing Spines, _ table: borrowing MergeTable) -> Bool {
        var (i, j) = (spines.left.count - 1, spines.right.count - 1)
        while i > 0 || j > 0 {
            let leftGrows = i > 0 ? spines.left[i - 1].rank : Int32.max
            let rightGrows = j > 0 ? spines.right[j - 1].rank : Int32.max
            let candidate = table.candidate(spines.left[i].id, spines.right[j].id)
            // Of equal ranks the leftmost goes first: after l's own merge, before r's.
            if candidate != MergeTable.none {
                let crosses = Int32(candidate >> 32)
                if crosses < leftGrows, crosses <= rightGrows { return true }
            }
            if leftGrows <= rightGrows { i -= 1 } else { j -= 1 }
        }
        return false
    }
}
