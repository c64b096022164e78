// What an index holds, in numbers.

/// The state of an index at one moment.
public struct IndexStatus: Sendable, Equatable {
    /// The folders, files and streams that were added.
    public var sources: [IndexSource] = []
    /// Known files, including those that were left out.
    public var files = 0
    /// How many files were left out for which reason, most frequent first.
    public var problems: [(reason: String, count: Int)] { problemCounts.map { ($0.reason, $0.count) } }
    /// Files that a writer did not finish; the next update does.
    public var unfinishedFiles = 0
    /// Documents: files, and records of files of records.
    public var documents = 0
    /// Chunks of all documents.
    public var chunks = 0
    /// Tokens of all chunks, without their contexts.
    public var tokens = 0
    /// Vectors in all segments.
    public var vectors = 0
    /// Vectors that no chunk uses any more; `IndexWriter.compact()` drops them.
    public var deadVectors = 0
    /// Files of vectors.
    public var segments = 0
    /// Bytes of all segments.
    public var vectorBytes = 0
    /// Bytes of the catalog and its log.
    public var catalogBytes = 0

    struct Problem: Sendable, Equatable {
        let reason: String
        let count: Int
    }

    var problemCounts: [Problem] = []
}

extension SearchIndex {
    /// Counts what the index holds.
    public func status() throws -> IndexStatus {
        try catalog.database.transaction("DEFERRED") { try catalog.status() }
    }

    /// The text of a document from the chunks that were made of it, with the path of its file; nil for an id that there is
    /// not (any more).
    public func document(_ id: Int) throws -> IndexedDocument? {
        try catalog.database.transaction("DEFERRED") { try catalog.document(id) }
    }
}

/// A document as the index has it.
public struct IndexedDocument: Sendable, Equatable {
    /// The path of the file, absolute where the source is a folder or a file.
    public let path: String
    /// The record's id in its file; nil for a document that is a file.
    public let name: String?
    /// Its first heading, the record's title, or the file's name.
    public let title: String
    /// How it was cut: text, markdown, code, html, pdf or record.
    public let kind: String
    /// The programming language of code; nil for anything else.
    public let language: String?
    /// The texts of its chunks with their first lines, in their order.
    public package(set) var chunks: [Part]

    /// The text of one chunk.
    public struct Part: Sendable, Equatable {
        /// The chunk's id, valid until its document changes.
        public let id: Int
        /// Lines in the file, counted from 1.
        public let lines: ClosedRange<Int>
        /// The chunk's text.
        public let text: String
    }
}

extension Catalog {
    func status() throws(IndexError) -> IndexStatus {
        var status = IndexStatus()
        status.sources = try sources()
        status.files = try number("SELECT count(*) FROM files")
        try database.run("SELECT problem, count(*) FROM files WHERE problem NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1") {
            row in
            status.problemCounts.append(IndexStatus.Problem(reason: row.text(0), count: row.int(1)))
            return true
        }
        status.unfinishedFiles = try number("SELECT count(*) FROM files WHERE sha256 IS NULL")
        status.documents = try number("SELECT count(*) FROM documents")
        status.chunks = try number("SELECT count(*) FROM chunks")
        status.tokens = try number("SELECT sum(tokens) FROM chunks")
        let segments = try segments()
        status.segments = segments.count
        status.vectors = segments.reduce(0) { $0 + $1.rows }
        status.vectorBytes = segments.reduce(0) { $0 + $1.byteCount }
        status.deadVectors = try number("SELECT count(*) FROM dead")
        status.catalogBytes = ["", "-wal"].reduce(0) { $0 + (SystemCall.size(of: database.path + $1) ?? 0) }
        return status
    }

    func document(_ id: Int) throws(IndexError) -> IndexedDocument? {
        var document = try database.first(
            """
            SELECT s.kind, s.path, f.path, d.name, d.title, d.kind, d.language
            FROM documents d JOIN files f ON f.id = d.file JOIN sources s ON s.id = f.source WHERE d.id = ?
            """, [.integer(id)]
        ) { row in
            IndexedDocument(
                path: row.text(0) == IndexSource.Kind.folder.rawValue ? "\(row.text(1))/\(row.text(2))" : row.text(2),
                name: row.optionalText(3), title: row.text(4), kind: row.text(5), language: row.optionalText(6),
                chunks: [])
        }
        try database.run(
            "SELECT id, line_start, line_end, text FROM chunks WHERE document = ? ORDER BY id", [.integer(id)]
        ) { row in
            document?.chunks.append(
                IndexedDocument.Part(id: row.int(0), lines: row.int(1)...max(row.int(1), row.int(2)), text: row.text(3))
            )
            return true
        }
        return document
    }
}
