// The catalog of an index: a SQLite database of files, documents, chunks, words and the extents of the vectors.

/// What an index was made with, fixed for its life.
public struct IndexConfiguration: Sendable, Equatable {
    /// The model whose vectors it holds.
    public let model: ModelIdentity
    /// Values of each vector.
    public let dimensions: Int
    /// Most tokens of a chunk, without the context before it.
    public let chunkTokens: Int
    /// What chunks are embedded as; queries are embedded with the model's instruction where it takes one.
    public let prompt: String
    /// How documents are cut. Raised with any change that gives other chunks for the same document.
    public let chunkerVersion: Int
}

/// Where a source's documents come from.
public struct IndexSource: Sendable, Equatable {
    /// What a source is.
    public enum Kind: String, Sendable {
        /// A folder with everything in it, one file, or records from a pipe.
        case folder, file, stream
    }

    /// Its number in the catalog.
    public internal(set) var id: Int
    /// What it is.
    public let kind: Kind
    /// The absolute path of a folder or file, or the name of a stream.
    public let path: String
    /// Patterns of which a file must match one; none stands for all files that hold text.
    public let globs: [String]
    /// What stands before the title in the context of each chunk; empty for nothing.
    public let context: String
}

/// The database; used by one task at a time.
final class Catalog {
    /// "q3ix", so that `file` and others can tell.
    static let applicationID = 0x7133_6978
    static let version = 1

    let database: Database
    let folder: String

    private static let schema = """
        CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
        CREATE TABLE sources(
            id INTEGER PRIMARY KEY, kind TEXT NOT NULL, path TEXT NOT NULL, globs TEXT NOT NULL, context TEXT NOT NULL,
            UNIQUE(kind, path));
        -- path is bytes, because names of files need not be UTF-8. A file without a hash was not finished; one with a
        -- problem is left out for it until it changes.
        CREATE TABLE files(
            id INTEGER PRIMARY KEY, source INTEGER NOT NULL REFERENCES sources(id), path BLOB NOT NULL,
            size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, sha256 BLOB,
            problem TEXT,
            UNIQUE(source, path));
        CREATE INDEX files_by_hash ON files(sha256);
        CREATE TABLE documents(
            id INTEGER PRIMARY KEY, file INTEGER NOT NULL REFERENCES files(id), name TEXT, title TEXT NOT NULL,
            kind TEXT NOT NULL, language TEXT, metadata TEXT);
        CREATE INDEX documents_by_file ON documents(file);
        CREATE TABLE chunks(
            id INTEGER PRIMARY KEY, document INTEGER NOT NULL REFERENCES documents(id),
            byte_start INTEGER NOT NULL, byte_end INTEGER NOT NULL, line_start INTEGER NOT NULL,
            line_end INTEGER NOT NULL, context TEXT NOT NULL, text TEXT NOT NULL, tokens INTEGER NOT NULL,
            sha256 BLOB NOT NULL, slot INTEGER NOT NULL,
            -- What scripts without spaces are searched by: two letters each (see Words).
            pairs TEXT NOT NULL DEFAULT '');
        CREATE INDEX chunks_by_document ON chunks(document);
        CREATE INDEX chunks_by_hash ON chunks(sha256);
        CREATE INDEX chunks_by_slot ON chunks(slot);
        CREATE VIRTUAL TABLE words USING fts5(
            text, context, pairs, content='chunks', content_rowid='id', tokenize="unicode61 remove_diacritics 2");
        CREATE TABLE segments(
            number INTEGER PRIMARY KEY, first_slot INTEGER NOT NULL, rows INTEGER NOT NULL, byte_count INTEGER NOT NULL);
        -- Slots that no chunk has any more.
        CREATE TABLE dead(slot INTEGER PRIMARY KEY);
        """

    static func path(in folder: String) -> String { "\(folder)/catalog.sqlite" }

    private init(folder: String, database: Database) {
        self.folder = folder
        self.database = database
    }

    /// Makes the catalog of a new index.
    static func create(in folder: String, configuration: IndexConfiguration) throws -> Catalog {
        let database = try Database(path: path(in: folder), access: .creating)
        let catalog = Catalog(folder: folder, database: database)
        try catalog.prepareForWriting()
        try database.transaction {
            try database.execute(schema)
            try database.execute("PRAGMA application_id = \(applicationID); PRAGMA user_version = \(version)")
            let values: [(String, SQLValue)] = [
                ("model", .text(configuration.model.name)),
                ("fingerprint", .text(configuration.model.fingerprint)),
                ("dimensions", .integer(configuration.dimensions)),
                ("chunk_tokens", .integer(configuration.chunkTokens)), ("prompt", .text(configuration.prompt)),
                ("chunker_version", .integer(configuration.chunkerVersion)), ("generation", .integer(0)),
            ]
            for (key, value) in values {
                try database.run("INSERT INTO meta(key, value) VALUES(?, ?)", [.text(key), value])
            }
        }
        return catalog
    }

    /// Opens the catalog of an index and checks that it is one that this q3 knows.
    static func open(in folder: String, writing: Bool) throws(IndexError) -> Catalog {
        let path = path(in: folder)
        guard SystemCall.exists(path) else {
            throw SystemCall.exists(folder) ? .notAnIndex(path: folder) : .absent(path: folder)
        }
        if writing {
            let catalog = Catalog(folder: folder, database: try Database(path: path, access: .writing))
            try catalog.check()
            try catalog.prepareForWriting()
            return catalog
        }
        do {
            let catalog = Catalog(folder: folder, database: try Database(path: path, access: .reading))
            try catalog.check()
            return catalog
        } catch .catalog(_, let code, _)
            where Database.isUnopenable(code) && (SystemCall.size(of: "\(path)-wal") ?? 0) == 0
        {
            // The folder is read-only. Without a log beside it the file is whole, and nobody can write to it.
            let catalog = Catalog(folder: folder, database: try Database(path: path, access: .readingImmutable))
            try catalog.check()
            return catalog
        }
    }

    private func prepareForWriting() throws(IndexError) {
        // A transaction is on disk when COMMIT returns: the vectors before it are, too.
        try database.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")
    }

    private func check() throws(IndexError) {
        let id: Int
        do throws(IndexError) {
            id = try number("PRAGMA application_id")
        } catch .catalog(_, let code, _) where Database.isDamage(code) && !isHeaderThere {
            throw .notAnIndex(path: folder)
        }
        guard id == Self.applicationID else { throw .notAnIndex(path: folder) }
        let version = try number("PRAGMA user_version")
        guard version <= Self.version else { throw .newer(path: folder, version: version, known: Self.version) }
        guard version > 0 else { throw .notAnIndex(path: folder) }
    }

    /// Whether the file begins as SQLite's do, so that what is wrong with it is damage.
    private var isHeaderThere: Bool {
        guard let size = SystemCall.size(of: database.path) else { return false }
        return size >= 512
    }

    /// The number in the first column of the first row, 0 without one.
    func number(_ sql: String, _ values: [SQLValue] = []) throws(IndexError) -> Int {
        try database.first(sql, values) { $0.int(0) } ?? 0
    }

    private func meta(_ key: String) throws(IndexError) -> String? {
        try database.first("SELECT value FROM meta WHERE key = ?", [.text(key)]) { $0.text(0) }
    }

    func configuration() throws(IndexError) -> IndexConfiguration {
        guard let name = try meta("model"), let fingerprint = try meta("fingerprint"),
            let dimensions = try meta("dimensions").flatMap({ Int($0) }),
            (1...BlockHeader.dimensionLimit).contains(dimensions),
            let chunkTokens = try meta("chunk_tokens").flatMap({ Int($0) }), let prompt = try meta("prompt"),
            let chunker = try meta("chunker_version").flatMap({ Int($0) })
        else { throw .notAnIndex(path: folder) }
        return IndexConfiguration(
            model: ModelIdentity(name: name, fingerprint: fingerprint), dimensions: dimensions,
            chunkTokens: chunkTokens, prompt: prompt, chunkerVersion: chunker)
    }

    /// Counts up with every transaction, so that a reader knows when to map more.
    func generation() throws(IndexError) -> Int { try number("SELECT value FROM meta WHERE key = 'generation'") }

    func bumpGeneration() throws(IndexError) {
        try database.run("UPDATE meta SET value = value + 1 WHERE key = 'generation'")
    }

    func segments() throws(IndexError) -> [SegmentEntry] {
        var entries: [SegmentEntry] = []
        try database.run("SELECT number, first_slot, rows, byte_count FROM segments ORDER BY first_slot, number") {
            row in
            entries.append(
                SegmentEntry(number: row.int(0), firstSlot: row.int(1), rows: row.int(2), byteCount: row.int(3)))
            return true
        }
        return entries
    }

    func set(_ entry: SegmentEntry) throws(IndexError) {
        try database.run(
            "INSERT OR REPLACE INTO segments(number, first_slot, rows, byte_count) VALUES(?, ?, ?, ?)",
            [.integer(entry.number), .integer(entry.firstSlot), .integer(entry.rows), .integer(entry.byteCount)])
    }

    func sources() throws(IndexError) -> [IndexSource] {
        var sources: [IndexSource] = []
        try database.run("SELECT id, kind, path, globs, context FROM sources ORDER BY id") { row in
            sources.append(
                IndexSource(
                    id: row.int(0), kind: IndexSource.Kind(rawValue: row.text(1)) ?? .file, path: row.text(2),
                    globs: row.text(3).split(separator: "\n").map(String.init), context: row.text(4)))
            return true
        }
        return sources
    }

    /// Adds a source, or changes the globs and the context of one that is there.
    func set(_ source: IndexSource) throws(IndexError) -> IndexSource {
        try database.run(
            """
            INSERT INTO sources(kind, path, globs, context) VALUES(?, ?, ?, ?)
            ON CONFLICT(kind, path) DO UPDATE SET globs = excluded.globs, context = excluded.context
            """,
            [
                .text(source.kind.rawValue), .text(source.path), .text(source.globs.joined(separator: "\n")),
                .text(source.context),
            ])
        var source = source
        source.id = try number(
            "SELECT id FROM sources WHERE kind = ? AND path = ?", [.text(source.kind.rawValue), .text(source.path)])
        return source
    }

    func vectorHeader(_ configuration: IndexConfiguration) -> SegmentHeader {
        SegmentHeader(
            dimensions: configuration.dimensions, fingerprint: UInt64(configuration.model.fingerprint, radix: 16) ?? 0,
            number: 0)
    }
}
