// Multinomial logistic regression: what a linear classifier can read from vectors.
package import Q3Linear

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

    /// Learns from rows and their classes, numbered from 0. The same bits with any number of threads. `classCount` says how many
    /// classes there are where the last ones may have no rows. Throws `LinearError` and `CancellationError`.
    package static func fit(
        _ rows: VectorMatrix, labels: [Int], penalty: Double = 1, classCount: Int? = nil, threads: Int? = nil
    ) async throws -> LogisticRegression {
        let classCount = classCount ?? (labels.max() ?? 0) + 1
        let (dimensions, lanes) = (rows.dimensions, (rows.dimensions + 7) / 8)
        let stride = lanes + 1
        let penalty = classCount == 2 ? 2 * penalty : penalty
        let loss = try SoftmaxLoss(rows, classes: labels, classCount: classCount, threads: threads)
        // A thousandth of the slope of the mean loss at which scikit-learn stops (tol=1e-4); of few rows, what f32 can tell.
        let tolerance = max(1e-5, 1e-7 * Double(rows.count))
        let weights = try await Minimizer.minimum(
            from: [Lane](repeating: .zero, count: classCount * stride), tolerance: tolerance
        ) { weights in
            var builder = try VectorMatrixBuilder(dimensions: dimensions, capacity: classCount)
            var biases: [Double] = []
            for index in 0..<classCount {
                let start = index * stride
                try builder.append((0..<dimensions).map { Float(weights[start + $0 / 8][$0 % 8]) })
                biases.append(weights[start + lanes][0])
            }
            let found = try await loss.value(weights: builder.finish(), biases: biases)
            var (value, gradient) = (found.loss, [Lane](repeating: .zero, count: weights.count))
            for index in 0..<classCount {
                for lane in 0..<lanes {
                    let weight = weights[index * stride + lane]
                    value += penalty / 2 * (weight * weight).sum()
                    gradient[index * stride + lane] = found.slopes[index * lanes + lane] + weight * penalty
                }
                gradient[index * stride + lanes][0] = found.biasSlopes[index]
            }
            return (value, gradient)
        }
        return LogisticRegression(classCount: classCount, stride: stride, weights: weights)
    }

    /// Bytes that `fit` takes beside its rows.
    package static func byteCount(rows: Int, dimensions: Int, classes: Int) -> Int {
        let weights = MemoryNeed.array(classes * ((dimensions + 7) / 8 + 1), of: MemoryLayout<Lane>.stride)
        return SoftmaxLoss.byteCount(rows: rows, dimensions: dimensions, classes: classes)
            + weights * Minimizer.pointCount
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
