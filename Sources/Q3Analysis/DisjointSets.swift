// Which rows belong together when pairs of them do.
import Q3Linear

/// Sets that are merged pair by pair, each known by its smallest row.
struct DisjointSets {
    private var parents: [UInt32]

    init(count: Int) { parents = (0..<UInt32(count)).map { $0 } }

    /// Bytes of the sets of so many rows.
    static func byteCount(_ count: Int) -> Int { MemoryNeed.array(count, of: MemoryLayout<UInt32>.stride) }

    mutating func root(of row: Int) -> Int {
        var row = row
        while Int(parents[row]) != row {
            parents[row] = parents[Int(parents[row])]
            row = Int(parents[row])
        }
        return row
    }

    /// Puts the sets of two rows together; false where they were one already.
    @discardableResult mutating func merge(_ a: Int, _ b: Int) -> Bool {
        let (a, b) = (root(of: a), root(of: b))
        guard a != b else { return false }
        parents[max(a, b)] = UInt32(min(a, b))
        return true
    }

    /// The sets of two rows and more, in the order of their first row. Throws `outOfMemory`.
    mutating func groups() throws(LinearError) -> [[Int]] {
        try MemoryNeed.check(Self.byteCount(parents.count))
        // First the rows of each set, at the place of its first row.
        var marks = [UInt32](repeating: 0, count: parents.count)
        for row in parents.indices { marks[root(of: row)] += 1 }
        var (count, byteCount) = (0, 0)
        for size in marks where size > 1 {
            count += 1
            byteCount += MemoryNeed.array(Int(size), of: MemoryLayout<Int>.stride)
        }
        try MemoryNeed.check(byteCount + MemoryNeed.array(count, of: MemoryLayout<[Int]>.stride))
        var groups: [[Int]] = []
        groups.reserveCapacity(count)
        for row in parents.indices {
            let root = root(of: row)
            guard marks[root] > 1 else { continue }
            if root == row {
                var group: [Int] = []
                group.reserveCapacity(Int(marks[root]))
                group.append(row)
                // From here on the place of the set among the groups, which 2 keeps from looking like a size of 1.
                marks[root] = UInt32(groups.count) + 2
                groups.append(group)
            } else {
                groups[Int(marks[root]) - 2].append(row)
            }
        }
        return groups
    }
}
