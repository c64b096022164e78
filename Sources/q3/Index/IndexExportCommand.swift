// q3 index export: vectors and texts of an index in the files of NumPy, faiss, SQLite and JSON lines.
#if Index
    import ArgumentParser
    import Q3Index
    import Q3System

    struct IndexExportCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "export", abstract: "Exports vectors and texts for other programs.",
            usage: "q3 index export INDEX --to npy|jsonl|sqlite-vec|faiss --output FILE",
            discussion: """
                KINDS
                  npy         the vectors in f32; FILE.ids.jsonl has the chunk of each row
                  faiss       the same as an IndexFlatIP, and FILE.ids.jsonl
                  jsonl       a chunk per line, {"chunk", "name", "lines", "title",
                              "context", "text", "embedding"}
                  sqlite-vec  a SQLite file with a table of chunks, whose embedding is a
                              BLOB that vec_distance_cosine and vec0 tables take
                """)

        enum Target: String, CaseIterable, ExpressibleByArgument {
            case npy, jsonl, faiss
            case sqliteVec = "sqlite-vec"
        }

        @Argument(help: "The index.", completion: .directory)
        var index: String

        @Option(help: "Which kind of file.")
        var to: Target

        @Option(name: .shortAndLong, help: "The file to write.")
        var output: String

        func run() async throws {
            let opened = try SearchIndex(path: index)
            if to == .sqliteVec { return try await opened.exportSQLite(to: output) }
            let file = try OutputFile(path: output, inputs: [])
            let ids = to == .jsonl ? nil : try OutputFile(path: "\(output).ids.jsonl", inputs: [])
            let count = try await opened.status().chunks
            switch to {
            case .npy:
                let dimensions = opened.configuration.dimensions
                try file.write(NPY.header(type: "<f4", rowCount: count, columnCount: dimensions))
            case .faiss:
                try file.write(FaissFlat.header(rowCount: count, columnCount: opened.configuration.dimensions))
            case .jsonl, .sqliteVec: break
            }
            var (last, written) = (0, 0)
            while true {
                let page = try await opened.chunks(after: last, count: 1000)
                guard let end = page.last else { break }
                if to != .jsonl {
                    try file.write(page.flatMap { $0.vector.flatMap { $0.bitPattern.littleEndianBytes } })
                }
                try (ids ?? file).write(page.flatMap { line($0, withVector: to == .jsonl) })
                (last, written) = (end.id, written + page.count)
            }
            guard written == count else {
                throw Failure(.inputOutput, "\(index) changed while it was copied; do it again")
            }
            try ids?.finish()
            try file.finish()
        }

        private func line(_ chunk: ExportedChunk, withVector: Bool) -> [UInt8] {
            var object = JSONObject()
            object.add("chunk", chunk.id)
            object.add("name", quoted: chunk.name)
            object.add("lines", [chunk.lines.lowerBound, chunk.lines.upperBound])
            object.add("title", quoted: chunk.title)
            object.add("context", quoted: chunk.context)
            object.add("text", quoted: chunk.text)
            var text = JSONText()
            text.append(String("\(object)".dropLast()))
            if withVector {
                text.append(",\"embedding\":[")
                text.append(chunk.vector)
                text.append("]")
            }
            text.append("}\n")
            return text.bytes
        }
    }

    /// The file of faiss's IndexFlatIP, as its `write_index` has it.
    enum FaissFlat {
        /// What stands before the vectors, [rows, columns] in f32.
        static func header(rowCount: Int, columnCount: Int) -> [UInt8] {
            Array("IxFI".utf8) + UInt32(columnCount).littleEndianBytes + UInt64(rowCount).littleEndianBytes
                // Two numbers that faiss writes and does not read, then: trained, inner product.
                + UInt64(1 << 20).littleEndianBytes + UInt64(1 << 20).littleEndianBytes + [1]
                + UInt32(0).littleEndianBytes
                // The values that follow.
                + UInt64(rowCount * columnCount).littleEndianBytes
        }
    }

    extension FixedWidthInteger {
        fileprivate var littleEndianBytes: [UInt8] {
            (0..<(Self.bitWidth / 8)).map { UInt8(truncatingIfNeeded: self >> ($0 * 8)) }
        }
    }
#endif
