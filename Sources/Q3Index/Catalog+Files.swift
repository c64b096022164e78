// Rows of files, documents and chunks: what a writer puts in and takes out.

/// What a file was like when it was read.
struct FileState: Sendable, Equatable {
    var size: Int
    var modifiedNanoseconds: Int
    var inode: Int
}

/// A file that the catalog knows.
struct FileEntry: Sendable, Equatable {
    var id: Int
    var state: FileState
    /// SHA-256 of its bytes; nil when it was not finished.
    var hash: [UInt8]?
}

/// A chunk that is about to be put in.
struct ChunkEntry: Sendable, Equatable {
    var bytes: Range<Int>
    var lines: ClosedRange<Int>
    var context: String
    var text: String
    var tokens: Int
    /// SHA-256 of what is embedded: the context and the text.
    var hash: [UInt8]
    var slot: Int
}

extension Catalog {
    /// The files of a source by their paths.
    func files(of source: Int) throws(IndexError) -> [[UInt8]: FileEntry] {
        var files: [[UInt8]: FileEntry] = [:]
        files.reserveCapacity(try number("SELECT count(*) FROM files WHERE source = ?", [.integer(source)]))
        try database.run(
            "SELECT path, id, size, mtime_ns, inode, sha256 FROM files WHERE source = ?", [.integer(source)]
        ) { row in
            files[row.bytes(0)] = FileEntry(
                id: row.int(1),
                state: FileState(size: row.int(2), modifiedNanoseconds: row.int(3), inode: row.int(4)),
                hash: row.isNull(5) ? nil : row.bytes(5))
            return true
        }
        return files
    }

    /// Adds a file that is not finished yet. A file that is already there keeps its documents until `removeDocuments`: searches
    /// find them, and their vectors are used again.
    func beginFile(source: Int, path: [UInt8], state: FileState) throws(IndexError) -> Int {
        let known = try database.first(
            "SELECT id FROM files WHERE source = ? AND path = ?", [.integer(source), .blob(path)]
        ) { $0.int(0) }
        if let known {
            try set(state, hash: nil, ofFile: known)
            return known
        }
        try database.run(
            "INSERT INTO files(source, path, size, mtime_ns, inode) VALUES(?, ?, ?, ?, ?)",
            [
                .integer(source), .blob(path), .integer(state.size), .integer(state.modifiedNanoseconds),
                .integer(state.inode),
            ])
        return database.lastRow
    }

    func set(
        _ state: FileState, hash: [UInt8]?, problem: String? = nil, ofFile file: Int
    ) throws(IndexError) {
        try database.run(
            "UPDATE files SET size = ?, mtime_ns = ?, inode = ?, sha256 = ?, problem = ? WHERE id = ?",
            [
                .integer(state.size), .integer(state.modifiedNanoseconds), .integer(state.inode),
                hash.map { .blob($0) } ?? .null, .optional(problem), .integer(file),
            ])
    }

    func rename(file: Int, to path: [UInt8], state: FileState, hash: [UInt8]) throws(IndexError) {
        try database.run("UPDATE files SET path = ? WHERE id = ?", [.blob(path), .integer(file)])
        try set(state, hash: hash, ofFile: file)
    }

    func addDocument(_ document: SourceDocument, toFile file: Int) throws(IndexError) -> Int {
        try database.run(
            "INSERT INTO documents(file, name, title, kind, language, metadata) VALUES(?, ?, ?, ?, ?, ?)",
            [
                .integer(file), .optional(document.name), .text(document.title), .text(document.kind.rawValue),
                .optional(document.language), .optional(document.metadata),
            ])
        return database.lastRow
    }

    func add(_ chunk: ChunkEntry, toDocument document: Int) throws(IndexError) {
        let pairs = Words.pairs(of: "\(chunk.context)\n\(chunk.text)")
        try database.run(
            """
            INSERT INTO chunks(
                document, byte_start, byte_end, line_start, line_end, context, text, tokens, sha256, slot, pairs)
            VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                .integer(document), .integer(chunk.bytes.lowerBound), .integer(chunk.bytes.upperBound),
                .integer(chunk.lines.lowerBound), .integer(chunk.lines.upperBound), .text(chunk.context),
                .text(chunk.text), .integer(chunk.tokens), .blob(chunk.hash), .integer(chunk.slot),
                .text(pairs),
            ])
        let id = database.lastRow
        try database.run(
            "INSERT INTO words(rowid, text, context, pairs) VALUES(?, ?, ?, ?)",
            [.integer(id), .text(chunk.text), .text(chunk.context), .text(pairs)])
        try database.run("DELETE FROM dead WHERE slot = ?", [.integer(chunk.slot)])
    }

    /// The slot of a vector for the same words, wherever they stand: equal texts have equal bits.
    func slot(ofHash hash: [UInt8]) throws(IndexError) -> Int? {
        try database.first("SELECT slot FROM chunks WHERE sha256 = ? LIMIT 1", [.blob(hash)]) { $0.int(0) }
    }

    /// Removes a file with its documents and chunks; their slots die unless others have them.
    func removeFile(_ file: Int) throws(IndexError) {
        try removeDocuments(ofFile: file, upTo: .max)
        try database.run("DELETE FROM files WHERE id = ?", [.integer(file)])
    }

    /// Removes the documents of a file whose ids are not above `last`.
    func removeDocuments(ofFile file: Int, upTo last: Int) throws(IndexError) {
        let chunks = "(SELECT id FROM documents WHERE file = ?1 AND id <= ?2)"
        let values: [SQLValue] = [.integer(file), .integer(last)]
        try database.run(
            """
            INSERT INTO words(words, rowid, text, context, pairs)
            SELECT 'delete', id, text, context, pairs FROM chunks WHERE document IN \(chunks)
            """, values)
        var slots: Set<Int> = []
        try database.run("SELECT slot FROM chunks WHERE document IN \(chunks)", values) { row in
            slots.insert(row.int(0))
            return true
        }
        try database.run("DELETE FROM chunks WHERE document IN \(chunks)", values)
        for slot in slots.sorted() { try buryIfUnused(slot) }
        try database.run("DELETE FROM documents WHERE file = ?1 AND id <= ?2", values)
    }

    /// Notes a slot as dead when no chunk has it.
    func buryIfUnused(_ slot: Int) throws(IndexError) {
        try database.run(
            "INSERT OR IGNORE INTO dead(slot) SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM chunks WHERE slot = ?1)",
            [.integer(slot)])
    }

    /// Removes segment files that the catalog does not know, which a writer left that was killed while it compacted.
    func removeStraySegments() throws(IndexError) {
        let known = Set(try segments().map { SegmentEntry.fileName($0.number) })
        for name in SystemCall.names(in: "\(folder)/vectors") where name.hasSuffix(".seg") {
            if !known.contains("vectors/\(name)") { try SystemCall.remove("\(folder)/vectors/\(name)") }
        }
    }
}
