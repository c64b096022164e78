// How good predicted classes are: accuracy, and precision, recall and F1 over classes.

/// Scores of predictions as scikit-learn computes them, with 0 where a quotient has no value.
///
/// The classes are those that occur, truly or as predicted. A macro score is the mean over classes, a weighted one counts
/// each class as often as it truly occurs.
package struct ClassScores: Sendable, Equatable {
    package let accuracy: Double
    package let precision: Double
    package let recall: Double
    package let f1: Double
    package let weightedPrecision: Double
    package let weightedRecall: Double
    package let weightedF1: Double

    /// Scores for classes by number; the lists are equally long and not empty, a precondition.
    package init(truth: [Int], predictions: [Int]) {
        precondition(truth.count == predictions.count && !truth.isEmpty, "one prediction for each of the truths")
        let classCount = max(truth.max() ?? 0, predictions.max() ?? 0) + 1
        var (hits, predicted, actual) = (
            [Double](repeating: 0, count: classCount), [Double](repeating: 0, count: classCount),
            [Double](repeating: 0, count: classCount)
        )
        for (truth, prediction) in zip(truth, predictions) {
            actual[truth] += 1
            predicted[prediction] += 1
            if truth == prediction { hits[truth] += 1 }
        }
        let quotient = { (a: Double, b: Double) in b > 0 ? a / b : 0 }
        var (macro, weighted, occurring) = (SIMD3<Double>.zero, SIMD3<Double>.zero, 0.0)
        for index in 0..<classCount where actual[index] + predicted[index] > 0 {
            let scores = SIMD3(
                quotient(hits[index], predicted[index]), quotient(hits[index], actual[index]),
                quotient(2 * hits[index], predicted[index] + actual[index]))
            macro += scores
            weighted += scores * actual[index]
            occurring += 1
        }
        macro /= occurring
        weighted /= Double(truth.count)
        accuracy = hits.reduce(0, +) / Double(truth.count)
        (precision, recall, f1) = (macro.x, macro.y, macro.z)
        (weightedPrecision, weightedRecall, weightedF1) = (weighted.x, weighted.y, weighted.z)
    }
}
