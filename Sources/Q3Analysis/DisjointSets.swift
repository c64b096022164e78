// Which rows belong together when pairs of them do.

/// Sets that are merged pair by pair, each known by its smallest row.
struct DisjointSets {
    private var parents: [UInt32]

    init(count: Int) { parents = (0..<UInt32(count)).map { $0 } }

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

    /// The sets of two rows and more, in the order of their first row.
    mutating func groups() -> [[Int]] {
        var members: [Int: [Int]] = [:]
        for row in parents.indices {
            let root = root(of: row)
            if root != row { members[root, default: [root]].append(row) }
        }
        return members.sorted { $0.key < $1.key }.map(\.value)
    }
}
