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
    /// The merge that makes a token, or -1 for single bytes; `unproven` if not known to be canonical.
    private var ranks: [Int]
    private var lefts: [Int32]
    private var rights: [Int32]
    private static let unproven = Int.max

    init(vocabulary: borrowing Vocabulary, merges: [Merge], table: MergeTable) {
        ranks = [Int](repeating: Self.unproven, count: vocabulary.count)
        lefts = [Int32](repeating: -1, count: vocabulary.count)
        rights = lefts
        for id in vocabulary.byteTokens { ranks[Int(id)] = -1 }

        var spines = Spines()
        for (rank, merge) in merges.enumerated() {
            let result = Int(merge.result)
            guard ranks[result] == Self.unproven, contains(merge.left), contains(merge.right) else { continue }
            spines.left.removeAll(keepingCapacity: true)
            spines.right.removeAll(keepingCapacity: true)
            appendSpine(of: merge.left, child: rights, to: &spines.left)
            appendSpine(of: merge.right, child: lefts, to: &spines.right)
            guard !isCrossed(spines, table) else { continue }
            ranks[result] = rank
            lefts[result] = merge.left
            rights[result] = merge.right
        }
    }

    func contains(_ id: Int32) -> Bool { ranks[Int(id)] != Self.unproven }

    /// The tokens on each side of the boundary, whole part first, single byte last.
    private struct Spines {
        var left: [Int32] = []
        var right: [Int32] = []
    }

    private func appendSpine(of id: Int32, child: borrowing [Int32], to spine: inout [Int32]) {
        var id = id
        while id >= 0 {
            spine.append(id)
            id = child[Int(id)]
        }
    }

    private func isCrossed(_ spines: borrowing Spines, _ table: borrowing MergeTable) -> Bool {
        var (i, j) = (spines.left.count - 1, spines.right.count - 1)
        while i > 0 || j > 0 {
            let leftGrows = i > 0 ? ranks[Int(spines.left[i - 1])] : Int.max
            let rightGrows = j > 0 ? ranks[Int(spines.right[j - 1])] : Int.max
            let candidate = table.candidate(spines.left[i], spines.right[j])
            let crosses = candidate == MergeTable.none ? Int.max : Int(candidate >> 32)
            // Of equal ranks the leftmost goes first: after l's own merge, before r's.
            if crosses != Int.max, crosses < leftGrows, crosses <= rightGrows { return true }
            if leftGrows <= rightGrows { i -= 1 } else { j -= 1 }
        }
        return false
    }
}
