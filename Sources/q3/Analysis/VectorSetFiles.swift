// Rows whose vectors are there already: an .npy with the ids beside it, and the chunks of an index.
import Q3Input
import Q3Linear
import Q3System

#if Index
import Q3Index
#endif

extension VectorSetArguments {
    /// Vectors alone, with the ids beside them.
    func npy(_ path: String, _ need: Need) throws -> VectorSet {
        // An id and an index for each row.
        let rows = try NPYFile.read(path, dimensions: dimensions) { need($0, $1) + $0 * 24 }
        var set = VectorSet(
            name: path, vectors: rows, ids: [String?](repeating: nil, count: rows.count), indices: Array(0..<rows.count)
        )
        let lines = String(path.dropLast(4)) + ".ids.txt"
        let records = path + ".ids.jsonl"
        if InputFolder.isFile(lines) {
            let reader = try RecordReader<String>(
                .files([lines]), options: ReadingOptions(format: .text), parser: .documents(column: nil))
            set.ids = try Self.all(reader).map { JSONText.quoted($0) }
        } else if InputFolder.isFile(records) {
            var options = ReadingOptions(format: .jsonl)
            options.idColumn = "name"
            let reader = try RecordReader<String>(
                .files([records]), options: options, parser: .documents(column: "text"))
            var (ids, texts): ([String?], [String]) = ([], [])
            var memory = Self.memoryOfStrings
            while let record = try reader.next() {
                let text = try EvalData.content(of: record)
                let id = record.id.map { JSONText.quoted($0.text) }
                try memory.take(text.utf8.count + (id?.utf8.count ?? 0))
                texts.append(text)
                ids.append(id)
            }
            (set.ids, set.texts) = (ids, texts)
        }
        guard set.ids.count == rows.count else {
            throw Failure(
                .badData, "\(path) has \(rows.count) rows, and the file beside it \(set.ids.count) ids; make both again"
            )
        }
        return set
    }

    private static func all(_ reader: RecordReader<String>) throws -> [String] {
        var texts: [String] = []
        var memory = memoryOfStrings
        while let record = try reader.next() {
            let text = try EvalData.content(of: record)
            try memory.take(text.utf8.count)
            texts.append(text)
        }
        return texts
    }

    /// For two strings in each row: where they lie, and what the heap needs beside their bytes.
    private static var memoryOfStrings: GrowingMemory {
        GrowingMemory(arrayBytes: 2 * (MemoryLayout<String>.stride + MemoryNeed.array(16, of: 1)))
    }

    func index(_ path: String) async throws -> VectorSet {
        #if Index
        let index = try SearchIndex(path: path)
        let configuration = index.configuration
        let kept = dimensions ?? configuration.dimensions
        guard 1...configuration.dimensions ~= kept else {
            throw Failure(.usage, "--dimensions \(kept): \(path) has vectors of \(configuration.dimensions) values")
        }
        var builder = try VectorMatrixBuilder(dimensions: kept, capacity: try await index.status().chunks)
        var (ids, texts): ([String?], [String]) = ([], [])
        var memory = Self.memoryOfStrings
        var last = 0
        while true {
            let page = try await index.chunks(after: last, count: 1000)
            guard let end = page.last else { break }
            last = end.id
            for chunk in page {
                try builder.append(Array(chunk.vector.prefix(kept)))
                try memory.take(chunk.name.utf8.count + chunk.text.utf8.count)
                ids.append(JSONText.quoted("\(chunk.name):\(chunk.lines.lowerBound)"))
                texts.append(chunk.text)
            }
        }
        return VectorSet(
            name: path, vectors: builder.finish(), ids: ids, indices: Array(ids.indices), texts: texts,
            fingerprint: configuration.model.fingerprint)
        #else
        throw Failure(.usage, "this q3 was built without the trait Index, and cannot read \(path)")
        #endif
    }
}
