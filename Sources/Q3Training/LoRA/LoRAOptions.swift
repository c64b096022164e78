// How LoRA matrices are learned.
import Q3Model

/// Options of `LoRATraining`.
public struct LoRAOptions: Sendable {
    /// The last layers that are trained; nil for all.
    public var layers: Int? = 4
    /// Rows of A, and columns of B.
    public var rank = 16
    /// B · A is multiplied with alpha / rank.
    public var alpha = 32.0
    /// Matrices that are changed.
    public var projections = Set(Projection.allCases)
    /// Times that all examples are seen.
    public var epochs = 1
    /// Examples of a step.
    public var batchSize = 32
    /// The highest learning rate.
    public var learningRate = 1e-4
    /// The part of all steps in which it rises.
    public var warmup = 0.1
    /// How it falls.
    public var decay: LearningRate.Decay = .linear
    /// The optimizer's constants.
    public var optimizer = AdamW.Options()
    /// The largest length of a step's gradient, to which longer ones are cut; nil for none.
    public var gradientLimit: Double? = 1
    /// Negatives of each query. A reranker's are drawn where too few are given.
    public var negatives = 4
    /// The loss of an embedding model.
    public var loss = InfoNCE()
    /// Tokens of a text, or of a reranker's prompt, beyond which it is cut.
    public var tokenLimit = 512
    /// How the states below the trained layers are stored.
    public var stateType: StateType = .f16
    /// Tokens that go through the trained layers together. Another number gives other bits.
    public var chunkTokens = 512
    /// Bytes of a step's values that are kept for its backward pass; what is beyond is computed twice, with the same
    /// bits.
    public var keptByteLimit = 2 << 30
    /// What all random draws begin with.
    public var seed: UInt64 = 0
    /// Threads that compute; nil for one for each processor. The result is the same for any number.
    public var threads: Int?

    /// The defaults.
    public init() {}

    /// Throws `badOption` for what cannot be.
    func check(_ config: Qwen3Config) throws(TrainingError) {
        func bad(_ name: String, _ reason: String) -> TrainingError { .badOption(name: name, reason: reason) }
        func need(_ holds: Bool, _ name: String, _ reason: String) throws(TrainingError) {
            if !holds { throw bad(name, reason) }
        }
        if let layers {
            try need(
                1...config.layerCount ~= layers, "the number of layers",
                "must be 1 to \(config.layerCount), not \(layers)")
        }
        try need(1...1024 ~= rank, "the rank", "must be 1 to 1024, not \(rank)")
        try need(alpha > 0 && alpha.isFinite, "alpha", "must be above 0, not \(alpha)")
        try need(!projections.isEmpty, "the list of matrices", "is empty, so nothing can be learned")
        try need(epochs > 0, "the number of epochs", "must be at least 1, not \(epochs)")
        try need(batchSize > 1, "the batch", "must have 2 examples at least, not \(batchSize)")
        try need(learningRate > 0 && learningRate.isFinite, "the learning rate", "must be above 0, not \(learningRate)")
        try need(0...1 ~= warmup, "the warm-up", "must be 0 to 1, not \(warmup)")
        try need(gradientLimit.map { $0 > 0 } ?? true, "the limit of a gradient", "must be above 0")
        try need(negatives >= 0, "the number of negatives", "must not be below 0")
        try need(
            loss.temperature > 0 && loss.temperature.isFinite, "the temperature",
            "must be above 0, not \(loss.temperature)")
        try need(
            16...config.contextLength ~= tokenLimit, "the limit of tokens",
            "must be 16 to \(config.contextLength), not \(tokenLimit)")
        try need(chunkTokens >= 64, "the chunk", "must have 64 tokens at least, not \(chunkTokens)")
        for cut in loss.dimensions {
            try need(
                1...config.hiddenSize ~= cut.count && cut.weight > 0 && cut.weight.isFinite,
                "a vector cut to \(cut.count) values", "cannot be had of \(config.hiddenSize)")
        }
    }
}
