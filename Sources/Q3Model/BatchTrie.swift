// Token lists merged on their common prefixes: each distinct prefix is computed once.

import Q3Kernels

/// A batch of token lists as runs of packed rows.
///
/// A token's hidden state depends on the tokens before it and on nothing else, so lists that begin alike share those
/// rows exactly. Parents come before children, in runs and in rows: when a block of rows is computed, everything that
/// it attends to is there.
struct BatchTrie {
    /// A prefix whose keys and values are in a cache: the first `length` tokens of `entry`.
    struct Cached {
        let entry: PrefixCache.Entry
        let length: Int
    }

    /// Rows of keys and values to fill from a cache: `rows` of the batch from the entry's rows `source`.
    struct Fill {
        let entry: PrefixCache.Entry
        let source: Range<Int>
        let rows: Range<Int>
    }

    /// The last token of a list.
    struct Pooled: Equatable {
        let run: Int
        /// Within the run.
        let offset: Int
        let row: Int
    }

    /// Token of each computed row.
    private(set) var tokens: [Int32] = []
    /// Absolute position of each computed row.
    private(set) var positions: [Int32] = []
    /// Computed runs and cached ones; the rows of cached runs follow all computed rows.
    private(set) var runs: [TokenRun] = []
    private(set) var fills: [Fill] = []
    /// In the order of the lists.
    private(set) var pooled: [Pooled] = []
    private var computedRuns: [Int] = []

    /// Rows of keys and values, computed and cached.
    var keyRows: Int { fills.last?.rows.upperBound ?? tokens.count }

    /// `lists` in lexicographic order; each has at least one token. Without `sharing` every list has its own rows.
    /// Each cached prefix is shorter than a list that starts with it.
    init(_ lists: [ArraySlice<Int32>], sharing: Bool, cached: [Cached] = []) {
        var path: [Int] = []  // runs from the root to the last token of the previous list
        var previous: ArraySlice<Int32> = []
        var cachedRows = 0
        for item in Self.inOrder(lists, cached) {
            let list = item.tokens
            let shared = sharing ? list.commonPrefixLength(with: previous) : 0
            while let last = path.last, runs[last].position >= shared { path.removeLast() }
            if shared < list.count {
                let count = list.count - shared
                // Cached rows are numbered from 0 here and moved after the computed ones below.
                let row = item.entry == nil ? tokens.count : cachedRows
                if let entry = item.entry {
                    fills.append(Fill(entry: entry, source: shared..<list.count, rows: row..<row + count))
                    cachedRows += count
                } else {
                    computedRuns.append(runs.count)
                    tokens += list.dropFirst(shared)
                    positions += Int32(shared)..<Int32(list.count)
                }
                path.append(runs.count)
                runs.append(TokenRun(parent: path.dropLast().last, position: shared, row: row, count: count))
            }
            previous = list
            if item.entry != nil { continue }
            // The path now ends in the run that holds the last token: a list equal to the one before adds none.
            let index = path[path.count - 1]
            let offset = list.count - 1 - runs[index].position
            pooled.append(Pooled(run: index, offset: offset, row: runs[index].row + offset))
        }
        moveCachedRows(by: tokens.count)
    }

    /// Lists and cached prefixes in one lexicographic order, a list before an equal prefix: its last token must be
    /// computed.
    private static func inOrder(
        _ lists: [ArraySlice<Int32>], _ cached: [Cached]
    ) -> [(tokens: ArraySlice<Int32>, entry: PrefixCache.Entry?)] {
        let prefixes = cached.map { (tokens: $0.entry.tokens[..<$0.length], entry: $0.entry) }
            .sorted { $0.tokens.lexicographicallyPrecedes($1.tokens) }
        var merged: [(tokens: ArraySlice<Int32>, entry: PrefixCache.Entry?)] = []
        var next = 0
        for list in lists {
            while next < prefixes.count, prefixes[next].tokens.lexicographicallyPrecedes(list) {
                merged.append(prefixes[next])
                next += 1
            }
            merged.append((list, nil))
        }
        return merged
    }

    private mutating func moveCachedRows(by offset: Int) {
        let computed = Set(computedRuns)
        for index in runs.indices where !computed.contains(index) {
            let run = runs[index]
            runs[index] = TokenRun(
                parent: run.parent, position: run.position, row: run.row + offset, count: run.count)
        }
        fills = fills.map {
            Fill(
                entry: $0.entry, source: $0.source, rows: $0.rows.lowerBound + offset..<$0.rows.upperBound + offset)
        }
    }

    /// The attention queries of computed rows `block`, at most `limit` tokens each, their rows counted from the block's
    /// first.
    func queries(in block: Range<Int>, limit: Int) -> [AttentionQuery] {
        var queries: [AttentionQuery] = []
        let first = computedRuns.partitioningIndex { runs[$0].row + runs[$0].count > block.lowerBound }
        for index in computedRuns[first...] {
            let run = runs[index]
            if run.row >= block.upperBound { break }
            let rows = (run.row..<run.row + run.count).clamped(to: block)
            for row in stride(from: rows.lowerBound, to: rows.upperBound, by: limit) {
                queries.append(
                    AttentionQuery(
                        run: index, first: row - run.row, count: min(limit, rows.upperBound - row),
                        row: row - block.lowerBound))
            }
        }
        return queries
    }

    /// The rows of positions 0..<length on the way from the root to a list's last token.
    func rows(to pooled: Pooled, length: Int) -> [Int] {
        var rows = [Int](repeating: 0, count: length)
        var run: Int? = pooled.run
        var end = length
        while let index = run, end > 0 {
            let start = runs[index].position
            for position in stride(from: start, to: end, by: 1) { rows[position] = runs[index].row + position - start }
            end = min(end, start)
            run = runs[index].parent
        }
        return rows
    }
}

extension ArraySlice<Int32> {
    func commonPrefixLength(with other: ArraySlice<Int32>) -> Int {
        var length = 0
        let limit = Swift.min(count, other.count)
        while length < limit, self[startIndex + length] == other[other.startIndex + length] { length += 1 }
        return length
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
