// A retrieval data set in BEIR's layout: corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv.
import Q3Input
import Q3System

/// Everything of a data set but the texts of its documents, which may be many and are read when they are needed.
struct BEIRFolder {
    struct Query {
        let id: Key
        let text: String
        /// Where it stands, for messages.
        let name: String
    }

    typealias Key = ExactText

    private struct Judgment: Sendable {
        let query: Key
        let document: Key
        let grade: Int
    }

    let corpusPath: String
    /// In the order of the corpus.
    let documentIDs: [Key]
    /// Queries that the split has grades for, in the order of their file.
    let queries: [Query]
    /// The grades of a query's documents, by their position in the corpus: [queries]
    let grades: [[Int: Int]]

    /// Reads all files once, so that whatever is wrong with them shows before any text is embedded.
    init(_ path: String, split: String) throws {
        guard EvalData.isFolder(path) else {
            throw Failure(
                .noInput, "\(path) is not a folder; retrieval needs corpus.jsonl, queries.jsonl and qrels/\(split).tsv")
        }
        corpusPath = "\(path)/corpus.jsonl"
        let judgments = try EvalData("\(path)/qrels/\(split).tsv", split: split).records(
            columns: ["query-id", "corpus-id", "score"],
            json: { _ throws(BadRecord) -> Judgment in throw BadRecord(message: "not columns") },
            tsv: { fields throws(BadRecord) in
                guard let grade = Int32(fields[2]) else { throw BadRecord(message: "\"score\" is not a whole number") }
                return Judgment(query: Key(fields[0]), document: Key(fields[1]), grade: Int(grade))
            })
        let judged = Set(judgments.map(\.content.query))

        var queries: [Query] = []
        var queryIndices: [Key: Int] = [:]
        let queryReader = try EvalData.reader(of: "\(path)/queries.jsonl", parser: .beir(titles: false))
        while let record = try queryReader.next() {
            let (text, id) = (try EvalData.content(of: record), try Self.key(of: record))
            guard judged.contains(id) else { continue }
            guard queryIndices.updateValue(queries.count, forKey: id) == nil else {
                throw Failure(.badData, "\(record.name): there are two queries \(id.text)")
            }
            queries.append(Query(id: id, text: text, name: record.name))
        }
        var documentIDs: [Key] = []
        var documentIndices: [Key: Int] = [:]
        let documentReader = try EvalData.reader(of: corpusPath, parser: .beir(titles: true))
        while let record = try documentReader.next() {
            _ = try EvalData.content(of: record)
            let id = try Self.key(of: record)
            guard documentIndices.updateValue(documentIDs.count, forKey: id) == nil else {
                throw Failure(.badData, "\(record.name): there are two documents \(id.text)")
            }
            documentIDs.append(id)
        }
        guard !documentIDs.isEmpty else { throw Failure(.badData, "\(corpusPath) has no documents") }

        var grades = [[Int: Int]](repeating: [:], count: queries.count)
        for judgment in judgments {
            let (ids, grade) = (judgment.content, judgment.content.grade)
            guard let query = queryIndices[ids.query] else {
                throw Failure(.badData, "\(judgment.name): queries.jsonl has no query \(ids.query.text)")
            }
            guard let document = documentIndices[ids.document] else {
                throw Failure(.badData, "\(judgment.name): corpus.jsonl has no document \(ids.document.text)")
            }
            guard grades[query].updateValue(grade, forKey: document).map({ $0 == grade }) ?? true else {
                throw Failure(.badData, "\(judgment.name): another line grades that pair differently")
            }
        }
        (self.queries, self.documentIDs, self.grades) = (queries, documentIDs, grades)
    }

    /// Documents of equal scores are ranked by id, the last first, as trec_eval does: a smaller number comes first.
    var tieRanks: [Int] {
        let order = documentIDs.indices.sorted {
            documentIDs[$1].text.utf8.lexicographicallyPrecedes(documentIDs[$0].text.utf8)
        }
        var ranks = [Int](repeating: 0, count: order.count)
        for (rank, document) in order.enumerated() { ranks[document] = rank }
        return ranks
    }

    private static func key(of record: Record<String>) throws -> Key {
        switch record.id {
        case .text(let id), .number(let id): return Key(id)
        case nil: throw Failure(.badData, "\(record.name): \"_id\" is missing")
        }
    }
}

extension RecordParser<String> {
    /// The text of a query, or of a document with its title before it, joined and trimmed as MTEB does.
    static func beir(titles: Bool) -> Self {
        Self(
            text: { _ throws(BadRecord) in throw BadRecord(message: "not JSON") },
            fields: { line throws(BadRecord) in
                let text = try line.text("text")
                guard titles else { return text }
                let title = line.optionalText("title") ?? ""
                return trimmed(title.isEmpty ? text : "\(title) \(text)")
            })
    }

    /// Without what Python takes for white space at both ends.
    private static func trimmed(_ text: String) -> String {
        let isSpace = { (scalar: Unicode.Scalar) in
            scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
        }
        let start = text.unicodeScalars.drop(while: isSpace)
        guard let last = start.lastIndex(where: { !isSpace($0) }) else { return "" }
        return String(start[...last])
    }
}
