// Training pairs in every form that people have them in.
#if Training
import Q3Input
import Q3System
import Q3Training

/// One record: a query, or what belongs to it.
private struct PairRecord: Sendable {
    let query: String
    var instruction: String?
    var positives: [String] = []
    var negatives: [String] = []
}

/// Reads files and folders one after another.
struct PairReader {
    private let arguments: TuneDataArguments
    private var data = TrainingData()
    private var rejections: Rejections
    private var recordCount = 0

    init(arguments: TuneDataArguments) {
        self.arguments = arguments
        rejections = Rejections(strict: arguments.input.strict)
    }

    /// Reads files of pairs and folders in BEIR's layout.
    mutating func read(_ paths: [String], part: TrainingData.Part?) throws {
        for path in paths {
            if InputFolder.isFolder(path), InputFolder.isFile("\(path)/corpus.jsonl") {
                try readBEIR(path, part: part)
            } else {
                var input = arguments.input
                input.input = [path]
                try readRecords(input, part: part)
            }
        }
    }

    /// Reads passages that answer no query.
    mutating func readCorpus(_ paths: [String]) throws {
        for path in paths {
            var input = arguments.input
            input.input = [path]
            input.inputFormat = nil
            let reader = try input.documents(
                try input.source(arguments: [], what: "passages"), skippingBlankLines: true)
            while let record = try reader.next() {
                if let text = try rejections.content(of: record) { data.add(passage: text) }
            }
        }
    }

    /// All data, without the queries that nothing answers.
    mutating func finish() throws -> TrainingData {
        let dropped = data.dropUnanswered()
        for place in dropped.prefix(5) { Terminal.say("\(place): no passage answers this query; it is left out") }
        if dropped.count > 5 { Terminal.say("... and \(dropped.count - 5) more queries that nothing answers") }
        if rejections.count > 0 { Terminal.say("\(rejections.count) records were left out, see above") }
        return data
    }

    private mutating func readRecords(_ input: InputArguments, part: TrainingData.Part?) throws {
        let (query, positive, negative) = (arguments.queryColumn, arguments.positiveColumn, arguments.negativeColumn)
        let reader = try RecordReader(
            try input.source(arguments: [], what: "pairs"), options: input.reading(columns: []),
            parser: RecordParser(
                text: { _ throws(BadRecord) -> PairRecord in
                    throw BadRecord(message: "not a pair; give {\"query\", \"positive\"} in each record")
                },
                fields: { fields throws(BadRecord) in
                    try PairRecord(fields, query: query, positive: positive, negative: negative)
                }), note: { Terminal.say($0) })
        while let record = try reader.next() {
            if let pair = try rejections.content(of: record) {
                data.add(
                    query: pair.query, instruction: pair.instruction, part: part, positives: pair.positives,
                    negatives: pair.negatives, place: record.name, record: recordCount)
            }
            recordCount += 1
        }
    }

    /// A folder of BEIR: what qrels/train.tsv grades is learned from, what qrels/test.tsv grades is measured on.
    private mutating func readBEIR(_ path: String, part: TrainingData.Part?) throws {
        let splits: [(name: String, part: TrainingData.Part?)] =
            if part == .heldOut {
                [("test", .heldOut)]
            } else if InputFolder.isFile("\(path)/qrels/train.tsv") {
                InputFolder.isFile("\(path)/qrels/test.tsv") && part == nil
                    ? [("train", .training), ("test", .heldOut)] : [("train", part)]
            } else {
                [("test", part)]
            }
        var texts: [String] = []
        let documents = try EvalData.reader(of: "\(path)/corpus.jsonl", parser: .beir(titles: true))
        while let record = try documents.next() { texts.append(try EvalData.content(of: record)) }
        for (split, part) in splits {
            let folder = try BEIRFolder(path, split: split)
            for (query, grades) in zip(folder.queries, folder.grades) {
                let sorted = grades.sorted { $0.key < $1.key }
                data.add(
                    query: query.text, part: part, positives: sorted.filter { $0.value > 0 }.map { texts[$0.key] },
                    negatives: sorted.filter { $0.value <= 0 }.map { texts[$0.key] }, place: query.name,
                    record: recordCount)
                recordCount += 1
            }
        }
        for text in texts { data.add(passage: text) }
    }
}

extension PairRecord {
    /// Reads the names of q3, of sentence-transformers and of ms-swift.
    init(_ fields: Fields, query name: String?, positive: String, negative: String) throws(BadRecord) {
        if let said = try fields.messages("messages") {
            query = said.first ?? ""
            positives = try fields.messages("positive_messages") ?? []
            negatives = try fields.messages("negative_messages") ?? []
        } else {
            query = try fields.text(name ?? (fields.has("query") || !fields.has("anchor") ? "query" : "anchor"))
            if fields.has("response"), !fields.has(positive) {
                positives = try fields.texts("response") ?? []
                negatives = try fields.texts("rejected_response") ?? []
            } else {
                try readColumns(fields, positive, negative)
            }
        }
        instruction = fields.optionalText("instruction").flatMap { $0.isEmpty ? nil : $0 }
        // An empty cell of a table is none.
        positives.removeAll(where: \.isEmpty)
        negatives.removeAll(where: \.isEmpty)
        guard !query.isEmpty else { throw BadRecord(message: "the query is empty") }
        guard !positives.isEmpty || !negatives.isEmpty else {
            throw BadRecord(message: "there is no \"\(positive)\": the passage that answers the query")
        }
    }

    /// "positive", "positives", "negative", "negatives", "negative_1" and so on, and labels where there are some.
    private mutating func readColumns(_ fields: Fields, _ positive: String, _ negative: String) throws(BadRecord) {
        let passages = try Self.texts(fields, positive)
        if let labels = try fields.has("labels") ? fields.integers("labels") : nil {
            guard labels.count == passages.count else {
                throw BadRecord(message: "\(labels.count) labels for \(passages.count) passages")
            }
            for (passage, label) in zip(passages, labels) {
                if label > 0 { positives.append(passage) } else { negatives.append(passage) }
            }
        } else if fields.has("label"), let label = Double(try fields.label("label")) {
            if label > 0 { positives = passages } else { negatives = passages }
        } else {
            positives = passages
        }
        negatives += try Self.texts(fields, negative)
        for number in 1... {
            guard let more = try fields.texts("\(negative)_\(number)") else { break }
            negatives += more
        }
    }

    /// The texts of a field, or of the one whose name is its plural.
    private static func texts(_ fields: Fields, _ name: String) throws(BadRecord) -> [String] {
        if let texts = try fields.texts(name) { return texts }
        return try fields.texts("\(name)s") ?? []
    }
}
#endif
