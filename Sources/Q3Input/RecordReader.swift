// Input record by record: the text or the pair of each line, its id, and its place for messages.

/// One text, document or pair of the input.
package struct Record<Content: Sendable>: Sendable {
    /// Position in the input, counted from 0; rejected records count, so that a gap shows.
    package let index: Int
    package let id: RecordID?
    package let content: Content
    /// Where it came from, for messages.
    package let name: String
}

/// What is wrong with a record.
package struct BadRecord: Error {
    package let message: String

    package init(message: String) { self.message = message }
}

/// Makes a record's content from a line of text or of JSON.
package struct RecordParser<Content> {
    let text: (String) throws(BadRecord) -> Content
    let json: (JSONLine) throws(BadRecord) -> Content

    package init(
        text: @escaping (String) throws(BadRecord) -> Content, json: @escaping (JSONLine) throws(BadRecord) -> Content
    ) {
        self.text = text
        self.json = json
    }
}

extension RecordParser<String> {
    package static var texts: Self {
        Self(text: { $0 }, json: { line throws(BadRecord) in try line.text("text") })
    }
}

/// Records that are computed together.
package struct Window<Content: Sendable>: Sendable {
    package fileprivate(set) var records: [Record<Content>] = []
    /// Which part of the whole input this is, 0...1; nil where the size of the input is not known.
    package fileprivate(set) var span: ClosedRange<Double>?
}

/// Reads records in windows of a few batches, so that an input of any size passes through bounded memory.
package struct RecordReader<Content: Sendable> {
    /// A window is full with so many records, or with the record that fills so many bytes: enough to keep the model's
    /// batches whole, little enough that output keeps coming.
    private static var windowRecordCount: Int { 512 }
    private static var windowByteCount: Int { 1 << 16 }

    private let parser: RecordParser<Content>
    private let isJSON: Bool
    private let isLossy: Bool
    private let arguments: [String]
    /// Nil when the texts are arguments.
    private var lines: LineReader?
    private var index = 0

    package init(_ source: InputSource, lossy: Bool, parser: RecordParser<Content>) throws(InputError) {
        self.parser = parser
        isLossy = lossy
        isJSON = source.isJSON
        if case .arguments(let texts) = source { arguments = texts } else { arguments = [] }
        lines = source.isArguments ? nil : try LineReader(path: source.path)
    }

    /// The next records, none of them if all of a window were rejected. Nil at the end of the input. A record that cannot
    /// be used goes to `reject`, with its name and what is wrong.
    package mutating func nextWindow(rejecting reject: (String, String) throws -> Void) throws -> Window<Content>? {
        let start = fractionRead
        var window = Window<Content>()
        var byteCount = 0
        while window.records.count < Self.windowRecordCount, byteCount < Self.windowByteCount {
            // A slow writer gets answers for what it wrote instead of silence until a window is full.
            if try !window.records.isEmpty && lines?.hasLineAtHand() == false { break }
            guard let line = try nextLine() else {
                if byteCount == 0 { return nil }
                break
            }
            byteCount += line.byteCount
            if let record = try record(in: line, reject) { window.records.append(record) }
        }
        if let start, let end = fractionRead { window.span = start...max(start, end) }
        return window
    }

    private var fractionRead: Double? {
        guard let read = lines?.byteOffset else { return Double(index) / Double(max(arguments.count, 1)) }
        // The size is that at the start; a file that grows meanwhile is read to its end all the same.
        return lines?.totalByteCount.map { min(1, Double(read) / Double(max($0, 1))) }
    }

    private mutating func nextLine() throws -> Line? {
        if lines != nil { return try lines?.next() }
        guard index < arguments.count else { return nil }
        return Line(name: "text \(index + 1)", byteOffset: 0, content: .bytes(Array(arguments[index].utf8)))
    }

    /// The record of a line, nil for a blank line between JSON objects and for a rejected one.
    private mutating func record(
        in line: Line, _ reject: (String, String) throws -> Void
    ) throws -> Record<Content>? {
        if isJSON, line.isBlank { return nil }
        defer { index += 1 }
        do throws(BadRecord) {
            let text = try line.text(lossy: isLossy)
            guard isJSON else {
                return Record(index: index, id: nil, content: try parser.text(text), name: line.name)
            }
            let json = try JSONLine(text)
            return Record(index: index, id: json.id, content: try parser.json(json), name: line.name)
        } catch {
            try reject(line.name, error.message)
            return nil
        }
    }
}
