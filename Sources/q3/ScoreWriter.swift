// Writes scores as JSON or as plain columns.
import Q3Input
import Q3Reranking

/// A record with its score.
struct ScoreRow {
    let index: Int
    let id: RecordID?
    let score: RerankScore
}

struct ScoreWriter {
    private let format: RerankCommand.Format
    private let rawScores: Bool
    private let output: OutputFile
    private var rowCount = 0

    init(format: RerankCommand.Format, rawScores: Bool, output: OutputFile) {
        self.format = format
        self.rawScores = rawScores
        self.output = output
    }

    /// Writes rows in the order given.
    mutating func write(_ rows: [ScoreRow]) throws {
        var text = JSONText()
        for row in rows {
            let score = rawScores ? row.score.margin : row.score.score
            switch format {
            case .jsonl:
                Self.append(row, score, to: &text)
                text.append("\n")
            case .json:
                text.append(rowCount == 0 ? "[\n" : ",\n")
                Self.append(row, score, to: &text)
            case .text:
                text.append("\(score)\t\(row.index)")
                switch row.id {
                case .text(let id), .number(let id): text.append("\t\(id)")
                case nil: break
                }
                text.append("\n")
            }
            rowCount += 1
        }
        try output.write(text.bytes)
    }

    func finish() throws {
        if format == .json { try output.write(Array((rowCount == 0 ? "[]\n" : "\n]\n").utf8)) }
        try output.finish()
    }

    private static func append(_ row: ScoreRow, _ score: Float, to text: inout JSONText) {
        text.append("{\"index\":\(row.index)")
        text.append(idField: row.id)
        text.append(",\"score\":\(score)")
        if row.score.isTruncated { text.append(",\"truncated\":true") }
        text.append("}")
    }
}
