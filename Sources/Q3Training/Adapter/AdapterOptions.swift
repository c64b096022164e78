// How an adapter is learned.

/// Options of `AdapterTraining`.
public struct AdapterOptions: Sendable {
    /// Directions that the adapter can change.
    public var rank = 16
    /// Which vectors it changes.
    public var scope: EmbeddingAdapter.Scope = .queries
    /// Times that all pairs are seen.
    public var epochs = 10
    /// Pairs of a step.
    public var batchSize = 128
    /// The highest learning rate.
    public var learningRate = 0.003
    /// The part of all steps in which it rises.
    public var warmup = 0.1
    /// How it falls.
    public var decay: LearningRate.Decay = .cosine
    /// Mined negatives of each query, beside those that it came with.
    public var minedNegatives = 4
    /// How far below its positive a mined negative must score, as a part of that score.
    public var relativeMargin: Float = 0.05
    /// The loss.
    public var loss = InfoNCE()
    /// The optimizer's constants.
    public var optimizer = AdamW.Options()
    /// What all random draws begin with.
    public var seed: UInt64 = 0
    /// Threads that compute; nil for one for each processor. The result is the same for any number.
    public var threads: Int?

    /// The defaults.
    public init() {}

    /// Throws `badOption` for what cannot be.
    func check(dimensions: Int) throws(TrainingError) {
        func bad(_ name: String, _ reason: String) -> TrainingError { .badOption(name: name, reason: reason) }
        guard 1...min(dimensions, EmbeddingAdapter.rankLimit) ~= rank else {
            throw bad("the rank", "must be 1 to \(min(dimensions, EmbeddingAdapter.rankLimit)), not \(rank)")
        }
        guard epochs > 0 else { throw bad("the number of epochs", "must be at least 1, not \(epochs)") }
        guard batchSize > 1 else { throw bad("the batch", "must have 2 pairs at least, not \(batchSize)") }
        guard learningRate > 0, learningRate.isFinite else {
            throw bad("the learning rate", "must be above 0, not \(learningRate)")
        }
        guard loss.temperature > 0, loss.temperature.isFinite else {
            throw bad("the temperature", "must be above 0, not \(loss.temperature)")
        }
        guard minedNegatives >= 0 else { throw bad("the number of mined negatives", "must not be below 0") }
        for cut in loss.dimensions {
            guard 1...dimensions ~= cut.count, cut.weight > 0, cut.weight.isFinite else {
                throw bad("a vector cut to \(cut.count) values", "cannot be had of \(dimensions)")
            }
        }
    }
}
