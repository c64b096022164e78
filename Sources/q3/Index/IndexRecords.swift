// Records of JSON lines, tables and pipes as documents of an index, in bounded memory.
#if Index
    import Q3Index
    import Q3Input
    import Q3System

    enum IndexRecords {
        /// The records of a file of JSON lines or of a table, nil for a file that holds none. gzip is read, too.
        static func file(_ path: String) throws -> RecordSource? {
            guard let format = InputFormat(ending: path), [.jsonl, .csv, .tsv].contains(format) else { return nil }
            return try records(.files([path]), format: format)
        }

        /// Lines or records of stdin.
        static func stdin(_ format: InputFormat) throws -> RecordSource {
            guard !Terminal.isInteractive(0) else { throw Failure(.usage, "- reads a pipe, and there is none") }
            return try records(.files([nil]), format: format)
        }

        /// Fields that are kept in places of their own.
        private static let known = ["id", "_id", "text", "title"]

        private static let parser = RecordParser<IndexRecord>(
            text: { IndexRecord(text: $0, line: 1, bytes: 0..<0) },
            fields: { fields throws(BadRecord) in
                // Few tables have a column of this name: then all columns are the text.
                IndexRecord(
                    title: fields.optionalText("title"),
                    text: fields.has("text") ? try fields.text("text") : fields.asLines,
                    metadata: fields.metadata(without: known), line: 1, bytes: 0..<0)
            })

        private static func records(_ source: InputSource, format: InputFormat) throws -> RecordSource {
            var options = ReadingOptions()
            options.format = format
            options.skipsBlankLines = true
            let reader = try RecordReader(source, options: options, parser: parser)
            return { reject in
                while true {
                    let record: Record<IndexRecord>
                    do throws(InputError) {
                        guard let next = try reader.next() else { return nil }
                        record = next
                    } catch {
                        guard error.isAboutContent else { throw error }
                        // The other files of a folder are read all the same.
                        reject("the file", Failure(error as any Error).message ?? "")
                        return nil
                    }
                    switch record.content {
                    case .success(var document):
                        (document.id, document.line, document.bytes) = (record.id?.text, record.line, record.bytes)
                        return document
                    case .failure(let error): reject(record.name, error.message)
                    }
                }
            }
        }
    }

    extension InputError {
        /// Whether the file's content is wrong, rather than the disk or a permission.
        fileprivate var isAboutContent: Bool {
            switch self {
            case .foreign, .damagedGzip, .missingColumn, .badHeader, .badName: true
            case .cannotOpen, .directory, .cannotRead, .noFiles: false
            }
        }
    }

    /// A path from the root on; as it is where there is nothing, and below a folder whose name is not UTF-8.
    func absolute(_ path: String) -> String {
        guard let real = unsafe realpath(path, nil) else { return path }
        defer { unsafe free(real) }
        return unsafe String(validatingCString: real) ?? path
    }
#endif
