// Whole LoRA trainings of tiny models: what they may depend on, what they leave behind, and what they refuse.
import Q3Convert
import Q3Embedding
import Q3Linear
import Q3Model
import Q3Reranking
import TestSupport
import Testing

@testable import Q3Training

struct LoRATests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Queries that share words with their answers.
    private static var data: TrainingData {
        let topics = [
            "red apples", "cold rivers", "old books", "small birds", "fast trains", "green tea", "high walls",
            "warm bread",
        ]
        var data = TrainingData()
        for (index, topic) in topics.enumerated() {
            data.add(
                query: "where are \(topic)", positives: ["\(topic) are here, number \(index)"],
                negatives: ["\(topics[(index + 3) % topics.count]) are elsewhere"])
        }
        return data
    }

    private static var options: LoRAOptions {
        var options = LoRAOptions()
        (options.layers, options.rank, options.alpha) = (2, 4, 8)
        (options.epochs, options.batchSize, options.learningRate) = (3, 2, 2e-3)
        (options.tokenLimit, options.negatives) = (64, 1)
        options.loss.dimensions = [(64, 1), (32, 1)]
        return options
    }

    private static func split(validation: Double) throws -> DataSplit {
        var options = DataSplit.Options()
        (options.heldOut, options.validation) = (0.25, validation)
        return try DataSplit(of: data, options: options)
    }

    private func training(
        _ options: LoRAOptions = options, states: String = "states", start: LoRAAdapter? = nil,
        validation: Double = 0
    ) async throws -> LoRATraining {
        try await LoRATraining(
            Self.data, Self.split(validation: validation), embedder: Embedder(file: Fixture.model("tiny-embed-Q8_0")),
            statesPath: folder.file(states), start: start,
            options: options)
    }

    private func run(_ training: LoRATraining) async throws -> LoRATraining {
        var training = training
        while !training.isFinished { try await training.step() }
        return training
    }

    @Test func `a training has the same bits with any threads, memory and interruptions`() async throws {
        let whole = try await run(training(validation: 0.25))
        #expect(whole.history.losses.count == whole.stepCount)
        var options = Self.options
        (options.threads, options.keptByteLimit) = (1, 0)
        let other = try await run(training(options, states: "others", validation: 0.25))
        #expect(other.history == whole.history)
        #expect(other.state == whole.state)
        var first = try await training(validation: 0.25)
        for _ in 0..<4 { try await first.step() }
        var second = try await training(validation: 0.25)
        try second.resume(first.history, first.state)
        let resumed = try await run(second)
        #expect(resumed.history == whole.history)
        #expect(resumed.state == whole.state)
    }

    @Test func `a training lowers its loss and notes the best step`() async throws {
        var options = Self.options
        (options.epochs, options.learningRate) = (20, 1e-2)
        let done = try await run(training(options, validation: 0.25))
        let losses = done.history.losses
        let (first, last): (Double, Double) = (losses.prefix(4).reduce(0, +), losses.suffix(4).reduce(0, +))
        #expect(last < 0.7 * first)
        #expect(done.history.scores.count > 4)
        let best = try #require(done.history.best)
        #expect(done.history.scores.allSatisfy { $0.value <= best.value })
        let comparison = try await done.comparison()
        #expect(comparison.queryCount == 2)
    }

    @Test func `a reranker is trained by its answers`() async throws {
        var options = Self.options
        (options.layers, options.epochs, options.tokenLimit, options.loss.dimensions) = (nil, 12, 512, [])
        let done = try await run(
            LoRATraining(
                Self.data, Self.split(validation: 0), reranker: Reranker(file: Fixture.model("tiny-rerank-Q8_0")),
                statesPath: folder.file("states"), options: options))
        let losses = done.history.losses
        let (first, last): (Double, Double) = (losses.prefix(4).reduce(0, +), losses.suffix(4).reduce(0, +))
        #expect(last < 0.8 * first)
        let adapter = try await done.result()
        #expect(adapter.folder.config.contains("CAUSAL_LM"))
        #expect(adapter.folder.config.contains("\"q_proj\""))
        #expect(adapter.factors.count == 2 * Projection.allCases.count)
    }

    @Test func `an adapter comes back from its folder and can be gone on from`() async throws {
        let done = try await run(training())
        let adapter = try await done.result(baseName: "tiny")
        try adapter.write(to: folder.path)
        #expect(try folder.names().contains("adapter_model.safetensors"))
        let read = try LoRAAdapter(folder: folder.path)
        #expect(read.factors == adapter.factors)
        #expect(read.rank == 4 && read.alpha == 8)
        let next = try await training(start: read)
        let isTheSame = next.state["values"] == done.state["values"]
        #expect(isTheSame)
        var options = Self.options
        options.rank = 8
        await #expect(throws: TrainingError.self) { _ = try await training(options, start: read) }
    }

    @Test func `states are computed once and again for other texts or models`() async throws {
        var options = Self.options
        options.layers = 1
        _ = try await training(options)
        let first = try folder.read("states")
        _ = try await training(options)
        #expect(try folder.read("states") == first)
        options.stateType = .f32
        _ = try await training(options)
        #expect(try folder.read("states").count > first.count)
        try folder.write("states", Array("something else that someone may need".utf8))
        await #expect(throws: TrainingError.self) { _ = try await training(options) }
    }

    @Test func `states in sixteen bits are near those in thirty-two`() async throws {
        var options = Self.options
        options.layers = 1
        options.stateType = .f32
        let exact = try await run(training(options))
        options.stateType = .f16
        let rounded = try await run(training(options, states: "halves"))
        for (a, b) in zip(exact.history.losses, rounded.history.losses) { #expect(abs(a - b) < 1e-2) }
    }

    @Test func `an adapter that changes nothing is refused`() async throws {
        let begun = try await training()
        await #expect(throws: TrainingError.self) { _ = try await begun.result() }
    }

    @Test func `a loss that is not a number ends the training`() async throws {
        var options = Self.options
        (options.learningRate, options.warmup, options.gradientLimit, options.epochs) = (1e30, 0, nil, 20)
        let begun = try await training(options)
        await #expect(throws: TrainingError.self) { _ = try await run(begun) }
    }

    @Test(
        arguments: [
            { (o: inout LoRAOptions) in o.layers = 99 }, { $0.layers = 0 }, { $0.rank = 0 }, { $0.alpha = .nan },
            { $0.projections = [] }, { $0.epochs = 0 }, { $0.batchSize = 1 }, { $0.learningRate = -1 },
            { $0.warmup = 2 },
            { $0.gradientLimit = 0 }, { $0.negatives = -1 }, { $0.loss.temperature = 0 }, { $0.tokenLimit = 1 },
            { $0.chunkTokens = 1 }, { $0.loss.dimensions = [(65, 1)] },
        ] as [@Sendable (inout LoRAOptions) -> Void])
    func `options that cannot be are refused`(_ change: @Sendable (inout LoRAOptions) -> Void) async throws {
        var options = Self.options
        change(&options)
        await #expect(throws: TrainingError.self) { _ = try await training(options) }
    }
}
