// SQLite with what the catalog needs of it: statements that are prepared once, values by type, and transactions.
internal import CSQLite

/// A value of a statement's parameter or of a column.
enum SQLValue: Equatable {
    case null
    case integer(Int)
    case real(Double)
    case text(String)
    case blob([UInt8])

    static func optional(_ text: String?) -> SQLValue { text.map { .text($0) } ?? .null }
}

/// A connection to one database file, for one task at a time.
@safe final class Database {
    enum Access {
        case creating, writing, reading
        /// As it lies there, without locks: for a folder in which SQLite cannot keep the shared memory of its readers.
        case readingImmutable
    }

    let path: String
    private let handle: OpaquePointer
    private var statements: [String: OpaquePointer] = unsafe [:]

    init(path: String, access: Access) throws(IndexError) {
        var handle: OpaquePointer?
        var flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI
        switch access {
        case .creating: flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        case .writing: flags |= SQLITE_OPEN_READWRITE
        case .reading, .readingImmutable: flags |= SQLITE_OPEN_READONLY
        }
        let query = access == .readingImmutable ? "?immutable=1" : ""
        let code = unsafe sqlite3_open_v2("file:\(Self.escaped(path))\(query)", &handle, flags, nil)
        guard code == SQLITE_OK, let handle = unsafe handle else {
            let message = unsafe handle.map { unsafe String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
            unsafe sqlite3_close_v2(handle)
            throw .catalog(path: path, code: code, message: message)
        }
        self.path = path
        unsafe self.handle = handle
        unsafe sqlite3_extended_result_codes(handle, 1)
        // A checkpoint or a recovery after a crash holds others up for moments only.
        unsafe sqlite3_busy_timeout(handle, 10_000)
    }

    deinit {
        unsafe statements.values.forEach { unsafe sqlite3_finalize($0) }
        unsafe sqlite3_close_v2(handle)
    }

    /// A path inside a `file:` address.
    private static func escaped(_ path: String) -> String {
        var result = ""
        for byte in path.utf8 {
            switch byte {
            case UInt8(ascii: "%"), UInt8(ascii: "?"), UInt8(ascii: "#"), 0x80...:
                let digits = String(byte, radix: 16, uppercase: true)
                result += "%" + (digits.utf8.count == 1 ? "0" + digits : digits)
            default: result.unicodeScalars.append(Unicode.Scalar(byte))
            }
        }
        return result
    }

    /// Whether a result code says that the file itself is damaged.
    static func isDamage(_ code: CInt) -> Bool { code & 0xFF == SQLITE_CORRUPT || code & 0xFF == SQLITE_NOTADB }

    /// Whether another connection was in the way.
    static func isBusy(_ code: CInt) -> Bool { [SQLITE_BUSY, SQLITE_LOCKED].contains(code & 0xFF) }

    /// Whether SQLite could not make the files that readers share, or found no database.
    static func isUnopenable(_ code: CInt) -> Bool {
        [SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_IOERR, SQLITE_PERM].contains(code & 0xFF)
    }

    /// Runs statements that give no rows.
    func execute(_ sql: String) throws(IndexError) {
        let code = unsafe sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw failure(code) }
    }

    /// Runs a statement with its parameters; `row` is called for each row until it returns false.
    func run(
        _ sql: String, _ values: [SQLValue] = [], row: (Row) throws(IndexError) -> Bool = { _ in true }
    ) throws(IndexError) {
        let statement = unsafe try prepared(sql)
        defer {
            unsafe sqlite3_reset(statement)
            unsafe sqlite3_clear_bindings(statement)
        }
        for (index, value) in values.enumerated() { unsafe try bind(value, to: CInt(index + 1), of: statement) }
        while true {
            let code = unsafe sqlite3_step(statement)
            if code == SQLITE_DONE { return }
            guard code == SQLITE_ROW else { throw failure(code) }
            guard unsafe try row(Row(statement: statement)) else { return }
        }
    }

    /// The first row's value made by `column`; nil without a row.
    func first<T>(
        _ sql: String, _ values: [SQLValue] = [], _ column: (Row) throws(IndexError) -> T
    ) throws(IndexError) -> T? {
        var result: T?
        try run(sql, values) { row throws(IndexError) in
            result = try column(row)
            return false
        }
        return result
    }

    /// The rowid of the newest row.
    var lastRow: Int { unsafe Int(sqlite3_last_insert_rowid(handle)) }

    /// Does all of it or, when it throws, nothing.
    func transaction<T>(_ kind: String = "IMMEDIATE", _ body: () throws -> T) throws -> T {
        try execute("BEGIN \(kind)")
        do {
            let result = try body()
            try execute("COMMIT")
            return result
        } catch {
            // After some errors SQLite has rolled back by itself.
            try? execute("ROLLBACK")
            throw error
        }
    }

    private func prepared(_ sql: String) throws(IndexError) -> OpaquePointer {
        if let statement = unsafe statements[sql] { return unsafe statement }
        var statement: OpaquePointer?
        let code = unsafe sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard code == SQLITE_OK, let statement = unsafe statement else { throw failure(code) }
        unsafe statements[sql] = statement
        return unsafe statement
    }

    private func bind(_ value: SQLValue, to index: CInt, of statement: OpaquePointer) throws(IndexError) {
        // SQLITE_TRANSIENT: SQLite copies what it is given.
        let copied = unsafe unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        let code: CInt
        switch value {
        case .null: code = unsafe sqlite3_bind_null(statement, index)
        case .integer(let number): code = unsafe sqlite3_bind_int64(statement, index, sqlite3_int64(number))
        case .real(let number): code = unsafe sqlite3_bind_double(statement, index, number)
        case .text(var text):
            code = text.withUTF8 { utf8 in
                unsafe utf8.withMemoryRebound(to: CChar.self) { bytes in
                    unsafe sqlite3_bind_text64(
                        statement, index, bytes.baseAddress ?? Self.empty, UInt64(bytes.count), copied,
                        UInt8(SQLITE_UTF8))
                }
            }
        case .blob(let bytes):
            code = unsafe bytes.withUnsafeBytes { bytes in
                unsafe bytes.isEmpty
                    ? sqlite3_bind_zeroblob(statement, index, 0)
                    : sqlite3_bind_blob64(statement, index, bytes.baseAddress, UInt64(bytes.count), copied)
            }
        }
        guard code == SQLITE_OK else { throw failure(code) }
    }

    /// An empty text is not NULL.
    private nonisolated(unsafe) static let empty: UnsafePointer<CChar> = {
        let byte = UnsafeMutablePointer<CChar>.allocate(capacity: 1)
        unsafe byte.initialize(to: 0)
        return unsafe UnsafePointer(byte)
    }()

    private func failure(_ code: CInt) -> IndexError {
        let extended = unsafe sqlite3_extended_errcode(handle)
        return unsafe .catalog(
            path: path, code: extended & 0xFF == code & 0xFF ? extended : code,
            message: String(cString: sqlite3_errmsg(handle)))
    }

    /// The current row of a statement; valid within the closure that gets it.
    @safe struct Row {
        private let statement: OpaquePointer

        fileprivate init(statement: OpaquePointer) { unsafe self.statement = statement }

        func int(_ column: Int) -> Int { unsafe Int(sqlite3_column_int64(statement, CInt(column))) }
        func double(_ column: Int) -> Double { unsafe sqlite3_column_double(statement, CInt(column)) }

        func isNull(_ column: Int) -> Bool { unsafe sqlite3_column_type(statement, CInt(column)) == SQLITE_NULL }

        /// A text as it was stored; bytes that are not UTF-8, which only damage can cause, are replaced.
        func text(_ column: Int) -> String { String(decoding: bytes(column), as: UTF8.self) }

        func optionalText(_ column: Int) -> String? { isNull(column) ? nil : text(column) }

        func bytes(_ column: Int) -> [UInt8] {
            guard let start = unsafe sqlite3_column_blob(statement, CInt(column)) else { return [] }
            let count = unsafe Int(sqlite3_column_bytes(statement, CInt(column)))
            return unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: count))
        }
    }
}
