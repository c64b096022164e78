// Many token lists cut into batches of bounded size that share as much as they can.

/// A plan that groups lists into micro-batches.
struct MicroBatches {
    /// Indices of lists, each group in lexicographic order of its lists.
    let groups: [[Int]]

    /// Sorts lists so that equal beginnings stand together, and starts a new group when the distinct tokens of one
    /// would exceed `tokenLimit`. A list that is longer alone is a group of its own.
    init(_ lists: [[Int32]], tokenLimit: Int, sharing: Bool) {
        let order = lists.indices.sorted { lists[$0].lexicographicallyPrecedes(lists[$1]) }
        var groups: [[Int]] = []
        var size = 0
        var previous: ArraySlice<Int32> = []
        for index in order {
            let list = lists[index][...]
            let fresh = list.count - (sharing ? list.commonPrefixLength(with: previous) : 0)
            if groups.isEmpty || (fresh > 0 && size + fresh > tokenLimit) {
                groups.append([])
                size = list.count
            } else {
                size += fresh
            }
            groups[groups.count - 1].append(index)
            previous = list
        }
        self.groups = groups
    }
}
