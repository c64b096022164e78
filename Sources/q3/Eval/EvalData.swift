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
        columns: [String], json: @escaping @Sendable (Fields) throws(BadRecord) -> Content,
        tsv: @escaping @Sendable ([String]) throws(BadRecord) -> Content
    ) throws -> [EvalRecord<Content>] {
        let isJSON = path.hasSuffix(".jsonl") || path.hasSuffix(".ndjson")
        guard isJSON || path.hasSuffix(".tsv") else {
            throw Failure(.usage, "\(path): give a folder, or a file that ends in .jsonl or .tsv")
        }
        // Columns are cut at their tabs alone: published data sets do not quote.
        let reader = try Self.reader(
            of: path, as: isJSON ? .jsonl : .text,
            parser: RecordParser<Content?>(
                text: { line throws(BadRecord) in try Self.content(ofRow: line, columns: columns, tsv) },
                fields: { fields throws(BadRecord) in try json(fields) }))
        var records: [EvalRecord<Content>] = []
        while let record = try reader.next() {
            // The titles of the columns, and blank lines, have no content.
            guard let content = try Self.content(of: record) else { continue }
            records.append(EvalRecord(content: content, name: record.name))
        }
        guard !records.isEmpty else { throw Failure(.badData, "\(path) has no records") }
        return records
    }

    /// A reader of one file in a known form.
    static func reader<Content: Sendable>(
        of path: String, as format: InputFormat = .jsonl, parser: RecordParser<Content>
    ) throws -> sending RecordReader<Content> {
        var options = ReadingOptions()
        options.format = format
        return try RecordReader(.files([path]), options: options, parser: parser)
    }

    /// The content of a record; one that cannot be read ends the command.
    static func content<Content>(of record: Record<Content>) throws -> Content {
        do throws(BadRecord) {
            return try record.content.get()
        } catch {
            throw Failure(.badData, "\(record.name): \(error.message)")
        }
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
    guard let number = Double(text), number.isFinite else { throw BadRecord(message: "\"\(what)\" is not a number") }
    return number
}
