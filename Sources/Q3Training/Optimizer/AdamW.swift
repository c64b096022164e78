// AdamW: the optimizer of every training here, in float32 and in PyTorch's order of operations.
import Q3System

/// Adam with decoupled weight decay (Loshchilov and Hutter, 2019) for one list of values.
///
/// Each value follows its own gradient alone, so the result is the same however the values are cut into lists or threads.
public struct AdamW: Sendable, Equatable {
    /// What does not change from step to step.
    public struct Options: Sendable, Equatable {
        /// How long the mean of the gradients remembers.
        public var beta1 = 0.9
        /// How long the mean of their squares remembers.
        public var beta2 = 0.999
        /// Keeps the division finite.
        public var epsilon = 1e-8
        /// The part of a value, times the learning rate, that a step takes away.
        public var weightDecay = 0.01

        /// PyTorch's defaults.
        public init() {}
    }

    /// What does not change from step to step.
    public let options: Options
    /// Steps taken.
    public private(set) var step = 0
    /// Mean of the gradients.
    public private(set) var mean: [Float]
    /// Mean of their squares.
    public private(set) var square: [Float]

    /// For so many values, before the first step.
    public init(count: Int, options: Options = Options()) {
        self.options = options
        mean = [Float](repeating: 0, count: count)
        square = [Float](repeating: 0, count: count)
    }

    /// As it was after a number of steps; both means have equally many values, a precondition.
    public init(step: Int, mean: [Float], square: [Float], options: Options = Options()) {
        precondition(mean.count == square.count, "means of the same values")
        (self.step, self.mean, self.square, self.options) = (step, mean, square, options)
    }

    /// Takes a step: `values` and `gradient` have as many values as this was made for, a precondition.
    public mutating func update(_ values: inout [Float], gradient: [Float], learningRate: Double) {
        precondition(values.count == mean.count && gradient.count == mean.count, "a gradient for each value")
        step += 1
        let correction1 = 1 - pow(options.beta1, Double(step))
        let correction2 = (1 - pow(options.beta2, Double(step))).squareRoot()
        let decay = Float(1 - learningRate * options.weightDecay)
        let size = Float(learningRate / correction1)
        let (keep1, take1) = (Float(options.beta1), Float(1 - options.beta1))
        let (keep2, take2) = (Float(options.beta2), Float(1 - options.beta2))
        let (root, epsilon) = (Float(correction2), Float(options.epsilon))
        for index in values.indices {
            let slope = gradient[index]
            let mean = self.mean[index] * keep1 + slope * take1
            let square = self.square[index] * keep2 + slope * slope * take2
            (self.mean[index], self.square[index]) = (mean, square)
            values[index] = values[index] * decay - size * (mean / (square.squareRoot() / root + epsilon))
        }
    }
}

/// How the learning rate rises and falls.
public struct LearningRate: Sendable, Equatable {
    /// What follows the warm-up.
    public enum Decay: String, Sendable, CaseIterable {
        /// A straight line down to 0 after the last step.
        case linear
        /// Half a cosine down to 0.
        case cosine
        /// The peak to the end.
        case constant
    }

    /// The highest rate.
    public let peak: Double
    /// Steps to the peak, from 0 on a straight line.
    public let warmupSteps: Int
    /// All steps.
    public let stepCount: Int
    /// What follows the warm-up.
    public let decay: Decay

    /// `warmup` is the part of all steps that it takes, 0...1.
    public init(peak: Double, warmup: Double, stepCount: Int, decay: Decay = .linear) {
        self.peak = peak
        self.stepCount = stepCount
        self.decay = decay
        warmupSteps = Int((Double(stepCount) * min(max(warmup, 0), 1)).rounded(.up))
    }

    /// The rate of a step, counted from 0, as transformers' schedules have it.
    public subscript(step: Int) -> Double {
        if step < warmupSteps { return peak * Double(step) / Double(max(1, warmupSteps)) }
        let part = Double(step - warmupSteps) / Double(max(1, stepCount - warmupSteps))
        return switch decay {
        case .linear: peak * max(0, 1 - part)
        case .cosine: peak * max(0, 0.5 * (1 + cos(.pi * part)))
        case .constant: peak
        }
    }
}
