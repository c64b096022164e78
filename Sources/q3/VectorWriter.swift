// Writes vectors in the five output formats.
import ArgumentParser
import Q3Embedding
import Q3Input

enum VectorFormat: String, CaseIterable, ExpressibleByArgument {
    case json, jsonl, npy, raw, text

    /// Whether rows carry no index, so that a left-out row would shift all that follow.
    var isPositional: Bool { self == .npy || self == .raw || self == .text }
    var isBinary: Bool { self == .npy || self == .raw }
}

/// A record with its vector.
struct VectorRow {
    let record: Record<String>
    let embedding: Embedding
}

struct VectorWriter {
    private let format: VectorFormat
    private let type: EmbeddingType
    /// Elements of a row.
    private let columnCount: Int
    private let output: OutputFile
    private var rowCount = 0
    /// Rows of an .npy that goes where its header cannot be replaced.
    private var pending: [UInt8] = []

    init(format: VectorFormat, type: EmbeddingType, columnCount: Int, output: OutputFile) throws {
        self.format = format
        self.type = type
        self.columnCount = columnCount
        self.output = output
        if format == .npy, self.output.canPatch { try self.output.write(header) }
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
        case .npy where output.canPatch: try output.patchStart(header)
        case .npy: try output.write(header + pending)
        case .jsonl, .raw, .text: break
        }
        try output.finish()
    }

    private var header: [UInt8] {
        NPY.header(type: type.npyName, rowCount: rowCount, columnCount: columnCount)
    }

    private static func append(_ row: VectorRow, _ vector: EncodedVector, to text: inout JSONText) {
        text.append("{\"index\":\(row.record.index)")
        text.append(idField: row.record.id)
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

extension EmbeddingType {
    fileprivate var npyName: String {
        switch self {
        case .f32: "<f4"
        case .f16: "<f2"
        case .int8, .binary: "|i1"
        case .uint8, .ubinary: "|u1"
        }
    }
}
