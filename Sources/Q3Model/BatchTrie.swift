// Token lists merged on their common beginnings: each distinct prefix is computed once.

import Q3Kernels

/// A batch of token lists as runs of packed rows.
///
/// A token's hidden state depends on the tokens before it and on nothing else, so lists that begin alike share those
/// rows exactly. Parents come before children, in runs and in rows: when a block of rows is computed, everything that
/// it attends to is there.
struct BatchTrie {
    /// Token of each row.
    private(set) var tokens: [Int32] = []
    /// Absolute position of each row.
    private(set) var positions: [Int32] = []
    private(set) var runs: [TokenRun] = []
    /// The last token of each list, in the order of the lists.
    private(set) var pooled: [Pooled] = []

    struct Pooled: Equatable {
        let run: Int
        /// Within the run.
        let offset: Int
        let row: Int
    }

    /// `lists` in lexicographic order; each has at least one token. Without `sharing` every list has its own rows.
    init(_ lists: [ArraySlice<Int32>], sharing: Bool) {
        var path: [Int] = []  // runs from the root to the last token of the previous list
        var previous: ArraySlice<Int32> = []
        for list in lists {
            let shared = sharing ? list.commonPrefixLength(with: previous) : 0
            while let last = path.last, runs[last].position >= shared { path.removeLast() }
            if shared < list.count {
                let run = TokenRun(
                    parent: path.last, position: shared, row: tokens.count, count: list.count - shared)
                path.append(runs.count)
                runs.append(run)
                tokens += list.dropFirst(shared)
                positions += Int32(shared)..<Int32(list.count)
            }
            // The path now ends in the run that holds the last token: a list equal to the one before adds none.
            let run = runs[path[path.count - 1]]
            let offset = list.count - 1 - run.position
            pooled.append(Pooled(run: path[path.count - 1], offset: offset, row: run.row + offset))
            previous = list
        }
    }

    /// The attention queries of rows `block`, at most `limit` tokens each, their rows counted from the block's first.
    func queries(in block: Range<Int>, limit: Int) -> [AttentionQuery] {
        var queries: [AttentionQuery] = []
        var index = runs.partitioningIndex { $0.row + $0.count > block.lowerBound }
        while index < runs.count, runs[index].row < block.upperBound {
            let run = runs[index]
            let rows = (run.row..<run.row + run.count).clamped(to: block)
            for row in stride(from: rows.lowerBound, to: rows.upperBound, by: limit) {
                queries.append(
                    AttentionQuery(
                        run: index, first: row - run.row, count: min(limit, rows.upperBound - row),
                        row: row - block.lowerBound))
            }
            index += 1
        }
        return queries
    }
}

extension ArraySlice<Int32> {
    func commonPrefixLength(with other: ArraySlice<Int32>) -> Int {
        zip(self, other).prefix { $0 == $1 }.count
    }
}

extension Array {
    /// The first index whose element satisfies a predicate that is false for a prefix and true for the rest.
    fileprivate func partitioningIndex(where belongs: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if belongs(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
