// Which examples a step learns from: a new order for each epoch, the same in every run.
import Q3System

/// Batches of 0..<count. An epoch's order depends on the seed and its number alone, so that a training that is resumed sees what
/// it would have seen.
public struct BatchOrder: Sendable, Equatable {
    /// Examples.
    public let count: Int
    /// Examples of a batch; the last of an epoch may have fewer.
    public let batchSize: Int
    /// Times that all examples are seen.
    public let epochs: Int
    /// What the order depends on.
    public let seed: UInt64

    /// Orders at least one example in batches of one at least, preconditions.
    public init(count: Int, batchSize: Int, epochs: Int, seed: UInt64) {
        precondition(count > 0 && batchSize > 0 && epochs > 0, "examples, a batch and an epoch")
        (self.count, self.batchSize, self.epochs, self.seed) = (count, batchSize, epochs, seed)
    }

    /// Batches of an epoch.
    public var stepsPerEpoch: Int { (count + batchSize - 1) / batchSize }

    /// Batches of all epochs.
    public var stepCount: Int { stepsPerEpoch * epochs }

    /// The examples of a step, counted from 0 over all epochs.
    public subscript(step: Int) -> [Int] {
        let order = order(ofEpoch: step / stepsPerEpoch)
        let start = step % stepsPerEpoch * batchSize
        return Array(order[start..<min(start + batchSize, count)])
    }

    /// All examples in the order of an epoch (Fisher and Yates).
    public func order(ofEpoch epoch: Int) -> [Int] {
        var seeds = SeededGenerator(seed: seed)
        var random = SeededGenerator(seed: (0...epoch).reduce(0) { _, _ in seeds.next() })
        var order = Array(0..<count)
        for last in order.indices.dropFirst().reversed() {
            order.swapAt(last, Int(random.next().multipliedFullWidth(by: UInt64(last + 1)).high))
        }
        return order
    }
}
