// A classifier as a file: JSON that names the model whose vectors it reads.
import Q3Analysis
import Q3Embedding
import Q3Input
import Q3Linear
import Q3System

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What is in the file of a classifier.
struct HeadFile: Codable {
    var format = "q3-classifier"
    var version = 1
    let kind: ClassifierKind
    /// The model's name or path, to be found again, and the fingerprint of its vectors; nil where the vectors did not tell.
    let model: String?
    let fingerprint: String?
    let dimensions: Int
    /// The instruction that texts are embedded with; nil for none.
    let instruct: String?
    let labels: [String]
    let temperature: Double
    let rows: [[Float]]
    let rowLabels: [Int]

    init(_ classifier: Classifier, model: String?, fingerprint: String?, dimensions: Int, instruct: String?) {
        kind = classifier.kind
        (self.model, self.fingerprint, self.dimensions, self.instruct) = (model, fingerprint, dimensions, instruct)
        labels = classifier.labels
        temperature = classifier.temperature
        rows = (0..<classifier.rows.count).map { classifier.rows[$0] }
        rowLabels = classifier.rowLabels
    }

    func write(to path: String, inputs: [String?]) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let file = try OutputFile(path: path, inputs: inputs)
        try file.write(Array(try encoder.encode(self)) + [UInt8(ascii: "\n")])
        try file.finish()
    }

    static func read(_ path: String) throws -> HeadFile {
        let stream = try ByteStream(path: path)
        var bytes: [UInt8] = []
        while case let more = try stream.read(), !more.isEmpty { bytes += more }
        guard let head = try? JSONDecoder().decode(HeadFile.self, from: Data(bytes)), head.format == "q3-classifier"
        else {
            throw Failure(.badData, "\(path) is not a classifier; make one with 'q3 classify train'")
        }
        guard head.version == 1 else {
            throw Failure(.badData, "\(path) is of a newer q3 (version \(head.version)); update q3")
        }
        let width = head.kind == .logistic ? head.dimensions + 1 : head.dimensions
        guard head.labels.count > 1, head.rows.count == head.rowLabels.count, !head.rows.isEmpty, head.temperature > 0,
            head.temperature.isFinite, head.rows.allSatisfy({ $0.count == width && $0.allSatisfy(\.isFinite) }),
            head.rowLabels.allSatisfy({ head.labels.indices.contains($0) }),
            head.kind != .logistic || head.rows.count == head.labels.count
        else { throw Failure(.badData, "\(path) is damaged: its numbers do not fit together; train it again") }
        return head
    }

    /// A model's name, or its path in a form that is found from any folder.
    static func place(of model: String) -> String {
        model.contains("/") || model.hasSuffix(".gguf") ? URL(filePath: model).path : model
    }

    func classifier() throws -> Classifier {
        Classifier(
            kind: kind, labels: labels, rows: try VectorMatrix(rows), rowLabels: rowLabels, temperature: temperature)
    }
}
