// Input record by record: the text or the pair of each, its id, and its place for messages.

/// One text, document or pair of the input, or what is wrong with it.
package struct Record<Content: Sendable>: Sendable {
    /// Position in the whole input, counted from 0; rejected records count, so that a gap shows.
    package let index: Int
    package let id: RecordID?
    package let content: Result<Content, BadRecord>
    /// Where it came from, for messages.
    package let name: String
    /// Which of the input's files it is from, counted from 0.
    package let file: Int
    /// The line of its file or pipe that it begins on, counted from 1, and its bytes there (after decompressing).
    package let line: Int
    package let bytes: Range<Int>
    /// The part of the whole input that ends with this record, 0...1; nil where its size is not known.
    package let fraction: Double?
}

/// How records are read.
package struct ReadingOptions: Sendable {
    /// The form of all files; nil looks at each.
    package var format: InputFormat?
    /// Whether bytes and escapes that are not characters become U+FFFD instead of rejecting the record.
    package var isLossy = false
    /// The column or field of the id; nil takes "id", else "_id".
    package var idColumn: String?
    /// Columns that a table must have.
    package var columns: [String] = []
    /// Whether blank lines of text are left out; otherwise they are empty texts.
    package var skipsBlankLines = false
    /// Which records to read, by index, as in the first of every four; nil for all.
    package var shard: (number: Int, count: Int)?

    package init(format: InputFormat? = nil) { self.format = format }
}

/// Makes a record's content from a plain text or from named fields.
package struct RecordParser<Content: Sendable>: Sendable {
    let text: @Sendable (String) throws(BadRecord) -> Content
    let fields: @Sendable (Fields) throws(BadRecord) -> Content

    package init(
        text: @escaping @Sendable (String) throws(BadRecord) -> Content,
        fields: @escaping @Sendable (Fields) throws(BadRecord) -> Content
    ) {
        self.text = text
        self.fields = fields
    }

    /// A parser whose content is made of this one's.
    package func map<Other>(_ transform: @escaping @Sendable (Content) -> Other) -> RecordParser<Other> {
        RecordParser<Other>(
            text: { [text] line throws(BadRecord) in transform(try text(line)) },
            fields: { [fields] named throws(BadRecord) in transform(try fields(named)) })
    }
}

extension RecordParser {
    /// A parser that makes its content of this one's and of the record's other fields.
    package func with<Other>(
        text: @escaping @Sendable (Content) throws(BadRecord) -> Other,
        fields: @escaping @Sendable (Content, Fields) throws(BadRecord) -> Other
    ) -> RecordParser<Other> {
        RecordParser<Other>(
            text: { [own = self.text] line throws(BadRecord) in try text(try own(line)) },
            fields: { [own = self.fields] named throws(BadRecord) in try fields(try own(named), named) })
    }
}

extension RecordParser<String> {
    /// A document: the named column alone; without a name "text", with "title", a space and it before where there is a title,
    /// as the documents of BEIR are embedded.
    package static func documents(column: String?) -> Self {
        Self(
            text: { $0 },
            fields: { fields throws(BadRecord) in
                guard column == nil else { return try fields.text(column ?? "") }
                let text = try fields.text("text")
                guard let title = fields.optionalText("title"), !title.isEmpty else { return text }
                return "\(title) \(text)"
            })
    }
}

/// Reads the records of a source one after another; the input may be of any size.
package final class RecordReader<Content: Sendable> {
    private let parser: RecordParser<Content>
    private let options: ReadingOptions
    /// Is told what was guessed.
    private let note: @Sendable (String) -> Void
    private var arguments: ArraySlice<String> = []
    private let argumentCount: Int
    /// Nil is stdin; what is not a regular file is opened once, at the start.
    private var files: ArraySlice<(path: String?, bytes: ByteStream?)> = []
    private var current: OpenFile?
    private var index = 0
    /// Files that were opened.
    private var fileCount = 0
    /// Bytes of all files, and of those that were read to their end; nil where one is not a regular file.
    private var totalByteCount: Int?
    private var finishedByteCount = 0

    private struct OpenFile {
        let splitter: RecordSplitter
        let format: InputFormat
        let path: String?
        let byteCount: Int
        /// Of a table.
        var columns: [String] = []
    }

    /// Looks at the first bytes of every regular file, so that a file that cannot be read is found before any work.
    package init(
        _ source: InputSource, options: ReadingOptions = ReadingOptions(), parser: RecordParser<Content>,
        note: @escaping @Sendable (String) -> Void = { _ in }
    ) throws(InputError) {
        self.parser = parser
        self.options = options
        self.note = note
        switch source {
        case .arguments(let texts): (arguments, argumentCount) = (texts[...], texts.count)
        case .files(let paths):
            argumentCount = 0
            totalByteCount = 0
            for path in paths {
                let bytes = try ByteStream(path: path)
                totalByteCount = bytes.totalByteCount.flatMap { byteCount in totalByteCount.map { $0 + byteCount } }
                if path != nil, bytes.totalByteCount != nil {
                    _ = try Self.format(of: bytes, options.format)
                    files.append((path, nil))
                } else {
                    files.append((path, bytes))
                }
            }
        }
    }

    /// The form of an input, and whether its first bytes decided. Throws for a file without texts.
    private static func format(
        of bytes: ByteStream, _ given: InputFormat?
    ) throws(InputError) -> (format: InputFormat, guess: InputFormat?) {
        let head = try bytes.peek(InputFormat.sniffedByteCount)
        if let foreign = InputFormat.foreign(head) {
            throw .foreign(bytes.name, format: foreign.format, remedy: foreign.remedy)
        }
        if let given { return (given, nil) }
        let guess = InputFormat(firstBytes: head)
        if let said = InputFormat(ending: bytes.name) { return (said, said == .text && guess != .text ? guess : nil) }
        return (guess, guess == .text ? nil : guess)
    }

    /// Whether the next record is here, so that `next` will not wait for the writer of a pipe.
    package func hasRecordAtHand() throws(InputError) -> Bool {
        if !arguments.isEmpty { return true }
        guard let current else { return files.first?.bytes?.hasBytesAtHand() ?? true }
        return try current.splitter.hasRecordAtHand()
    }

    /// The next record, nil at the end.
    package func next() throws(InputError) -> Record<Content>? {
        while let record = try nextOfAll() {
            if let shard = options.shard, record.index % shard.count != shard.number { continue }
            return record
        }
        return nil
    }

    private func nextOfAll() throws(InputError) -> Record<Content>? {
        if let text = arguments.popFirst() {
            defer { index += 1 }
            let content = Result { () throws(BadRecord) in try parser.text(text) }
            return Record(
                index: index, id: nil, content: content, name: "text \(index + 1)", file: 0, line: 1,
                bytes: 0..<text.utf8.count,
                fraction: Double(index + 1) / Double(argumentCount))
        }
        while true {
            guard let file = current else {
                guard let file = files.popFirst() else { return nil }
                try open(file.path, file.bytes)
                continue
            }
            guard let line = try file.splitter.next() else {
                finishedByteCount += file.byteCount
                current = nil
                continue
            }
            if let record = record(in: line, of: file) { return record }
        }
    }

    private func open(_ path: String?, _ opened: ByteStream?) throws(InputError) {
        let bytes = if let opened { opened } else { try ByteStream(path: path) }
        let (format, guess) = try Self.format(of: bytes, options.format)
        if let guess { note(Self.note(on: guess, read: format, name: bytes.name)) }
        let form: RecordSplitter.Form =
            switch format {
            case .text, .jsonl: .lines
            case .json: .values
            case .csv: .rows(delimiter: UInt8(ascii: ","))
            case .tsv: .rows(delimiter: UInt8(ascii: "\t"))
            case .file: .whole
            }
        var file = OpenFile(
            splitter: RecordSplitter(bytes, form: form), format: format, path: path,
            byteCount: bytes.totalByteCount ?? 0)
        if case .rows(let delimiter) = form { file.columns = try header(of: file, delimiter, bytes.name) }
        current = file
        fileCount += 1
    }

    private static func note(on guess: InputFormat, read format: InputFormat, name: String) -> String {
        let look = guess == .jsonl ? "JSON lines" : "JSON"
        return format == guess
            ? "\(name) looks like \(look) and is read so; --input-format text reads lines of text"
            : "\(name) is read as lines of text, though it looks like \(look); --input-format \(guess.rawValue) reads that"
    }

    /// The names of a table's columns.
    private func header(of file: OpenFile, _ delimiter: UInt8, _ name: String) throws(InputError) -> [String] {
        guard let line = try file.splitter.next() else { return options.columns }
        let columns: [String]
        do throws(BadRecord) {
            columns = try TableRow.cells(of: try line.text(lossy: options.isLossy), delimiter: delimiter)
        } catch {
            throw .badHeader(name, reason: error.message)
        }
        for needed in options.columns + [options.idColumn].compactMap({ $0 })
        where !columns.contains(where: { $0.utf8.elementsEqual(needed.utf8) }) {
            throw .missingColumn(name, column: needed, available: columns)
        }
        for (index, column) in columns.enumerated()
        where columns[..<index].contains(where: { $0.utf8.elementsEqual(column.utf8) }) && !column.isEmpty {
            throw .badHeader(name, reason: "there are two columns \"\(column)\"")
        }
        return columns
    }

    /// The record of a line; nil for a blank line that is none.
    private func record(in line: Line, of file: OpenFile) -> Record<Content>? {
        if line.isBlank, file.format != .file {
            guard file.format == .text else { return nil }
            if options.skipsBlankLines {
                index += 1  // so that a record's number is its line's
                return nil
            }
        }
        defer { index += 1 }
        var id: RecordID?
        let content = Result { () throws(BadRecord) -> Content in
            let text = try line.text(lossy: options.isLossy)
            switch file.format {
            case .text: return try parser.text(text)
            case .file:
                id = file.path.map { .text($0) }
                return try parser.text(text)
            case .jsonl, .json:
                var scanner = JSONScanner(Array(text.utf8), lossy: options.isLossy)
                switch try scanner.wholeValue() {
                case .object(let fields):
                    let fields = Fields(fields)
                    id = try fields.id(options.idColumn)
                    return try parser.fields(fields)
                case .text(let text): return try parser.text(text)
                default:
                    throw BadRecord(
                        message:
                            "not a JSON object; each \(file.format == .json ? "value" : "line") must be one, such as "
                            + "{\"text\": \"...\"}")
                }
            case .csv, .tsv:
                let delimiter = UInt8(ascii: file.format == .csv ? "," : "\t")
                let cells = try TableRow.cells(of: text, delimiter: delimiter)
                let fields = try Fields(columns: file.columns, cells: cells)
                id = try fields.id(options.idColumn)
                return try parser.fields(fields)
            }
        }
        return Record(
            index: index, id: id, content: content, name: line.name, file: fileCount - 1, line: line.number,
            bytes: line.byteRange,
            fraction: fraction(in: file))
    }

    private func fraction(in file: OpenFile) -> Double? {
        // The sizes are those at the start; a file that grows is read to its end all the same.
        totalByteCount.map {
            min(1, Double(finishedByteCount + file.splitter.takenByteCount) / Double(max($0, 1)))
        }
    }
}
