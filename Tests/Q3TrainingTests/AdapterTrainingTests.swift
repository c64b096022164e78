// Adapters over made-up vectors: what they learn, and that nothing but the data decides the bits.
import Q3System
import Testing

@testable import Q3Training

/// Passages that are random, and queries that are their answers turned by one rotation of a few planes: what an adapter can undo.
private struct Sample {
    var data = TrainingData()
    let queries: VectorMatrix
    let passages: VectorMatrix
    let split: DataSplit

    init(count: Int = 120, columns: Int = 24, turned: Bool = true) throws {
        var random = SeededGenerator(seed: 7)
        func row() -> [Float] { (0..<columns).map { _ in Float.random(in: -1...1, using: &random) } }
        var (queries, passages): ([[Float]], [[Float]]) = ([], [])
        for number in 0..<count {
            let passage = row()
            var query = zip(passage, row()).map { $0 + 0.6 * $1 }
            if turned { for plane in 0..<4 { query.swapAt(plane, plane + 4) } }
            queries.append(query)
            passages.append(passage)
            data.add(query: "question \(number)", positives: ["answer \(number)"])
        }
        self.queries = try VectorMatrix(queries).normalized()
        self.passages = try VectorMatrix(passages).normalized()
        split = try DataSplit(of: data)
    }

    func training(_ change: (inout AdapterOptions) -> Void = { _ in }) async throws -> AdapterTraining {
        var options = AdapterOptions()
        (options.rank, options.epochs, options.batchSize, options.learningRate) = (8, 12, 32, 0.01)
        change(&options)
        return try await AdapterTraining(data, split, queries: queries, passages: passages, options: options)
    }
}

extension AdapterTraining {
    fileprivate mutating func finish(steps: Int = .max) async throws {
        while !isFinished, stepsTaken < steps { try await step() }
    }
}

@Suite struct AdapterTrainingTests {
    private let model = Fingerprint("0123456789abcdef")!

    @Test func `an adapter learns a turn, and held-out queries gain`() async throws {
        var training = try await Sample().training()
        try await training.finish()
        let figures = try await training.comparison()
        #expect(figures.verdict == .gain && figures.after.mean > figures.before.mean + 0.05)
        #expect(training.history.losses.last! < training.history.losses[0])
        let adapter = try training.adapter(for: model)
        #expect(adapter.rank == 8 && adapter.dimensions == 24 && adapter.scope == .queries)
    }

    @Test func `threads and interruptions change no bit`() async throws {
        let sample = try Sample()
        var whole = try await sample.training { $0.threads = 1 }
        try await whole.finish()
        var first = try await sample.training { $0.threads = 2 }
        try await first.finish(steps: 7)
        var second = try await sample.training { $0.threads = 2 }
        try second.resume(first.history, first.state)
        try await second.finish()
        #expect(whole.state == second.state && whole.history == second.history)
        #expect(try whole.adapter(for: model) == second.adapter(for: model))
    }

    @Test func `passages are changed too where that is asked for`() async throws {
        var training = try await Sample().training { $0.scope = .everything }
        try await training.finish()
        let adapter = try training.adapter(for: model)
        #expect(adapter.scope == .everything && model.adapted(by: adapter) != model)
    }

    @Test func `vectors cut to fewer values are learned for`() async throws {
        var training = try await Sample().training { $0.loss.dimensions = [(24, 1), (8, 1)] }
        try await training.finish()
        #expect(try await training.comparison().verdict == .gain)
    }

    @Test func `an adapter that changes nothing is refused`() async throws {
        let training = try await Sample().training()
        #expect(throws: TrainingError.self) { try training.adapter(for: model) }
    }

    @Test func `queries that need no adapter show no gain`() async throws {
        var training = try await Sample(turned: false).training { $0.epochs = 3 }
        try await training.finish()
        #expect(try await training.comparison().verdict != .gain)
    }

    @Test func `wrong options and vectors are refused`() async throws {
        let sample = try Sample()
        for change: @Sendable (inout AdapterOptions) -> Void in [
            { $0.rank = 25 }, { $0.rank = 0 }, { $0.epochs = 0 }, { $0.batchSize = 1 }, { $0.learningRate = .nan },
            { $0.loss.temperature = 0 }, { $0.loss.dimensions = [(25, 1)] }, { $0.minedNegatives = -1 },
        ] {
            await #expect(throws: TrainingError.self) { try await sample.training(change) }
        }
        await #expect(throws: TrainingError.self) {
            try await AdapterTraining(
                sample.data, sample.split, queries: sample.passages.rows([0]), passages: sample.passages)
        }
    }

    @Test func `a learning rate that is too large stops the training with its step`() async throws {
        var training = try await Sample().training { $0.learningRate = 1e30 }
        await #expect(throws: TrainingError.self) { try await training.finish() }
    }

    @Test func `the state of another training is refused`() async throws {
        let sample = try Sample()
        let other = try await sample.training { $0.rank = 4 }
        var training = try await sample.training()
        #expect(throws: TrainingError.self) { try training.resume(other.history, other.state) }
    }
}
