// Writes vectors in the six output formats.
import Q3Embedding
import Q3Input
import Q3System

/// A record with its vector.
struct VectorRow {
    let index: Int
    let id: RecordID?
    let embedding: Embedding
}

struct VectorWriter {
    private let format: VectorFormat
    private let type: EmbeddingType
    /// Elements of a row.
    private let columnCount: Int
    private let output: any VectorOutput
    /// Rows in the output.
    private(set) var rowCount: Int
    /// Rows of an .npy that goes where its header cannot be replaced.
    private var pending: [UInt8] = []

    /// `rowCount` rows are in the output already.
    init(
        format: VectorFormat, type: EmbeddingType, columnCount: Int, output: any VectorOutput, rowCount: Int = 0
    ) throws {
        self.format = format
        self.type = type
        self.columnCount = columnCount
        self.output = output
        self.rowCount = rowCount
        guard output.isEmpty else { return }
        if format == .npy, output.canPatch { try output.write(header(rowCount: 0)) }
        if format == .csv { try output.write(csvHeader) }
    }

    /// Writes rows in their order, with one system call.
    mutating func write(_ rows: [VectorRow], ranges: EmbeddingRanges? = nil) throws {
        var text = JSONText()
        for row in rows {
            let vector = try type.encode(row.embedding.vector, ranges: ranges)
            switch format {
            case .jsonl:
                Self.append(row, vector, to: &text)
                text.append("\n")
            case .json:
                text.append(rowCount == 0 ? "[\n" : ",\n")
                Self.append(row, vector, to: &text)
            case .text:
                Self.append(vector, to: &text, separator: " ")
                text.append("\n")
            case .csv:
                text.append("\(row.index),")
                text.append(csv: row.id?.text ?? "")
                text.append(",\(row.embedding.tokenCount),\(row.embedding.isTruncated),")
                Self.append(vector, to: &text, separator: ",")
                text.append("\n")
            case .npy, .raw:
                text.append(vector.bytes)
            }
            rowCount += 1
        }
        if format == .npy, !output.canPatch {
            pending += text.bytes
        } else {
            try output.write(text.bytes)
        }
    }

    func finish() throws {
        switch format {
        case .json: try output.write(Array((rowCount == 0 ? "[]\n" : "\n]\n").utf8))
        case .npy where output.canPatch: try output.patchStart(header(rowCount: rowCount))
        case .npy: try output.write(header(rowCount: rowCount) + pending)
        case .jsonl, .raw, .text, .csv: break
        }
        try output.finish()
    }

    private func header(rowCount: Int) -> [UInt8] {
        NPY.header(type: type.npyName, rowCount: rowCount, columnCount: columnCount)
    }

    private var csvHeader: [UInt8] {
        Array(
            (["index", "id", "tokens", "truncated"] + (0..<columnCount).map { "e\($0)" }).joined(separator: ",").utf8)
            + [UInt8(ascii: "\n")]
    }

    private static func append(_ row: VectorRow, _ vector: EncodedVector, to text: inout JSONText) {
        text.append("{\"index\":\(row.index)")
        text.append(idField: row.id)
        text.append(",\"tokens\":\(row.embedding.tokenCount),\"truncated\":\(row.embedding.isTruncated)")
        text.append(",\"embedding\":[")
        append(vector, to: &text, separator: ",")
        text.append("]}")
    }

    private static func append(_ vector: EncodedVector, to text: inout JSONText, separator: String) {
        switch vector {
        case .float32(let values): text.append(values, separator: separator)
        case .float16(let bits): text.append(bits.map(HalfPrecision.value(of:)), separator: separator)
        case .int8(let values): text.append(values, separator: separator)
        case .uint8(let values): text.append(values, separator: separator)
        }
    }
}

/// Where vectors go: a file that appears when it is complete, stdout, or a job that may be resumed.
protocol VectorOutput: AnyObject {
    /// Whether bytes already written can be replaced.
    var canPatch: Bool { get }
    /// Whether nothing was written yet, in this run or before.
    var isEmpty: Bool { get }
    func write(_ bytes: [UInt8]) throws
    func patchStart(_ bytes: [UInt8]) throws
    func finish() throws
}

/// A new file has nothing in it.
extension OutputFile: VectorOutput {
    var isEmpty: Bool { true }
}

extension EmbeddingType {
    /// Bytes of a stored element.
    var elementByteCount: Int {
        switch self {
        case .f32: 4
        case .f16: 2
        case .int8, .uint8, .binary, .ubinary: 1
        }
    }

    fileprivate var npyName: String {
        switch self {
        case .f32: "<f4"
        case .f16: "<f2"
        case .int8, .binary: "|i1"
        case .uint8, .ubinary: "|u1"
        }
    }
}
