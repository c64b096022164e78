// Classes of texts from a few labelled ones: a small head over vectors.
import Q3Embedding
import Q3Eval
public import Q3Linear
import Q3System

/// How a head decides.
public enum ClassifierKind: String, Sendable, CaseIterable, Codable {
    /// Multinomial logistic regression, scikit-learn's with C = 1.
    case logistic
    /// The labelled rows that are nearest.
    case neighbors
    /// The nearest of the labels' descriptions; nothing is learned.
    case descriptions
}

/// A head that gives labels to vectors of one model.
public struct Classifier: Sendable {
    /// How it decides.
    public let kind: ClassifierKind
    /// The labels, in the order of their bytes.
    public let labels: [String]
    /// Logits are divided by it, so that probabilities are right about as often as they say.
    public var temperature = 1.0
    /// Of `logistic`: a row of weights for each label, and its bias at the end. Of the others: the rows that are compared.
    package let rows: VectorMatrix
    /// The label of each of `rows`; for `logistic` and `descriptions` their own number.
    package let rowLabels: [Int]

    /// Neighbours that decide.
    private static let neighborCount = 5
    /// What a difference of cosines is divided by to be a logit; temperature corrects it.
    private static let cosineScale = 0.05

    package init(kind: ClassifierKind, labels: [String], rows: VectorMatrix, rowLabels: [Int], temperature: Double = 1)
    {
        self.kind = kind
        self.labels = labels
        self.rows = rows
        self.rowLabels = rowLabels
        self.temperature = temperature
    }

    /// Learns from rows of unit length and their labels, two different ones at least. `strength` is the inverse of the penalty on
    /// weights of the logistic regression, scikit-learn's C. Throws `ClassifierError` and `LinearError`.
    public static func train(
        _ vectors: VectorMatrix, labels: [String], kind: ClassifierKind = .logistic, strength: Double = 1
    ) throws -> Classifier {
        let names = try Self.names(of: labels)
        let numbers = Dictionary(uniqueKeysWithValues: zip(names, 0...))
        return try train(
            vectors, numbers: labels.map { numbers[ExactText($0)] ?? 0 }, names: names.map(\.text), kind, strength)
    }

    private static func names(of labels: [String]) throws(ClassifierError) -> [ExactText] {
        let names = Set(labels.map { ExactText($0) }).sorted { $0.text.utf8.lexicographicallyPrecedes($1.text.utf8) }
        guard names.count > 1 else { throw .oneLabel(labels.first) }
        return names
    }

    private static func train(
        _ vectors: VectorMatrix, numbers: [Int], names: [String], _ kind: ClassifierKind, _ strength: Double
    ) throws -> Classifier {
        guard kind == .logistic else {
            return Classifier(kind: kind, labels: names, rows: vectors, rowLabels: numbers)
        }
        var training = Vectors(dimensions: vectors.dimensions, capacity: vectors.count)
        for row in 0..<vectors.count { training.append(vectors[row]) }
        let model = LogisticRegression(
            training: training, labels: numbers, penalty: 1 / strength, classCount: names.count)
        return Classifier(
            kind: kind, labels: names, rows: try VectorMatrix(model.coefficients(dimensions: vectors.dimensions)),
            rowLabels: Array(names.indices))
    }

    /// The probability of each label for each row of unit length: [rows][labels]. Throws `LinearError` for other dimensions.
    public func probabilities(of vectors: VectorMatrix) async throws -> [[Double]] {
        try await logits(of: vectors).map { Self.softmax($0, temperature: temperature) }
    }

    private func logits(of vectors: VectorMatrix) async throws -> [[Double]] {
        if kind == .logistic {
            guard rows.dimensions == vectors.dimensions + 1 else {
                throw LinearError.otherDimensions(rows.dimensions - 1, vectors.dimensions)
            }
            let weights = (0..<rows.count).map { rows[$0] }
            var logits: [[Double]] = []
            for row in 0..<vectors.count {
                let values = vectors[row]
                var found: [Double] = []
                for weights in weights {
                    var sum = Double(weights[values.count])
                    for index in values.indices { sum += Double(weights[index]) * Double(values[index]) }
                    found.append(sum)
                }
                logits.append(found)
            }
            return logits
        }
        try rows.check(vectors)
        let limit = kind == .neighbors ? Self.neighborCount : rows.count
        let near = try await NearestRows.find(limit, of: rows, to: vectors)
        return near.map { hits in
            // What has no neighbour is as unlikely as a neighbour at the far side.
            var sums = [Double](repeating: exp(-2 / Self.cosineScale), count: labels.count)
            for hit in hits { sums[rowLabels[hit.index]] += exp((Double(hit.score) - 1) / Self.cosineScale) }
            return sums.map { log($0) }
        }
    }

    static func softmax(_ logits: [Double], temperature: Double) -> [Double] {
        let largest = logits.max() ?? 0
        let weights = logits.map { exp(($0 - largest) / temperature) }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }

    /// What cross-validation of the same training says: each row is judged by a head that has not seen it. Nil where a label has
    /// one row only, so that nothing can be left out. Rows are drawn with `seed`. Throws as `train`.
    public static func validate(
        _ vectors: VectorMatrix, labels: [String], kind: ClassifierKind = .logistic, strength: Double = 1,
        folds: Int = 5, seed: UInt64 = 0
    ) async throws -> ClassifierValidation? {
        let names = try Self.names(of: labels)
        let numbers = Dictionary(uniqueKeysWithValues: zip(names, 0...))
        let truth = labels.map { numbers[ExactText($0)] ?? 0 }
        var members = [[Int]](repeating: [], count: names.count)
        for (row, label) in truth.enumerated() { members[label].append(row) }
        let folds = min(folds, members.map(\.count).min() ?? 0)
        guard folds > 1 else { return nil }
        // Each label is spread over all folds.
        var random = SeededGenerator(seed: seed)
        var foldOf = [Int](repeating: 0, count: labels.count)
        for rows in members {
            for (position, row) in rows.shuffled(using: &random).enumerated() { foldOf[row] = position % folds }
        }
        var logits = [[Double]](repeating: [], count: labels.count)
        for fold in 0..<folds {
            let (inside, outside) = (
                foldOf.indices.filter { foldOf[$0] != fold }, foldOf.indices.filter { foldOf[$0] == fold }
            )
            let head = try train(
                try vectors.rows(inside), numbers: inside.map { truth[$0] }, names: names.map(\.text), kind, strength)
            for (row, found) in zip(outside, try await head.logits(of: try vectors.rows(outside))) {
                logits[row] = found
            }
        }
        return ClassifierValidation(logits: logits, truth: truth, folds: folds)
    }
}

/// Errors of classifiers.
public enum ClassifierError: Error, Sendable, Equatable, CustomStringConvertible {
    /// All rows have the same label, or there are none.
    case oneLabel(String?)

    public var description: String {
        switch self {
        case .oneLabel(let label):
            label.map { "all rows have the label \($0.escapedForTerminal); two different ones are needed at least" }
                ?? "there are no labelled rows"
        }
    }
}

/// How good a classifier is on rows that it has not seen.
public struct ClassifierValidation: Sendable {
    /// Parts that the rows were divided into.
    public let folds: Int
    /// The part of the rows whose likeliest label is theirs.
    public let accuracy: Double
    /// The mean over labels of the harmonic mean of precision and recall.
    public let macroF1: Double
    /// The mean of -log of the true label's probability, without and with `temperature`.
    public let logLoss: (raw: Double, calibrated: Double)
    /// How far probabilities are from the part of rows that are right, in the mean over ten bins; without and with `temperature`.
    public let calibrationError: (raw: Double, calibrated: Double)
    /// What makes the log loss smallest.
    public let temperature: Double

    init(logits: [[Double]], truth: [Int], folds: Int) {
        self.folds = folds
        let predictions = logits.map { row in row.indices.max { row[$0] == row[$1] ? $0 > $1 : row[$0] < row[$1] } ?? 0
        }
        let scores = ClassScores(truth: truth, predictions: predictions)
        (accuracy, macroF1) = (scores.accuracy, scores.f1)
        func loss(_ temperature: Double) -> Double {
            var sum = 0.0
            for (row, label) in zip(logits, truth) {
                let probability: Double = Classifier.softmax(row, temperature: temperature)[label]
                sum -= log(max(probability, 1e-300))
            }
            return sum / Double(truth.count)
        }
        func binnedError(_ temperature: Double) -> Double {
            var bins = [(count: Double, right: Double, said: Double)](repeating: (0, 0, 0), count: 10)
            for (index, row) in logits.enumerated() {
                let said = Classifier.softmax(row, temperature: temperature)[predictions[index]]
                let bin = min(9, Int(said * 10))
                bins[bin].count += 1
                bins[bin].said += said
                bins[bin].right += predictions[index] == truth[index] ? 1 : 0
            }
            var sum = 0.0
            for bin in bins { sum += abs(bin.said - bin.right) }
            return sum / Double(truth.count)
        }
        // The loss has one minimum over 1/T, as it is convex there: golden sections of log T.
        var (low, high) = (log(0.02), log(50.0))
        let ratio = (5.0.squareRoot() - 1) / 2
        for _ in 0..<60 {
            let (a, b) = (high - ratio * (high - low), low + ratio * (high - low))
            if loss(exp(a)) < loss(exp(b)) { high = b } else { low = a }
        }
        temperature = exp((low + high) / 2)
        logLoss = (loss(1), loss(temperature))
        calibrationError = (binnedError(1), binnedError(temperature))
    }
}
