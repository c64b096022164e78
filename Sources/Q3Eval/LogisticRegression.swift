// Multinomial logistic regression: what a linear classifier can read from vectors.
import Q3System

/// A linear classifier with the optimum of scikit-learn's `LogisticRegression(C=1)`: the sum of the log losses plus half of
/// the squared weights, biases free.
///
/// For two classes scikit-learn learns one weight vector w instead of a pair. The best pair is (w/2, -w/2), whose squares
/// are half of w's, so the same optimum has the penalty doubled.
package struct LogisticRegression: Sendable {
    private typealias Lane = SIMD8<Double>

    private let classCount: Int
    /// Lanes of a class: its weights, and last one whose first value is the bias.
    private let stride: Int
    /// [classCount, stride]
    private let weights: [Lane]

    /// Learns from rows and their classes, numbered from 0. Deterministic: sums run in the order of the rows.
    /// `classCount` says how many classes there are where the last ones may have no rows.
    package init(training: Vectors, labels: [Int], penalty: Double = 1, classCount: Int? = nil) {
        precondition(training.count == labels.count, "a label for each row")
        let classCount = classCount ?? (labels.max() ?? 0) + 1
        let stride = training.laneCount + 1
        self.classCount = classCount
        self.stride = stride
        let features = (0..<training.count).map { Self.features(of: training, $0) }
        let penalty = classCount == 2 ? 2 * penalty : penalty
        weights = Minimizer.minimum(from: [Lane](repeating: .zero, count: classCount * stride)) { weights in
            var loss = 0.0
            var gradient = weights.enumerated().map { index, weight in
                index % stride == stride - 1 ? .zero : weight * penalty
            }
            for index in weights.indices where index % stride != stride - 1 {
                loss += penalty / 2 * (weights[index] * weights[index]).sum()
            }
            for (row, label) in zip(features, labels) {
                let logits = Self.logits(of: row, weights, classCount)
                let largest = logits.max() ?? 0
                let exponentials = logits.map { exp($0 - largest) }
                let sum = exponentials.reduce(0, +)
                loss += log(sum) + largest - logits[label]
                for index in 0..<classCount {
                    let error = exponentials[index] / sum - (index == label ? 1 : 0)
                    for lane in 0..<stride { gradient[index * stride + lane] += row[lane] * error }
                }
            }
            return (loss, gradient)
        }
    }

    /// The likeliest class of each row, the smallest of equals.
    package func classes(of vectors: Vectors) -> [Int] {
        (0..<vectors.count).map { row in
            let logits = Self.logits(of: Self.features(of: vectors, row), weights, classCount)
            return logits.indices.max { logits[$0] == logits[$1] ? $0 > $1 : logits[$0] < logits[$1] } ?? 0
        }
    }

    /// The weights of each class and its bias at the end, [classes][dimensions + 1].
    package func coefficients(dimensions: Int) -> [[Float]] {
        (0..<classCount).map { index in
            let lanes = weights[index * stride..<(index + 1) * stride]
            let values = lanes.flatMap { lane in lane.indices.map { Float(lane[$0]) } }
            return Array(values.prefix(dimensions)) + [values[8 * (stride - 1)]]
        }
    }

    private static func features(of vectors: Vectors, _ row: Int) -> [Lane] {
        vectors[row].map { Lane($0) } + [Lane(1, 0, 0, 0, 0, 0, 0, 0)]
    }

    private static func logits(of row: [Lane], _ weights: [Lane], _ classCount: Int) -> [Double] {
        (0..<classCount).map { index in
            var sums = Lane.zero
            for lane in row.indices { sums += row[lane] * weights[index * row.count + lane] }
            return sums.sum()
        }
    }
}
