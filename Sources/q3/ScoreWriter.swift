// Writes scores as JSON or as plain columns.
import Q3Input
import Q3Reranking
import Q3System

/// A record with its score.
struct ScoreRow {
    let index: Int
    let id: RecordID?
    let score: RerankScore
    /// The document; nil where it is not shown.
    let text: String?
}

struct ScoreWriter {
    private let format: RerankCommand.Format
    private let rawScores: Bool
    private let output: OutputFile
    /// For people.
    private let lines: ResultLines
    private(set) var rowCount = 0

    init(format: RerankCommand.Format, rawScores: Bool, output: OutputFile, isFile: Bool) {
        lines = ResultLines(toFile: isFile, digits: rawScores ? 2 : 3)
        self.format = format
        self.rawScores = rawScores
        self.output = output
    }

    /// Writes rows in the order given.
    mutating func write(_ rows: [ScoreRow]) throws {
        var text = JSONText()
        var shown: [RankedText] = []
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
                shown.append(RankedText(score: score, label: row.id?.text ?? "\(row.index + 1)", text: row.text ?? ""))
            }
            rowCount += 1
        }
        text.append(lines.text(shown))
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
        if let document = row.text {
            text.append(",\"text\":")
            text.append(quoted: document)
        }
        if row.score.isTruncated { text.append(",\"truncated\":true") }
        text.append("}")
    }
}
