// How good a classifier is on rows that it has not seen, and how far its probabilities can be believed.
import Q3Embedding
import Q3Eval
public import Q3Linear
import Q3System

extension Classifier {
    /// What cross-validation of the same training says: each row is judged by a head that has not seen it. Nil where a label has
    /// one row only, so that nothing can be left out. Rows are drawn with `seed`. Throws as `train`.
    public static func validate(
        _ vectors: VectorMatrix, labels: [String], kind: ClassifierKind = .logistic, strength: Double = 1,
        folds: Int = 5, seed: UInt64 = 0, threads: Int? = nil
    ) async throws -> ClassifierValidation? {
        try MemoryNeed.check(AnalysisMemory.training(rows: labels.count, dimensions: 1, labels: 0, kind: .neighbors))
        let (truth, names) = try numbers(of: labels)
        return try await validate(
            vectors, numbers: truth, names: names, kind, strength, folds: folds, seed: seed, threads: threads)
    }

    /// The same of labels that are numbers of `names`.
    package static func validate(
        _ vectors: VectorMatrix, numbers truth: [Int], names: [String], _ kind: ClassifierKind, _ strength: Double,
        folds: Int, seed: UInt64, threads: Int?
    ) async throws -> ClassifierValidation? {
        var members = [[Int]](repeating: [], count: names.count)
        for (row, label) in truth.enumerated() { members[label].append(row) }
        let folds = min(folds, members.map(\.count).min() ?? 0)
        guard folds > 1 else { return nil }
        try await MemoryNeed.check(
            AnalysisMemory.training(
                rows: truth.count, dimensions: vectors.dimensions, labels: names.count, kind: kind, folds: folds),
            startingThreads: threads)
        // Each label is spread over all folds.
        var random = SeededGenerator(seed: seed)
        var foldOf = [Int](repeating: 0, count: truth.count)
        for rows in members {
            for (position, row) in rows.shuffled(using: &random).enumerated() { foldOf[row] = position % folds }
        }
        var logits = [[Double]](repeating: [], count: truth.count)
        for fold in 0..<folds {
            let (inside, outside) = (
                foldOf.indices.filter { foldOf[$0] != fold }, foldOf.indices.filter { foldOf[$0] == fold }
            )
            let head = try await train(
                try vectors.rows(inside), numbers: inside.map { truth[$0] }, names: names, kind, strength, threads)
            for (row, found) in zip(outside, try await head.logits(of: try vectors.rows(outside), threads)) {
                logits[row] = found
            }
        }
        return ClassifierValidation(logits: logits, truth: truth, folds: folds)
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
