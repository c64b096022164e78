// What a training learns: the values, those of the best step, and how a step changes them.

/// Values that are learned step by step, with all that the next step depends on.
struct LearnedParameters: Sendable {
    /// The values after the last step.
    private(set) var values: [Float]
    /// The values that had the best score.
    private(set) var bestValues: [Float]
    /// Losses and scores so far.
    private(set) var history = TrainingHistory()
    private var optimizer: AdamW
    private let rate: LearningRate

    /// Before the first step.
    init(_ values: [Float], rate: LearningRate, optimizer: AdamW.Options) {
        (self.values, bestValues, self.rate) = (values, values, rate)
        self.optimizer = AdamW(count: values.count, options: optimizer)
    }

    /// Steps taken.
    var stepCount: Int { history.losses.count }

    /// Takes a step against the gradient of a loss. Throws `notFinite`.
    mutating func update(loss: Double, gradient: [Float]) throws(TrainingError) {
        let step = stepCount
        try history.add(loss: loss)
        guard gradient.allSatisfy(\.isFinite) else { throw .notFinite(what: "the gradient", step: step + 1) }
        optimizer.update(&values, gradient: gradient, learningRate: rate[step])
        guard values.allSatisfy(\.isFinite) else { throw .notFinite(what: "the adapter", step: step + 1) }
    }

    /// Notes a score of the values, and keeps them if it is the best so far.
    mutating func add(score: Double) {
        if history.add(score: score) { bestValues = values }
    }

    /// Everything but the history that later steps depend on, by name.
    var state: [String: [Float]] {
        ["values": values, "best": bestValues, "mean": optimizer.mean, "square": optimizer.square]
    }

    /// Continues from the state of an earlier run of at most `stepLimit` steps. Throws `mismatch` for that of another training.
    mutating func resume(
        _ history: TrainingHistory, _ state: [String: [Float]], stepLimit: Int
    ) throws(TrainingError) {
        let lists = ["values", "best", "mean", "square"].compactMap { state[$0] }
        guard lists.count == 4, lists.allSatisfy({ $0.count == values.count }), history.losses.count <= stepLimit,
            lists.allSatisfy({ $0.allSatisfy(\.isFinite) })
        else { throw .mismatch("the state is that of another training") }
        (values, bestValues, self.history) = (lists[0], lists[1], history)
        optimizer = AdamW(step: stepCount, mean: lists[2], square: lists[3], options: optimizer.options)
    }
}
