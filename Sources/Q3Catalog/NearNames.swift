// Names that may have been meant.

package enum NearNames {
    /// Up to three names that contain the given one, or else differ from it in a few letters, nearest first.
    package static func of(_ given: String, in names: [String]) -> [String] {
        let given = Array(given.lowercased().utf8.prefix(100))
        let ranked = names.map { name in (name: name, distance: distance(given, Array(name.lowercased().utf8))) }
            .filter { $0.distance <= max(2, given.count / 3) }
        return ranked.sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }.prefix(3).map(\.name)
    }

    /// 0 for a name that begins with the given one, 1 for one that contains it, else the number of letters to insert, delete
    /// or change.
    private static func distance(_ given: [UInt8], _ name: [UInt8]) -> Int {
        if !given.isEmpty, name.starts(with: given) { return 0 }
        if given.count > 2, contains(name, given) { return 1 }
        var row = Array(0...name.count)
        for (index, letter) in given.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in name.indices {
                let changed = diagonal + (name[column] == letter ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(changed, row[column] + 1, diagonal + 1)
            }
        }
        return row[name.count]
    }

    private static func contains(_ name: [UInt8], _ part: [UInt8]) -> Bool {
        name.count >= part.count && (0...name.count - part.count).contains { name[$0...].starts(with: part) }
    }
}
