// How much of each model goes into a merged tensor: a weighted mean, or spherical interpolation one after the other.
import Q3System

/// How models are merged.
package enum MergeMethod: String, Sendable, CaseIterable {
    /// Spherical linear interpolation: the direction goes along the arc between two tensors (Shoemake, 1985). More than two
    /// are taken one after the other, each with its share of the weights so far.
    case slerp
    /// The weighted mean of the values.
    case mean
}

/// The factor of each model for one tensor, from the products of the models' tensors with each other.
///
/// What is merged so far is a sum of the models times factors, so all that slerp asks of it follows from those products: a merge
/// of any number of models is one pass for the products and one for the sums.
package struct MergeWeights {
    /// The factor of each model.
    package let factors: [Double]
    /// The least cosine of two of the models, 1 for a tensor of zeros.
    package let leastCosine: Double

    /// Tensors nearer than this are merged by their mean: the arc is a line (as in mergekit).
    private static let straight = 0.9995

    /// `products` are the dot products of the tensors of all models [models, models]; `weights` are above 0.
    package init(products: [[Double]], weights: [Double], method: MergeMethod) {
        let total = weights.reduce(0, +)
        var least = 1.0
        for row in products.indices {
            for column in products.indices.dropFirst(row + 1) {
                let size = (products[row][row] * products[column][column]).squareRoot()
                if size > 0 { least = min(least, products[row][column] / size) }
            }
        }
        leastCosine = least
        guard method == .slerp else {
            factors = weights.map { $0 / total }
            return
        }
        var factors = weights.map { _ in 0.0 }
        factors[0] = 1
        var share = weights[0]
        for next in weights.indices.dropFirst() {
            share += weights[next]
            let part = weights[next] / share
            // The products of what is merged so far with itself and with the next model.
            var (own, cross) = (0.0, 0.0)
            for row in 0..<next {
                cross += factors[row] * products[row][next]
                for column in 0..<next { own += factors[row] * factors[column] * products[row][column] }
            }
            let size = (own * products[next][next]).squareRoot()
            let cosine = size > 0 ? min(max(cross / size, -1), 1) : 1
            var (keep, take) = (1 - part, part)
            if abs(cosine) < Self.straight {
                let angle = acos(cosine)
                keep = sin((1 - part) * angle) / sin(angle)
                take = sin(part * angle) / sin(angle)
            }
            for row in 0..<next { factors[row] *= keep }
            factors[next] = take
        }
        self.factors = factors
    }
}
