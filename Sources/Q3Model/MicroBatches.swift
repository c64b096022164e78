// Many token lists split into batches of bounded size that share as much as they can.

/// A plan that groups lists into micro-batches.
struct MicroBatches {
    /// Indices of lists, each group in lexicographic order of its lists.
    let groups: [[Int]]

    /// Sorts lists so that equal prefixes are neighbors, and starts a new group when the distinct tokens of one would
    /// exceed `tokenLimit`. A list that is longer alone is a group of its own.
    init(_ lists: [[Int32]], tokenLimit: Int, sharing: Bool) {
        let order = lists.indices.sorted { lists[$0].lexicographicallyPrecedes(lists[$1]) }
        let sorted = order.map { lists[$0] }
        var groups: [[Int]] = []
        var size = 0
        for (index, count) in zip(order, sharing ? sorted.newTokenCounts : sorted.map(\.count)) {
            if groups.isEmpty || (count > 0 && size + count > tokenLimit) {
                groups.append([])
                size = lists[index].count
            } else {
                size += count
            }
            groups[groups.count - 1].append(index)
        }
        self.groups = groups
    }
}

extension [[Int32]] {
    /// How many tokens each list has after the prefix that it shares with the list before it. In lexicographic order
    /// their sum is the number of distinct tokens, which a pass with shared prefixes computes.
    package var newTokenCounts: [Int] {
        var previous: ArraySlice<Int32> = []
        return map { list in
            defer { previous = list[...] }
            return list.count - list[...].commonPrefixLength(with: previous)
        }
    }
}
