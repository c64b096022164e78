// Queries and the passages that answer them, each different text once.
import Q3Input
import Q3Linear
import Q3System

/// A query and a passage that answers it.
private struct AnsweredQuery: Sendable {
    let query: String
    let positive: String
}

/// Different queries and passages, and which passages answer which query.
struct TrainingPairs: Sendable {
    let paths: [String]
    private(set) var queries: [String] = []
    private(set) var passages: [String] = []
    /// Passages of each query, in the order of the input.
    private(set) var positives: [[Int]] = []
    private var queryRows: [ExactText: Int] = [:]
    private var passageRows: [ExactText: Int] = [:]
    // The text, its passages, and slots of a dictionary.
    private var memory = GrowingMemory(
        arrayBytes: 5 * MemoryLayout<ExactText>.stride + MemoryNeed.array(1, of: MemoryLayout<Int>.stride))

    init(paths: [String]) { self.paths = paths }

    /// Reads records that have both columns, and the passages of a corpus.
    static func read(
        _ input: InputArguments, corpus: String?, query: String, positive: String
    ) throws -> TrainingPairs {
        let source = try input.source(arguments: [], what: "pairs")
        let reader = try RecordReader(
            source, options: input.reading(columns: [query, positive]),
            parser: RecordParser(
                text: { _ throws(BadRecord) -> AnsweredQuery in
                    throw BadRecord(message: "not a pair; give {\"\(query)\", \"\(positive)\"} in each record")
                },
                fields: { fields throws(BadRecord) in
                    AnsweredQuery(query: try fields.text(query), positive: try fields.text(positive))
                }), note: { Terminal.say($0) })
        var pairs = TrainingPairs(paths: source.paths + [corpus].compactMap { $0 })
        var rejections = Rejections(strict: input.strict)
        while let record = try reader.next() {
            if let pair = try rejections.content(of: record) {
                try pairs.add(query: pair.query, positive: pair.positive)
            }
        }
        guard !pairs.queries.isEmpty else { throw Failure(.badData, "the input has no pairs") }
        if let corpus {
            let passages = try RecordReader(
                .files([corpus]), options: ReadingOptions(), parser: .documents(column: nil), note: { Terminal.say($0) }
            )
            while let record = try passages.next() {
                if let text = try rejections.content(of: record) { _ = try pairs.passage(text) }
            }
        }
        if rejections.count > 0 { Terminal.say("\(rejections.count) records were left out, see above") }
        return pairs
    }

    /// Throws `LinearError.outOfMemory`.
    mutating func add(query: String, positive: String) throws {
        let row = queryRows[ExactText(query)] ?? queries.count
        if row == queries.count {
            try memory.take(query.utf8.count)
            queries.append(query)
            positives.append([])
            queryRows[ExactText(query)] = row
        }
        let passage = try passage(positive)
        if !positives[row].contains(passage) { positives[row].append(passage) }
    }

    /// The row of a passage, a new one if it was not there. Throws `LinearError.outOfMemory`.
    mutating func passage(_ text: String) throws -> Int {
        if let row = passageRows[ExactText(text)] { return row }
        try memory.take(text.utf8.count)
        passageRows[ExactText(text)] = passages.count
        passages.append(text)
        return passages.count - 1
    }
}
