// What an index holds, in numbers.

/// The state of an index at one moment.
public struct IndexStatus: Sendable, Equatable {
    public var sources: [IndexSource] = []
    public var files = 0
    /// Files that are left out, by the reason, most first.
    public var problems: [(reason: String, count: Int)] { problemCounts.map { ($0.reason, $0.count) } }
    /// Files that a writer did not finish; the next update does.
    public var unfinishedFiles = 0
    public var documents = 0
    public var chunks = 0
    /// Tokens of all chunks, without their contexts.
    public var tokens = 0
    /// Vectors in the segments, and those that no chunk has any more.
    public var vectors = 0
    public var deadVectors = 0
    public var segments = 0
    public var vectorBytes = 0
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
    public let path: String
    public let name: String?
    public let title: String
    public let kind: String
    public let language: String?
    /// The texts of its chunks with their first lines, in their order.
    public internal(set) var chunks: [Part]

    public struct Part: Sendable, Equatable {
        public let id: Int
        public let lines: ClosedRange<Int>
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
