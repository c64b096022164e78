// Compacting: the living vectors in new segments, and the catalog without its gaps; readers continue.

/// What compacting did.
public struct CompactReport: Sendable, Equatable {
    /// Vectors that chunks use.
    public let keptVectors: Int
    /// Vectors that no chunk used any more.
    public let droppedVectors: Int
    /// Bytes of segments and catalog before.
    public let bytesBefore: Int
    /// Bytes of segments and catalog after.
    public let bytesAfter: Int
}

extension IndexWriter {
    /// Vectors of a block of a compacted segment.
    private static let blockRows = 4096

    /// Writes the living vectors into new segments, then lets the catalog point to them, then removes the old ones. Whatever
    /// ends it before the catalog is committed leaves the index as it was.
    public func compact() async throws -> CompactReport {
        _ = try await flush()
        let before = try catalog.status()
        try rewriteSegments(from: VectorStore(catalog, configuration: configuration))
        try catalog.tidy()
        let after = try catalog.status()
        return CompactReport(
            keptVectors: after.vectors, droppedVectors: before.vectors - after.vectors,
            bytesBefore: before.vectorBytes + before.catalogBytes, bytesAfter: after.vectorBytes + after.catalogBytes)
    }

    /// New segments with every vector that a chunk has.
    private func rewriteSegments(from store: VectorStore) throws {
        let database = catalog.database
        var living: [Int] = []
        try database.run("SELECT DISTINCT slot FROM chunks ORDER BY slot") { row in
            living.append(row.int(0))
            return true
        }
        try database.execute("CREATE TEMP TABLE IF NOT EXISTS moved(old INTEGER PRIMARY KEY, new INTEGER NOT NULL)")
        try replaceSegments(living, vector: { store.vector(in: $0) }) { moved in
            try database.run("DELETE FROM moved")
            for (old, new) in moved {
                try database.run("INSERT INTO moved VALUES(?, ?)", [.integer(old), .integer(new)])
            }
            try database.run("UPDATE chunks SET slot = (SELECT new FROM moved WHERE old = slot)")
        }
    }

    /// Writes the vectors of `rows` into new segments, in their order, lets the catalog point to them and removes the old
    /// segments. `move` says in the same transaction which chunks have the new slots.
    ///
    /// Whatever ends it before that transaction leaves the index as it was. Throws `segment` for a row without a vector.
    func replaceSegments<Row>(
        _ rows: [Row], vector: (Row) -> [Float]?, move: ([(row: Row, slot: Int)]) throws -> Void
    ) throws {
        let number = (try catalog.segments().map(\.number).max() ?? 0) + 1
        let writer = try SegmentWriter(
            folder: path, header: catalog.vectorHeader(configuration), number: number, firstSlot: 0)
        var entries: [Int: SegmentEntry] = [:]
        var moved: [(row: Row, slot: Int)] = []
        moved.reserveCapacity(rows.count)
        for start in stride(from: 0, to: rows.count, by: Self.blockRows) {
            let part = rows[start..<min(start + Self.blockRows, rows.count)]
            let vectors = try part.map { row in
                guard let vector = vector(row) else {
                    throw IndexError.segment(path: path, offset: 0, problem: "a chunk has no vector in it")
                }
                return vector
            }
            let (firstSlot, entry) = try writer.append(vectors)
            writer.commit(entry)
            entries[entry.number] = entry
            for (index, row) in part.enumerated() { moved.append((row, firstSlot + index)) }
        }
        try catalog.database.transaction {
            try move(moved)
            try catalog.database.run("DELETE FROM dead")
            try catalog.database.run("DELETE FROM segments")
            for entry in entries.values { try catalog.set(entry) }
            try catalog.bumpGeneration()
        }
        forgetSegmentWriter()
        try catalog.removeStraySegments()
    }
}

extension Catalog {
    /// Merges the words' lists and gives unused pages back.
    fileprivate func tidy() throws(IndexError) {
        try database.run("INSERT INTO words(words) VALUES('optimize')")
        do throws(IndexError) {
            try database.execute("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
        } catch {
            // Readers that are under way keep their pages; the next writer takes them over.
            guard case .catalog(_, let code, _) = error, Database.isBusy(code) else { throw error }
        }
    }
}
