// Classes of texts from a few labelled ones: a small head over vectors.
import Q3Embedding
import Q3Eval
import Q3Kernels
public import Q3Linear
import Q3Model
import Q3System
import Synchronization

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
    /// weights of the logistic regression, scikit-learn's C; `threads` is nil for one for each processor, and changes nothing else.
    /// Throws `ClassifierError`, `LinearError` and `CancellationError`.
    public static func train(
        _ vectors: VectorMatrix, labels: [String], kind: ClassifierKind = .logistic, strength: Double = 1,
        threads: Int? = nil
    ) async throws -> Classifier {
        try MemoryNeed.check(AnalysisMemory.training(rows: labels.count, dimensions: 1, labels: 0, kind: .neighbors))
        let (numbers, names) = try numbers(of: labels)
        return try await train(vectors, numbers: numbers, names: names, kind, strength, threads)
    }

    /// The number of each label, and the different ones in the order of their bytes.
    static func numbers(of labels: [String]) throws(ClassifierError) -> (numbers: [Int], names: [String]) {
        let names = Set(labels.map { ExactText($0) }).sorted { $0.text.utf8.lexicographicallyPrecedes($1.text.utf8) }
        guard names.count > 1 else { throw .oneLabel(labels.first) }
        let numbers = Dictionary(uniqueKeysWithValues: zip(names, 0...))
        return (labels.map { numbers[ExactText($0)] ?? 0 }, names.map(\.text))
    }

    /// The same of labels that are numbers of `names`.
    package static func train(
        _ vectors: VectorMatrix, numbers: [Int], names: [String], _ kind: ClassifierKind, _ strength: Double,
        _ threads: Int?
    ) async throws -> Classifier {
        guard kind == .logistic else {
            return Classifier(kind: kind, labels: names, rows: vectors, rowLabels: numbers)
        }
        try await MemoryNeed.check(
            fitByteCount(rows: vectors.count, dimensions: vectors.dimensions, labels: names.count),
            startingThreads: threads)
        let model = try await LogisticRegression.fit(
            vectors, labels: numbers, penalty: 1 / strength, classCount: names.count, threads: threads)
        return Classifier(
            kind: kind, labels: names, rows: try VectorMatrix(model.coefficients(dimensions: vectors.dimensions)),
            rowLabels: Array(names.indices))
    }

    /// Bytes that a logistic regression takes beside its rows.
    static func fitByteCount(rows: Int, dimensions: Int, labels: Int) -> Int {
        LogisticRegression.byteCount(rows: rows, dimensions: dimensions, classes: labels)
    }

    /// The probability of each label for each row of unit length: [rows][labels]. A row has the same bits whatever other rows there
    /// are, and with any number of threads. Throws `LinearError` for other dimensions, and `CancellationError`.
    public func probabilities(of vectors: VectorMatrix, threads: Int? = nil) async throws -> [[Double]] {
        if vectors.count > Self.fewRows {
            try await MemoryNeed.check(
                AnalysisMemory.probabilities(rows: vectors.count, labels: labels.count, kind: kind),
                startingThreads: threads)
        }
        return try await logits(of: vectors, threads).map { Self.softmax($0, temperature: temperature) }
    }

    /// The logits that `probabilities` is the softmax of.
    package func calibratedLogits(of vectors: VectorMatrix, threads: Int? = nil) async throws -> [[Double]] {
        try await logits(of: vectors, threads).map { $0.map { $0 / temperature } }
    }

    /// Rows that are looked at without another thread.
    private static let fewRows = 64

    func logits(of vectors: VectorMatrix, _ threads: Int?) async throws -> [[Double]] {
        if kind == .logistic {
            guard rows.dimensions == vectors.dimensions + 1 else {
                throw LinearError.otherDimensions(rows.dimensions - 1, vectors.dimensions)
            }
            guard vectors.count > Self.fewRows else { return (0..<vectors.count).map { linear(vectors, $0) } }
            let threads = try TileWalk.threadCount(threads)
            let blocks = (vectors.count + Self.fewRows - 1) / Self.fewRows
            let found = Mutex([[[Double]]](repeating: [], count: blocks))
            try Task.checkCancellation()
            try await InferenceThread.shared().run {
                Parallel.forEach(count: blocks, threads: threads) { block, _ in
                    let first = block * Self.fewRows
                    let part = (first..<min(first + Self.fewRows, vectors.count)).map { linear(vectors, $0) }
                    found.withLock { $0[block] = part }
                }
            }
            return found.withLock { $0 }.concatenated()
        }
        try rows.check(vectors)
        let limit = kind == .neighbors ? Self.neighborCount : rows.count
        let near = try await NearestRows.find(limit, of: rows, to: vectors, threads: threads)
        return near.map { hits in
            // What has no neighbour is as unlikely as a neighbour at the far side.
            var sums = [Double](repeating: exp(-2 / Self.cosineScale), count: labels.count)
            for hit in hits { sums[rowLabels[hit.index]] += exp((Double(hit.score) - 1) / Self.cosineScale) }
            return sums.map { log($0) }
        }
    }

    /// Weights · row + bias of each label, in double precision.
    private func linear(_ vectors: VectorMatrix, _ row: Int) -> [Double] {
        (0..<rows.count).map { label in
            // A row's padding is zero, so the bias behind the weights takes no part in the product.
            unsafe VectorMatrix.dot(rows.start(of: label), vectors.start(of: row), vectors.columns)
                + Double(rows.start(of: label)[vectors.dimensions])
        }
    }

    static func softmax(_ logits: [Double], temperature: Double) -> [Double] {
        let largest = logits.max() ?? 0
        let weights = logits.map { exp(($0 - largest) / temperature) }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }
}

/// Errors of classifiers.
public enum ClassifierError: Error, Sendable, Equatable, CustomStringConvertible {
    /// All rows have the same label, or there are none.
    case oneLabel(String?)
    /// A file that holds no classifier.
    case notAClassifier
    /// A file of a version that this q3 does not know.
    case newerVersion(Int)
    /// A file whose numbers do not fit together.
    case damaged

    /// What is wrong and what to do; of a file, what follows its name.
    public var description: String {
        switch self {
        case .oneLabel(let label):
            label.map { "all rows have the label \($0.escapedForTerminal); two different ones are needed at least" }
                ?? "there are no labelled rows"
        case .notAClassifier: "is not a classifier; make one with 'q3 classify train'"
        case .newerVersion(let version): "is of a newer q3 (version \(version)); update q3"
        case .damaged: "is damaged: its numbers do not fit together; train it again"
        }
    }
}
