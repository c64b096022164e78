// Records of .jsonl files and pipes as documents of an index, in bounded memory.
#if Index
    import Q3Index
    import Q3Input
    import Q3System

    enum IndexRecords {
        /// The records of a file, nil for a file that holds none.
        static func file(_ path: String) throws -> RecordSource? {
            let name = path.lowercased()
            guard name.hasSuffix(".jsonl") || name.hasSuffix(".ndjson") else { return nil }
            return try records(RecordSplitter(path: path), isJSON: true)
        }

        /// Lines, or JSON lines, of stdin.
        static func stdin(isJSON: Bool) throws -> RecordSource {
            guard !Terminal.isInteractive(0) else { throw Failure(.usage, "- reads a pipe, and there is none") }
            return try records(RecordSplitter(path: nil), isJSON: isJSON)
        }

        private static func records(_ reader: RecordSplitter, isJSON: Bool) throws -> RecordSource {
            var number = 0
            return { reject in
                while true {
                    guard let line = try reader.next() else { return nil }
                    number += 1
                    if line.isBlank { continue }
                    do throws(BadRecord) {
                        let text = try line.text()
                        let bytes = line.byteOffset..<max(line.byteOffset, reader.byteOffset - 1)
                        return isJSON
                            ? try record(text, line: number, bytes: bytes)
                            : IndexRecord(text: text, line: number, bytes: bytes)
                    } catch {
                        reject(line.name, error.message)
                    }
                }
            }
        }

        private static func record(_ text: String, line: Int, bytes: Range<Int>) throws(BadRecord) -> IndexRecord {
            let fields = try Fields(json: text)
            return IndexRecord(
                id: try fields.id(nil)?.text, title: fields.optionalText("title"), text: try fields.text("text"),
                metadata: text, line: line, bytes: bytes)
        }
    }

    /// A path from the root on; as it is where there is nothing.
    func absolute(_ path: String) -> String {
        guard let real = unsafe realpath(path, nil) else { return path }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }
#endif
