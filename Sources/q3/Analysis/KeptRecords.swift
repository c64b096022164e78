// Writes an input once more without some of its records.
import Q3Input
import Q3Linear
import Q3System

/// Records of lines, JSON lines, CSV and TSV keep their bytes; of other inputs what is known of a row is written.
struct KeptRecords {
    private let input: InputArguments
    private let set: VectorSet

    init(_ input: InputArguments, _ set: VectorSet) {
        self.input = input
        self.set = set
    }

    /// Writes all rows but those that are `dropped`. Records that were rejected are left out too.
    func write(without dropped: [Bool], to output: OutputFile) throws {
        guard let paths = try linePaths() else {
            var lines = OutputLines(output)
            for row in dropped.indices where !dropped[row] { try lines.append(set.object(row)) }
            return try lines.flush()
        }
        // Indices rise with the rows, and so do those of the records: this is the row that comes next.
        var row = 0
        var options = input.reading(columns: [])
        options.skipsBlankLines = true
        // Records of all files are counted on, as they were at the first reading.
        let reader = try RecordReader<Void>(
            .files(paths), options: options,
            parser: RecordParser(text: { _ throws(BadRecord) in }, fields: { _ throws(BadRecord) in }))
        var (bytes, file): ([UInt8], Int) = ([], -1)
        var header: [UInt8]?
        while let record = try reader.next() {
            if record.file != file {
                file = record.file
                bytes = try Self.content(of: paths[file])
                if isTable(paths[file]) {
                    guard record.bytes.lowerBound <= bytes.count else { throw changed }
                    let first = Array(bytes.prefix(record.bytes.lowerBound).drop { $0 == 0 })
                    if header == nil { try output.write(first) }
                    guard header ?? first == first else {
                        throw Failure(
                            .badData,
                            "\(paths[file] ?? "") has other columns than the file before it; clean them one by one")
                    }
                    header = first
                }
            }
            while row < set.count, set.indices[row] < record.index { row += 1 }
            guard row < set.count, set.indices[row] == record.index, !dropped[row] else { continue }
            guard record.bytes.upperBound <= bytes.count else { throw changed }
            try output.write(Array(bytes[record.bytes]) + [UInt8(ascii: "\n")])
        }
    }

    private var changed: Failure { Failure(.inputOutput, "\(set.name) changed while it was read") }

    /// The files of the input, if all hold lines and can be read again.
    private func linePaths() throws -> [String?]? {
        guard set.texts != nil, !input.input.isEmpty else { return nil }
        guard case .files(let paths) = try input.source(arguments: [], what: "texts") else { return nil }
        guard paths.allSatisfy({ $0.map(InputFolder.isFile) ?? false }) else { return nil }
        for path in paths.compactMap({ $0 }) {
            let format = try input.inputFormat ?? InputFormat(ending: path) ?? InputFormat(firstBytes: head(of: path))
            guard [.text, .jsonl, .csv, .tsv].contains(format) else { return nil }
        }
        return paths
    }

    private func isTable(_ path: String?) -> Bool {
        let format = input.inputFormat ?? path.flatMap { InputFormat(ending: $0) }
        return format == .csv || format == .tsv
    }

    private func head(of path: String) throws -> [UInt8] {
        try ByteStream(path: path).peek(InputFormat.sniffedByteCount)
    }

    /// All bytes of a file as records count them.
    private static func content(of path: String?) throws -> [UInt8] {
        let stream = try ByteStream(path: path)
        _ = try stream.peek(1)
        // Offsets count the mark at the start of a plain file.
        var bytes = [UInt8](repeating: 0, count: stream.isPlain ? stream.markByteCount : 0)
        while case let more = try stream.read(), !more.isEmpty {
            // The bytes so far are copied to twice as many.
            if bytes.count + more.count > bytes.capacity { try MemoryNeed.check(2 * bytes.capacity) }
            bytes += more
        }
        return bytes
    }
}
