// A classifier as it stands in a file: JSON that names the model whose vectors it reads.
import Q3Linear
import Q3System

/// A classifier and what its vectors must come from: what `q3 classify train` writes, for any `Encoder` and `Decoder`.
///
///     let file = try JSONDecoder().decode(ClassifierFile.self, from: Data(contentsOf: url))
///     let probabilities = try await file.classifier.probabilities(of: vectors)
public struct ClassifierFile: Sendable, Codable {
    /// The classifier.
    public let classifier: Classifier
    /// The model's name or path, to be found again; nil where the vectors did not tell.
    public let model: String?
    /// The fingerprint of the model's vectors; nil where they did not tell.
    public let fingerprint: String?
    /// Values of a vector.
    public let dimensions: Int
    /// The instruction that texts are embedded with; nil for none.
    public let instruct: String?

    private static let format = "q3-classifier"
    private static let version = 1

    /// A classifier of vectors of `dimensions` values.
    public init(_ classifier: Classifier, model: String?, fingerprint: String?, dimensions: Int, instruct: String?) {
        self.classifier = classifier
        (self.model, self.fingerprint, self.dimensions, self.instruct) = (model, fingerprint, dimensions, instruct)
    }

    private enum Key: String, CodingKey {
        case format, version, kind, model, fingerprint, dimensions, instruct, labels, temperature, rows, rowLabels
    }

    /// Throws `ClassifierError` for a file that is not a classifier, has a newer version, or is damaged, and
    /// `LinearError.outOfMemory`.
    public init(from decoder: any Decoder) throws {
        guard let values = try? decoder.container(keyedBy: Key.self),
            (try? values.decode(String.self, forKey: .format)) == Self.format
        else { throw ClassifierError.notAClassifier }
        guard let version = try? values.decode(Int.self, forKey: .version) else { throw ClassifierError.damaged }
        guard version <= Self.version else { throw ClassifierError.newerVersion(version) }
        do {
            model = try values.decodeIfPresent(String.self, forKey: .model)
            fingerprint = try values.decodeIfPresent(String.self, forKey: .fingerprint)
            dimensions = try values.decode(Int.self, forKey: .dimensions)
            instruct = try values.decodeIfPresent(String.self, forKey: .instruct)
            classifier = try Classifier(
                kind: values.decode(ClassifierKind.self, forKey: .kind),
                labels: values.decode([String].self, forKey: .labels),
                rows: VectorMatrix(values.decode([[Float]].self, forKey: .rows)),
                rowLabels: values.decode([Int].self, forKey: .rowLabels),
                temperature: values.decode(Double.self, forKey: .temperature))
        } catch LinearError.outOfMemory(let byteCount, let available, let limit) {
            throw LinearError.outOfMemory(byteCount: byteCount, available: available, limit: limit)
        } catch {
            throw ClassifierError.damaged
        }
        guard classifier.isSound(dimensions: dimensions) else { throw ClassifierError.damaged }
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: Key.self)
        try values.encode(Self.format, forKey: .format)
        try values.encode(Self.version, forKey: .version)
        try values.encode(classifier.kind, forKey: .kind)
        try values.encodeIfPresent(model, forKey: .model)
        try values.encodeIfPresent(fingerprint, forKey: .fingerprint)
        try values.encode(dimensions, forKey: .dimensions)
        try values.encodeIfPresent(instruct, forKey: .instruct)
        try values.encode(classifier.labels, forKey: .labels)
        try values.encode(classifier.temperature, forKey: .temperature)
        try values.encode((0..<classifier.rows.count).map { classifier.rows[$0] }, forKey: .rows)
        try values.encode(classifier.rowLabels, forKey: .rowLabels)
    }
}

extension ClassifierFile {
    /// The same JSON piece by piece: an encoder would take about fifty bytes of memory for each number.
    package func writeJSON(_ write: (String) throws -> Void) throws {
        var separator = "{"
        func field(_ key: Key, _ value: String) throws {
            try write("\(separator)\(JSONText.quoted(key.rawValue)):\(value)")
            separator = ","
        }
        func list(_ key: Key, _ count: Int, _ value: (Int) -> String) throws {
            try field(key, "[")
            for index in 0..<count { try write("\(index > 0 ? "," : "")\(value(index))") }
            try write("]")
        }
        try field(.format, JSONText.quoted(Self.format))
        try field(.version, "\(Self.version)")
        try field(.kind, JSONText.quoted(classifier.kind.rawValue))
        if let model { try field(.model, JSONText.quoted(model)) }
        if let fingerprint { try field(.fingerprint, JSONText.quoted(fingerprint)) }
        try field(.dimensions, "\(dimensions)")
        if let instruct { try field(.instruct, JSONText.quoted(instruct)) }
        try field(.temperature, "\(classifier.temperature)")
        try list(.labels, classifier.labels.count) { JSONText.quoted(classifier.labels[$0]) }
        try list(.rowLabels, classifier.rowLabels.count) { "\(classifier.rowLabels[$0])" }
        try list(.rows, classifier.rows.count) { row in
            var text = JSONText()
            text.append(classifier.rows[row])
            return "[\(String(decoding: text.bytes, as: UTF8.self))]"
        }
        try write("}\n")
    }
}

extension Classifier {
    /// Whether the parts of a head from outside fit together, for vectors of so many values.
    package func isSound(dimensions: Int) -> Bool {
        let width = kind == .logistic ? dimensions + 1 : dimensions
        return labels.count > 1 && rows.dimensions == width && rows.count == rowLabels.count && rows.count > 0
            && temperature > 0 && temperature.isFinite && rowLabels.allSatisfy(labels.indices.contains)
            && (0..<rows.count).allSatisfy { rows[$0].allSatisfy(\.isFinite) }
            && (kind != .logistic || rowLabels == Array(labels.indices))
    }
}
