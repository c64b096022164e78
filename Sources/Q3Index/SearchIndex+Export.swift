// Every chunk with its vector, for those who take them elsewhere.

/// A chunk as it is exported.
public struct ExportedChunk: Sendable {
    /// The chunk's id, valid until its document changes.
    public let id: Int
    /// "path", or "path#id" of a record.
    public let name: String
    /// Lines in the file, counted from 1.
    public let lines: ClosedRange<Int>
    /// The document's title.
    public let title: String
    /// Title and headings above the chunk.
    public let context: String
    /// The chunk's text.
    public let text: String
    /// [dimensions], of unit length, with the bits that the model gave.
    public let vector: [Float]
}

extension SearchIndex {
    /// The next `count` chunks whose ids are above `id`, in the order of their ids; none at the end. Begin with 0.
    public func chunks(after id: Int, count: Int) throws -> [ExportedChunk] {
        try catalog.database.transaction("DEFERRED") { try catalog.chunks(after: id, count: count, from: current().1) }
    }

    /// Writes a SQLite file with a table `chunks(id, name, line_start, line_end, title, context, text, embedding)`, whose
    /// embeddings are the little-endian f32 that sqlite-vec's functions take. Throws `exists` where there is a file already.
    public func exportSQLite(to target: String) throws {
        guard !SystemCall.exists(target) else { throw IndexError.exists(path: target) }
        let part = "\(target).part"
        try SystemCall.remove(part)
        var isDone = false
        defer { if !isDone { try? SystemCall.remove(part) } }
        try catalog.database.execute("BEGIN DEFERRED")
        defer { try? catalog.database.execute("COMMIT") }
        try catalog.export(current().1, configuration, to: part)
        try SystemCall.rename(part, to: target)
        isDone = true
    }
}

extension Catalog {
    fileprivate func chunks(
        after id: Int, count: Int, from vectors: VectorStore
    ) throws(IndexError) -> [ExportedChunk] {
        var chunks: [ExportedChunk] = []
        try database.run(
            """
            SELECT c.id, f.path, d.name, c.line_start, c.line_end, d.title, c.context, c.text, c.slot
            FROM chunks c JOIN documents d ON d.id = c.document JOIN files f ON f.id = d.file WHERE c.id > ?
            ORDER BY c.id LIMIT ?
            """, [.integer(id), .integer(count)]
        ) { row throws(IndexError) in
            guard let vector = vectors.vector(in: row.int(8)) else {
                throw .segment(path: folder, offset: 0, problem: "chunk \(row.int(0)) has no vector")
            }
            chunks.append(
                ExportedChunk(
                    id: row.int(0), name: row.isNull(2) ? row.text(1) : "\(row.text(1))#\(row.text(2))",
                    lines: row.int(3)...max(row.int(3), row.int(4)), title: row.text(5), context: row.text(6),
                    text: row.text(7), vector: vector))
            return true
        }
        return chunks
    }

    fileprivate func export(_ vectors: VectorStore, _ configuration: IndexConfiguration, to path: String) throws {
        let copy = try Database(path: path, access: .creating)
        try copy.execute(
            """
            CREATE TABLE meta(key TEXT PRIMARY KEY, value);
            CREATE TABLE chunks(
                id INTEGER PRIMARY KEY, name TEXT NOT NULL, line_start INTEGER, line_end INTEGER, title TEXT, context TEXT,
                text TEXT NOT NULL, embedding BLOB NOT NULL)
            """)
        try copy.transaction {
            for (key, value) in [
                ("model", configuration.model.name), ("fingerprint", configuration.model.fingerprint),
                ("dimensions", "\(configuration.dimensions)"),
            ] {
                try copy.run("INSERT INTO meta VALUES(?, ?)", [.text(key), .text(value)])
            }
            var last = 0
            while true {
                let page = try chunks(after: last, count: 1000, from: vectors)
                guard let end = page.last else { return }
                last = end.id
                for chunk in page { try copy.insert(chunk) }
            }
        }
    }
}

extension Database {
    fileprivate func insert(_ chunk: ExportedChunk) throws(IndexError) {
        var vector = ByteBuilder()
        vector.append(chunk.vector)
        try run(
            "INSERT INTO chunks VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
            [
                .integer(chunk.id), .text(chunk.name), .integer(chunk.lines.lowerBound),
                .integer(chunk.lines.upperBound), .text(chunk.title), .text(chunk.context), .text(chunk.text),
                .blob(vector.bytes),
            ])
    }
}
