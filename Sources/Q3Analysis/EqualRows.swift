// Which rows have equal values, so that each value is looked at once.
import Q3Linear

/// Rows with equal values.
struct EqualRows {
    /// The first row of each value.
    let rows: [Int]
    /// The place in `rows` of each row's value; empty where no two are equal.
    private let places: [UInt32]

    /// Bytes that are kept, and those that looking for equal rows takes beside them.
    static func byteCount(_ rowCount: Int) -> (kept: Int, work: Int) {
        (12 * rowCount, tableCount(rowCount) * MemoryLayout<UInt32>.stride)
    }

    /// Throws `outOfMemory`.
    init(_ vectors: VectorMatrix) throws(LinearError) {
        precondition(vectors.count < UInt32.max, "rows that 32 bits count")
        try MemoryNeed.check(Self.byteCount(vectors.count).kept)
        let slots = Self.tableCount(vectors.count)
        let memory = try FloatMemory(count: slots)
        // The place of a value plus 1; 0 where there is none.
        let table = unsafe UnsafeMutableRawPointer(memory.base).assumingMemoryBound(to: UInt32.self)
        var rows: [Int] = []
        rows.reserveCapacity(vectors.count)
        var places: [UInt32] = []
        places.reserveCapacity(vectors.count)
        for row in 0..<vectors.count {
            var slot = Int(truncatingIfNeeded: vectors.bitHash(row)) & (slots - 1)
            while case let found = unsafe table[slot], found > 0, !vectors.isEqual(rows[Int(found) - 1], row) {
                slot = (slot + 1) & (slots - 1)
            }
            if unsafe table[slot] == 0 {
                rows.append(row)
                unsafe table[slot] = UInt32(rows.count)
            }
            places.append(unsafe table[slot] - 1)
        }
        withExtendedLifetime(memory) {}
        self.rows = rows
        self.places = rows.count == vectors.count ? [] : places
    }

    /// Slots for twice as many rows at least, a power of two.
    private static func tableCount(_ rowCount: Int) -> Int {
        var count = 16
        while count < 2 * rowCount { count *= 2 }
        return count
    }

    /// The first row with the values of a row.
    func firstRow(equalTo row: Int) -> Int { places.isEmpty ? row : rows[Int(places[row])] }

    /// Pairs of unique rows as pairs of all rows, and those among equal rows. Throws `outOfMemory`.
    func expanding(_ found: PairList, of vectors: VectorMatrix) throws(LinearError) -> PairList {
        guard rows.count < vectors.count else { return found }
        let groups = try groups()
        let members = { (unique: Int) in groups[unique] ?? [rows[unique]] }
        var expanded = PairList(limit: found.limit)
        for pair in found.sorted {
            let (left, right) = (members(pair.first), members(pair.second))
            expanded.add(left.count * right.count, pair.similarity) { index in
                (left[index / right.count], right[index % right.count])
            }
        }
        for (_, group) in groups.sorted(by: { $0.key < $1.key }) {
            let similarity = Float(vectors.dot(group[0], vectors, group[0]))
            // Row by row: (0, 1), (0, 2), ..., (1, 2), ...
            var (row, start) = (0, 0)
            expanded.add(group.count * (group.count - 1) / 2, similarity) { index in
                while index - start >= group.count - 1 - row {
                    start += group.count - 1 - row
                    row += 1
                }
                return (group[row], group[row + 1 + index - start])
            }
        }
        if found.hasMore { expanded.hasMore = true }
        return expanded
    }

    /// All rows of each value that is there more than once, by its place in `rows`.
    private func groups() throws(LinearError) -> [Int: [Int]] {
        // An array and slots of the dictionary for each value, and rows that double as they grow.
        let copies = places.count - rows.count
        try MemoryNeed.check(copies * (MemoryNeed.array(2, of: 8) + 96 + 3 * 8))
        var groups: [Int: [Int]] = [:]
        for (row, place) in places.enumerated() where rows[Int(place)] != row {
            groups[Int(place), default: [rows[Int(place)]]].append(row)
        }
        return groups
    }
}

extension VectorMatrix {
    fileprivate func bitHash(_ row: Int) -> UInt64 {
        let values = unsafe start(of: row)
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in 0..<dimensions {
            // Negative zero is equal to zero.
            let bits = unsafe values[index] == 0 ? 0 : values[index].bitPattern
            hash = (hash ^ UInt64(bits)) &* 0x9E37_79B9_7F4A_7C15
            hash ^= hash >> 29
        }
        return hash
    }

    fileprivate func isEqual(_ row: Int, _ other: Int) -> Bool {
        let (a, b) = unsafe (start(of: row), start(of: other))
        return (0..<dimensions).allSatisfy { unsafe a[$0] == b[$0] }
    }
}
