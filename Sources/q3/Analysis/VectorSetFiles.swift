// Rows whose vectors are there already: an .npy with the ids beside it, and the chunks of an index.
import Q3Input
import Q3Linear
import Q3System

#if Index
import Q3Index
#endif

extension VectorSetArguments {
    /// Vectors alone, with the ids beside them.
    func npy(_ path: String) throws -> VectorSet {
        let rows = try NPYFile.read(path, dimensions: dimensions)
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
            while let record = try reader.next() {
                texts.append(try EvalData.content(of: record))
                ids.append(record.id.map { JSONText.quoted($0.text) })
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
        while let record = try reader.next() { texts.append(try EvalData.content(of: record)) }
        return texts
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
        var last = 0
        while true {
            let page = try await index.chunks(after: last, count: 1000)
            guard let end = page.last else { break }
            last = end.id
            for chunk in page {
                try builder.append(Array(chunk.vector.prefix(kept)))
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
