// Learns LoRA matrices on the last layers of a model: step by step, with the best step kept.
import Q3Linear
public import Q3Model
public import Q3Reranking
import Q3System

/// The training of a LoRA adapter, of an embedding model or of a reranker.
///
///     var training = try await LoRATraining(data, split, embedder: embedder, statesPath: "states", options: options)
///     while !training.isFinished { try await training.step() }
///     try training.result().write(to: "my-adapter")
///
/// The layers below the trained ones are computed once, with the integer kernels; their states lie in a file, which is
/// taken again by later runs over the same texts. The same data, model and options give the same bits, on any number of
/// threads, with interruptions or without.
public struct LoRATraining: Sendable {
    private let engine: LoRAEngine
    private let options: LoRAOptions
    private let order: BatchOrder
    private let split: DataSplit
    private var hasValidation: Bool { !split.validation.isEmpty }
    private let isReranker: Bool
    /// Of the model.
    private let fingerprint: String
    private var learned: LearnedParameters
    /// Losses so far, and the scores on the validation queries.
    public var history: TrainingHistory { learned.history }
    /// How long the last step took.
    public private(set) var lastTime = LoRAStepTime()
    /// How long all steps of this run took.
    public private(set) var totalTime = LoRAStepTime()
    /// Texts that were cut to the limit of tokens.
    public let cutCount: Int
    /// Tokens of all texts.
    public let tokenCount: Int

    /// Prepares the training of an embedding model: computes the states of all texts into the file at `statesPath`, or
    /// takes them from it. `instruction` is the task of queries that have none. `start` is an adapter to go on from.
    ///
    /// Throws `TrainingError`, `EmbeddingError`, `ModelError`, `LinearError`.
    public init(
        _ data: TrainingData, _ split: DataSplit, embedder: Embedder, statesPath: String, instruction: String? = nil,
        start: LoRAAdapter? = nil, options: LoRAOptions = LoRAOptions(),
        progress: (@Sendable (Progress) -> Void)? = nil
    ) async throws {
        try data.check(for: .embedding)
        try options.check(embedder.model.config)
        var cutCount = 0
        func ids(_ text: String, _ prompt: Prompt) throws -> [Int32] {
            let ids = embedder.ids(ofLetters: embedder.prompted(text, as: prompt), atLeast: .max)
            let input = try embedder.input(for: ids, truncate: .end, limit: options.tokenLimit)
            if input.isTruncated { cutCount += 1 }
            return input.ids
        }
        let queries = try data.queries.map { query in
            let task = query.instruction ?? instruction
            return try ids(query.text, task.map { .query(task: $0) } ?? .query())
        }
        let passages = try data.passages.map { try ids($0, .document) }
        let task = EmbeddingTask(
            data, split: split, queryIDs: queries, passageIDs: passages, negatives: options.negatives,
            loss: options.loss)
        try await self.init(
            embedder.model, task: task, fingerprint: "\(Fingerprint(of: embedder.model))", split: split,
            isReranker: false,
            cutCount: cutCount, statesPath: statesPath, start: start, options: options, progress: progress)
    }

    /// Prepares the training of a reranker, as that of an embedding model.
    ///
    /// Throws `TrainingError`, `RerankError`, `ModelError`, `LinearError`.
    public init(
        _ data: TrainingData, _ split: DataSplit, reranker: Reranker, statesPath: String, instruction: String? = nil,
        start: LoRAAdapter? = nil, options: LoRAOptions = LoRAOptions(),
        progress: (@Sendable (Progress) -> Void)? = nil
    ) async throws {
        try data.check(for: .reranking)
        try options.check(reranker.model.config)
        var cutCount = 0
        let wanted = RerankOptions(instruction: instruction, truncates: true)
        let task = try RerankTask(
            data, split: split, negatives: max(1, options.negatives), seed: options.seed, head: reranker.headDifference
        ) { query, passage in
            let pair = RerankPair(
                query: data.queries[query].text, document: data.passages[passage],
                instruction: data.queries[query].instruction)
            let input = try reranker.input(for: pair, options: wanted, limit: options.tokenLimit)
            if input.isTruncated { cutCount += 1 }
            return input.ids
        }
        try await self.init(
            reranker.model, task: task, fingerprint: "\(Fingerprint(of: reranker.model))", split: split,
            isReranker: true,
            cutCount: cutCount, statesPath: statesPath, start: start, options: options, progress: progress)
    }

    private init(
        _ model: Qwen3Model, task: any LoRATask, fingerprint: String, split: DataSplit, isReranker: Bool, cutCount: Int,
        statesPath: String, start: LoRAAdapter?, options: LoRAOptions, progress: (@Sendable (Progress) -> Void)?
    ) async throws {
        let count = model.config.layerCount
        let first = count - min(count, options.layers ?? count)
        let shape = AdapterShape(
            rank: options.rank, alpha: options.alpha, layers: first..<count, projections: options.projections,
            config: model.config)
        let states = try await TrunkStates(
            path: statesPath, model: model, key: fingerprint, lists: task.lists, layerCount: first,
            type: options.stateType,
            progress: progress)
        tokenCount = states.tokenCounts.reduce(0, +)
        engine = try await InferenceThread.shared().run {
            try LoRAEngine(model, task: task, states: states, shape: shape, options: options)
        }
        self.options = options
        self.isReranker = isReranker
        self.fingerprint = fingerprint
        self.cutCount = cutCount
        self.split = split
        order = BatchOrder(
            count: task.exampleCount, batchSize: options.batchSize, epochs: options.epochs, seed: options.seed)
        let rate = LearningRate(
            peak: options.learningRate, warmup: options.warmup, stepCount: order.stepCount, decay: options.decay)
        learned = LearnedParameters(
            try start?.parameters(in: shape) ?? LoRAAdapter.start(shape, seed: options.seed), rate: rate,
            optimizer: options.optimizer)
    }

    /// Steps of the whole training.
    public var stepCount: Int { order.stepCount }

    /// Steps taken.
    public var stepsTaken: Int { learned.stepCount }

    /// Whether all steps are taken.
    public var isFinished: Bool { stepsTaken >= stepCount }

    /// Numbers that are learned.
    public var parameterCount: Int {
        engine.shape.matrices.reduce(0) { sum, matrix in
            let place = engine.shape.place(of: matrix.projection, layer: matrix.layer)
            return sum + engine.shape.rank * (place.map { $0.inputs + $0.outputs } ?? 0)
        }
    }

    /// Steps between two scores: one for each epoch, and four in a training at least.
    private var scoringSteps: Int { max(1, (stepCount + max(options.epochs, 4) - 1) / max(options.epochs, 4)) }

    /// Takes the next step, and measures the validation queries when it is time. Throws `TrainingError.notFinite`.
    public mutating func step() async throws {
        if history.scores.isEmpty { try await addScore() }
        let (engine, values, batch, limit) = (engine, learned.values, order[stepsTaken], options.gradientLimit)
        let (loss, gradient, time) = try await InferenceThread.shared().run {
            let (loss, gradient, time) = try engine.slope(of: batch, parameters: values)
            return (loss, LoRAEngine.limited(gradient, to: limit), time)
        }
        lastTime = time
        totalTime += time
        try learned.update(loss: loss, gradient: gradient)
        if stepsTaken.isMultiple(of: scoringSteps) || isFinished { try await addScore() }
    }

    /// Measures the validation queries, if there are any.
    private mutating func addScore() async throws {
        guard hasValidation else { return }
        learned.add(score: try await scores(of: .validation, learned.values).meanNDCG)
    }

    private func scores(of part: LoRAPart, _ values: [Float]) async throws -> QueryScores {
        let engine = engine
        let states = try await InferenceThread.shared().run {
            try engine.states(of: engine.task.texts(of: part), parameters: values)
        }
        guard states.allSatisfy(\.isFinite) else {
            throw TrainingError.notFinite(what: "a state", step: stepsTaken)
        }
        return try await engine.task.scores(of: part, states: states, threads: engine.stack.team.threads)
    }

    // MARK: - Results

    /// Held-out queries that are nearly one that is learned from, by the vectors of the model as it is; none of a reranker,
    /// which has no vectors of queries.
    public func nearQueries() async throws -> [NearQuery] {
        let (engine, unchanged) = (engine, unchanged)
        let texts = engine.task.queryTexts
        guard !texts.isEmpty else { return [] }
        let own = texts.uniqued()
        let states = try await InferenceThread.shared().run { try engine.states(of: own, parameters: unchanged) }
        let columns = states.count / own.count
        let rows = Dictionary(uniqueKeysWithValues: zip(own, 0...))
        let vectors = try VectorMatrix(
            texts.map { text in
                let row = rows[text] ?? 0
                return Array(states[row * columns..<(row + 1) * columns])
            })
        return try await NearQuery.find(split, queries: vectors, threads: options.threads)
    }

    /// The values of the best step; the last one's where no queries choose.
    private var chosen: [Float] { hasValidation ? learned.bestValues : learned.values }

    /// Without B, the model is as it was.
    private var unchanged: [Float] { [Float](repeating: 0, count: learned.values.count) }

    /// Scores of the held-out queries without the adapter and with that of the best step.
    public func comparison() async throws -> Comparison {
        Comparison(
            before: try await scores(of: .heldOut, unchanged), after: try await scores(of: .heldOut, chosen),
            seed: options.seed)
    }

    /// How much the adapter turns the last state of a held-out text at most: 1 - cosine.
    public func largestChange() async throws -> Double {
        let (engine, before, after) = (engine, unchanged, chosen)
        return try await InferenceThread.shared().run {
            let texts = Array(engine.task.texts(of: .heldOut).prefix(64))
            let (a, b) = (
                try engine.states(of: texts, parameters: before), try engine.states(of: texts, parameters: after)
            )
            let columns = a.count / max(1, texts.count)
            var largest = 0.0
            for start in stride(from: 0, to: a.count, by: max(1, columns)) {
                var (dot, squares, others) = (0.0, 0.0, 0.0)
                for i in start..<start + columns {
                    dot += Double(a[i]) * Double(b[i])
                    squares += Double(a[i]) * Double(a[i])
                    others += Double(b[i]) * Double(b[i])
                }
                largest = max(largest, 1 - dot / (squares * others).squareRoot())
            }
            return largest
        }
    }

    /// Turns that are rounding and not learning.
    private static let leastChange = 1e-9

    /// The adapter of the best step. Throws `changesNothing` for one that leaves all states as they are.
    public func result(baseName: String = "") async throws -> LoRAAdapter {
        let change = try await largestChange()
        guard change > Self.leastChange else { throw TrainingError.changesNothing(largestChange: change) }
        return LoRAAdapter(
            chosen, shape: engine.shape, isReranker: isReranker, baseName: baseName, fingerprint: fingerprint)
    }

    // MARK: - Interruptions

    /// Everything that the rest of the training depends on, by name.
    public var state: [String: [Float]] { learned.state }

    /// Goes on from the state of an earlier run of the same training. Throws `mismatch` for that of another one.
    public mutating func resume(_ history: TrainingHistory, _ state: [String: [Float]]) throws(TrainingError) {
        try learned.resume(history, state, stepLimit: stepCount)
    }
}
