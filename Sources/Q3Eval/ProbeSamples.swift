// Which training texts each experiment of the logistic probe learns from.

package enum ProbeSamples {
    /// For each experiment the rows it trains on: the first `perLabel` of every label in an order that is shuffled anew,
    /// always with the same seed, as MTEB's classification tasks draw them.
    package static func rows(labels: [Int], perLabel: Int, experimentCount: Int, seed: UInt32 = 42) -> [[Int]] {
        var order = Array(labels.indices)
        return (0..<experimentCount).map { _ in
            var random = MersenneTwister(seed: seed)
            random.shuffle(&order)
            var counts: [Int: Int] = [:]
            return order.filter { row in
                counts[labels[row], default: 0] += 1
                return counts[labels[row], default: 0] <= perLabel
            }
        }
    }
}
