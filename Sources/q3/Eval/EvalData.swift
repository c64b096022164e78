// Data of evaluations: files of JSON lines or of columns, whose every line must be usable.
import Q3Input
import Q3System

/// A line of labelled data.
struct EvalRecord<Content> {
    let content: Content
    /// Where it stands, for messages.
    let name: String
}

/// A file of labelled data.
struct EvalData {
    let path: String

    /// The file itself, or in a folder the one of a split.
    init(_ path: String, split: String) throws {
        guard Self.isFolder(path) else {
            self.path = path
            return
        }
        let candidates = [".jsonl", ".tsv"].map { "\(path)/\(split)\($0)" }
        guard let found = candidates.first(where: { unsafe access($0, F_OK) == 0 }) else {
            throw Failure(.noInput, "\(path) has neither \(split).jsonl nor \(split).tsv")
        }
        self.path = found
    }

    static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// All records of the file, made from JSON or from columns; one at least.
    func records<Content: Sendable>(
        columns: [String], json: @escaping (JSONLine) throws(BadRecord) -> Content,
        tsv: @escaping ([String]) throws(BadRecord) -> Content
    ) throws -> [EvalRecord<Content>] {
        let isJSON = path.hasSuffix(".jsonl") || path.hasSuffix(".ndjson")
        guard isJSON || path.hasSuffix(".tsv") else {
            throw Failure(.usage, "\(path): give a folder, or a file that ends in .jsonl or .tsv")
        }
        var records: [EvalRecord<Content>] = []
        try Self.forEachWindow(
            of: isJSON ? .jsonLines(path: path) : .lines(path: path),
            parser: RecordParser(
                text: { line throws(BadRecord) in try Self.content(ofRow: line, columns: columns, tsv) },
                json: { line throws(BadRecord) in try json(line) })
        ) { window in
            // The titles of the columns, and blank lines, have no content.
            for record in window {
                guard let content = record.content else { continue }
                records.append(EvalRecord(content: content, name: record.name))
            }
        }
        guard !records.isEmpty else { throw Failure(.badData, "\(path) has no records") }
        return records
    }

    /// Passes on the records of a file in windows; the first that cannot be read ends the command.
    static func forEachWindow<Content: Sendable>(
        of source: InputSource, parser: RecordParser<Content>, _ body: ([Record<Content>]) throws -> Void
    ) throws {
        var reader = try RecordReader(source, lossy: false, parser: parser)
        while let window = try reader.nextWindow(rejecting: Self.reject) { try body(window.records) }
    }

    static func reject(_ name: String, _ message: String) throws {
        throw Failure(.badData, "\(name): \(message)")
    }

    private static func content<Content>(
        ofRow line: String, columns: [String], _ parse: ([String]) throws(BadRecord) -> Content
    ) throws(BadRecord) -> Content? {
        let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        guard !line.isEmpty, !fields.starts(with: columns) else { return nil }
        guard fields.count >= columns.count else {
            throw BadRecord(
                message: "\(fields.count) columns, but \(columns.joined(separator: ", ")) are needed, with tabs between"
            )
        }
        return try parse(fields)
    }
}

/// A number of a column.
func number(_ text: String, _ what: String) throws(BadRecord) -> Double {
    guard let number = Double(text), number.isFinite else { throw BadRecord(message: "\"\(what)\" is no number") }
    return number
}
