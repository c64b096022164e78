// Texts on their way from records into a set of rows.
import Q3Input
import Q3Linear
import Q3System

/// A text, and the column that a command asked for beside it.
struct AnalyzedText: Sendable {
    let text: String
    let extra: String
}

extension RecordParser<AnalyzedText> {
    static func texts(column: String?, extra: String?) -> Self {
        let documents = RecordParser<String>.documents(column: column)
        guard let extra else { return documents.map { AnalyzedText(text: $0, extra: "") } }
        return documents.with(
            text: { _ throws(BadRecord) in
                throw BadRecord(message: "a line of text has no \"\(extra)\"; give JSON lines, CSV or TSV with it")
            },
            fields: { text, fields throws(BadRecord) in AnalyzedText(text: text, extra: try fields.label(extra)) })
    }
}

/// Rows on their way into a set.
struct EmptySet {
    let name: String
    private var ids: [String?] = []
    private var indices: [Int] = []
    private var texts: [String] = []
    private var extras: [String] = []
    private var memory = GrowingMemory(arrayBytes: 3 * MemoryLayout<String>.stride + MemoryLayout<Int>.stride)

    var count: Int { indices.count }

    init(name: String) { self.name = name }

    /// Throws `LinearError.outOfMemory`.
    mutating func add(_ record: Record<AnalyzedText>, _ content: AnalyzedText) throws {
        try memory.take(content.text.utf8.count + content.extra.utf8.count + 3 * MemoryNeed.array(16, of: 1))
        switch record.id {
        case .text(let text): ids.append(JSONText.quoted(text))
        case .number(let digits): ids.append(digits)
        case nil: ids.append(nil)
        }
        indices.append(record.index)
        texts.append(content.text)
        extras.append(content.extra)
    }

    func filled(with vectors: VectorMatrix, fingerprint: String?) -> VectorSet {
        VectorSet(
            name: name, vectors: vectors, ids: ids, indices: indices, texts: texts, extras: extras,
            fingerprint: fingerprint)
    }
}
