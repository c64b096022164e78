// Learns an adapter over vectors that exist: step by step, with the best step kept.
import Q3Analysis
import Q3Kernels
import Q3Model
import Q3System

/// The training of an adapter.
///
///     var training = try await AdapterTraining(data, split, queries: queryVectors, passages: passageVectors, options)
///     while !training.isFinished { try await training.step() }
///     let adapter = try training.adapter(for: fingerprint)
///
/// The same data, vectors and options give the same bits, on any number of threads, with interruptions or without.
public struct AdapterTraining: Sendable {
    private let queries: VectorMatrix
    private let passages: VectorMatrix
    private let data: TrainingData
    private let split: DataSplit
    private let options: AdapterOptions
    private let threads: Int
    private let pairs: [Pair]
    private let order: BatchOrder
    /// A and the transpose of B, one after the other: [2, rank, columns]
    private var learned: LearnedParameters
    /// Losses so far, and the scores on the validation queries after each epoch.
    public var history: TrainingHistory { learned.history }

    /// A query and one of its answers.
    private struct Pair: Sendable {
        let query: Int
        let positive: Int
        let negatives: [Int]
    }

    /// Prepares a training and mines negatives. `queries` and `passages` are the unit vectors of `data`, row by row. Throws
    /// `TrainingError`, `LinearError` and `ModelError`.
    public init(
        _ data: TrainingData, _ split: DataSplit, queries: VectorMatrix, passages: VectorMatrix,
        options: AdapterOptions = AdapterOptions()
    ) async throws {
        try data.check(for: .embedding)
        guard queries.count == data.queries.count, passages.count == data.passages.count else {
            throw TrainingError.mismatch(
                "\(queries.count) vectors for \(data.queries.count) queries, \(passages.count) for \(data.passages.count) passages"
            )
        }
        try passages.check(queries)
        try options.check(dimensions: queries.dimensions)
        (self.data, self.split, self.queries, self.passages) = (data, split, queries, passages)
        self.options = options
        threads = try TileWalk.threadCount(options.threads)
        var negatives = split.training.map { data.queries[$0].negatives }
        if options.minedNegatives > 0 {
            var mining = NegativeOptions()
            mining.count = options.minedNegatives
            mining.relativeMargin = options.relativeMargin
            mining.threads = threads
            let mined = try await HardNegatives.mine(
                queries: queries.rows(split.training), passages: passages,
                positives: split.training.map { data.queries[$0].positives }, options: mining)
            for (index, found) in mined.enumerated() {
                let own = Set(negatives[index])
                negatives[index] += found.negatives.map(\.row).filter { !own.contains($0) }
            }
        }
        pairs = zip(split.training, negatives).flatMap { query, negatives in
            data.queries[query].positives.map { Pair(query: query, positive: $0, negatives: negatives) }
        }
        order = BatchOrder(
            count: pairs.count, batchSize: options.batchSize, epochs: options.epochs, seed: options.seed)
        let rate = LearningRate(
            peak: options.learningRate, warmup: options.warmup, stepCount: order.stepCount, decay: options.decay)
        learned = LearnedParameters(
            Self.start(options, columns: queries.dimensions), rate: rate, optimizer: options.optimizer)
        try await addScore()
    }

    /// A of small random values and B of zeros: the adapter begins by changing nothing.
    private static func start(_ options: AdapterOptions, columns: Int) -> [Float] {
        var random = SeededGenerator(seed: options.seed ^ 0xADA9)
        let bound = (3 / Double(columns)).squareRoot()
        let down = (0..<options.rank * columns).map { _ in
            Float((Double(random.next() >> 11) * 0x1p-53 * 2 - 1) * bound)
        }
        return down + [Float](repeating: 0, count: down.count)
    }

    /// Steps of the whole training.
    public var stepCount: Int { order.stepCount }

    /// Steps taken.
    public var stepsTaken: Int { learned.stepCount }

    /// Whether all steps are taken.
    public var isFinished: Bool { stepsTaken >= stepCount }

    /// Takes the next step, and after the last one of an epoch measures the validation queries. Throws
    /// `TrainingError.notFinite`.
    public mutating func step() async throws {
        let (loss, gradient) = try await slope(order[stepsTaken].map { pairs[$0] })
        try learned.update(loss: loss, gradient: gradient)
        if stepsTaken.isMultiple(of: order.stepsPerEpoch) || isFinished { try await addScore() }
    }

    /// Measures the validation queries, if there are any.
    private mutating func addScore() async throws {
        guard !split.validation.isEmpty else { return }
        learned.add(score: try await score(learned.values, of: split.validation).meanNDCG)
    }

    /// Loss of a batch, and its slope for every value of the adapter.
    private func slope(_ batch: [Pair]) async throws -> (loss: Double, gradient: [Float]) {
        let (values, options, threads) = (learned.values, options, threads)
        var rows = BatchRows()
        let examples = batch.map { pair in
            ContrastiveExample(
                query: rows.query(pair.query), positive: rows.passage(pair.positive),
                negatives: pair.negatives.map { rows.passage($0) }, otherAnswers: [])
        }
        let withAnswers = zip(batch, examples).map { pair, example in
            ContrastiveExample(
                query: example.query, positive: example.positive, negatives: example.negatives,
                otherAnswers: data.queries[pair.query].positives.compactMap { rows.numberOfPassage[$0] })
        }
        let (queryRows, passageRows) = (matrix(rows.queries, of: queries), matrix(rows.passages, of: passages))
        return try await InferenceThread.shared().run {
            let half = values.count / 2
            let residual = LowRankResidual(
                down: Array(values[..<half]), up: Array(values[half...]), rank: options.rank, threads: threads)
            let changesPassages = options.scope == .everything
            let (q, queryShares) = residual(queryRows)
            let passage = changesPassages ? residual(passageRows) : nil
            let loss = options.loss(
                queries: q.values, passages: (passage?.changed ?? passageRows).values, columns: q.columns,
                examples: withAnswers, threads: threads, needsPassageGradient: changesPassages)
            var slopes = residual.gradients(
                of: RowMatrix(loss.queryGradient, columns: q.columns), rows: queryRows, shares: queryShares)
            if let passage {
                let more = residual.gradients(
                    of: RowMatrix(loss.passageGradient, columns: q.columns), rows: passageRows, shares: passage.shares)
                slopes.down.add(more.down)
                slopes.up.add(more.up)
            }
            return (loss.value, (slopes.down.values + slopes.up.values).map(Float.init))
        }
    }

    private func matrix(_ rows: [Int], of vectors: VectorMatrix) -> RowMatrix {
        RowMatrix(rows.flatMap { vectors[$0].map(Double.init) }, columns: vectors.dimensions)
    }

    /// Scores of queries with an adapter of these values; nil for the vectors as they are.
    private func score(_ values: [Float]?, of rows: [Int]) async throws -> QueryScores {
        let answers = rows.map { data.queries[$0].positives }
        let picked = try queries.rows(rows)
        guard let values else {
            return try await .measure(queries: picked, passages: passages, answers: answers, threads: threads)
        }
        let adapter = try Self.adapter(values, options, columns: queries.dimensions)
        let adapted = try adapter.applied(to: picked)
        let searched = options.scope == .everything ? try adapter.applied(to: passages) : passages
        return try await .measure(queries: adapted, passages: searched, answers: answers, threads: threads)
    }

    private static func adapter(
        _ values: [Float], _ options: AdapterOptions, columns: Int, model: Fingerprint? = nil,
        instruction: String? = nil, notes: [String: String] = [:]
    ) throws -> EmbeddingAdapter {
        try EmbeddingAdapter(
            model: model ?? Fingerprint("0000000000000000")!, dimensions: columns, rank: options.rank,
            scope: options.scope, instruction: instruction, notes: notes, down: Array(values[..<(values.count / 2)]),
            up: Array(values[(values.count / 2)...]))
    }

    // MARK: - Results

    /// The values of the best step; the last one's where no queries choose.
    private var result: [Float] { split.validation.isEmpty ? learned.values : learned.bestValues }

    /// Scores of the held-out queries without the adapter and with that of the best step.
    public func comparison() async throws -> Comparison {
        Comparison(
            before: try await score(nil, of: split.heldOut), after: try await score(result, of: split.heldOut),
            seed: options.seed)
    }

    /// How much the adapter turns the vector of a held-out query at most: 1 - cosine.
    public func largestChange() throws -> Double {
        let adapter = try Self.adapter(result, options, columns: queries.dimensions)
        return try split.heldOut.reduce(0) { largest, row in
            let vector = queries[row]
            let cosine = zip(vector, try adapter.applied(to: vector)).reduce(0) { $0 + Double($1.0) * Double($1.1) }
            return max(largest, 1 - cosine)
        }
    }

    /// Turns that are rounding and not learning.
    private static let leastChange = 1e-6

    /// The adapter of the best step. Throws `changesNothing` for one that leaves all vectors as they are.
    public func adapter(
        for model: Fingerprint, instruction: String? = nil, notes: [String: String] = [:]
    ) throws -> EmbeddingAdapter {
        let change = try largestChange()
        guard change > Self.leastChange else { throw TrainingError.changesNothing(largestChange: change) }
        return try Self.adapter(
            result, options, columns: queries.dimensions, model: model, instruction: instruction, notes: notes)
    }

    // MARK: - Interruptions

    /// Everything that the rest of the training depends on, by name.
    public var state: [String: [Float]] { learned.state }

    /// Goes on from the state of an earlier run of the same training. Throws `mismatch` for that of another one.
    public mutating func resume(_ history: TrainingHistory, _ state: [String: [Float]]) throws(TrainingError) {
        try learned.resume(history, state, stepLimit: stepCount)
    }
}

/// The rows of a batch, each once.
private struct BatchRows {
    private(set) var queries: [Int] = []
    private(set) var passages: [Int] = []
    private var numberOfQuery: [Int: Int] = [:]
    private(set) var numberOfPassage: [Int: Int] = [:]

    mutating func query(_ row: Int) -> Int { Self.number(row, &queries, &numberOfQuery) }

    mutating func passage(_ row: Int) -> Int { Self.number(row, &passages, &numberOfPassage) }

    private static func number(_ row: Int, _ rows: inout [Int], _ numbers: inout [Int: Int]) -> Int {
        if let number = numbers[row] { return number }
        numbers[row] = rows.count
        rows.append(row)
        return rows.count - 1
    }
}

extension EmbeddingAdapter {
    /// All rows with the change, in unit length. Throws `EmbeddingError` and `LinearError`.
    public func applied(to vectors: VectorMatrix) throws -> VectorMatrix {
        var builder = try VectorMatrixBuilder(dimensions: dimensions, capacity: vectors.count)
        for row in 0..<vectors.count { try builder.append(applied(to: vectors[row])) }
        return builder.finish()
    }
}
