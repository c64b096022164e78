// Order, schedule, history and state of a training.
import TestSupport
import Testing

@testable import Q3Training

@Suite struct RunTests {
    @Test func `each epoch has every example once, in an order of its own`() {
        let order = BatchOrder(count: 10, batchSize: 4, epochs: 3, seed: 5)
        #expect(order.stepsPerEpoch == 3 && order.stepCount == 9)
        let epochs = (0..<3).map { epoch in (0..<3).flatMap { order[epoch * 3 + $0] } }
        for epoch in epochs { #expect(epoch.sorted() == Array(0..<10)) }
        #expect(epochs[0] != epochs[1] && epochs[1] != epochs[2])
        #expect(BatchOrder(count: 10, batchSize: 4, epochs: 9, seed: 5)[7] == order[7])
        #expect(BatchOrder(count: 10, batchSize: 4, epochs: 3, seed: 6)[0] != order[0])
    }

    @Test func `rates rise, then fall to nothing`() {
        let linear = LearningRate(peak: 1, warmup: 0.2, stepCount: 10)
        #expect((0..<10).map { linear[$0] } == [0, 0.5, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125])
        let cosine = LearningRate(peak: 2, warmup: 0, stepCount: 4, decay: .cosine)
        #expect(cosine[0] == 2 && abs(cosine[2] - 1) < 1e-12 && cosine[3] < 0.3)
        #expect(LearningRate(peak: 2, warmup: 0, stepCount: 4, decay: .constant)[3] == 2)
    }

    @Test func `the first best score counts, and a loss that is not a number ends the training`() throws {
        var history = TrainingHistory()
        let first = history.add(score: 0.5)
        try history.add(loss: 2)
        let second = history.add(score: 0.6)
        try history.add(loss: 1)
        let third = history.add(score: 0.6)
        #expect(first && second && !third)
        #expect(history.best == .init(step: 1, value: 0.6))
        #expect(history.sparkline(8) == "█▁" && history.curve(1).map(\.loss) == [1.5])
        #expect(throws: TrainingError.notFinite(what: "the loss", step: 3)) { try history.add(loss: .nan) }
        #expect(TrainingHistory().sparkline(8).isEmpty)
    }

    @Test func `a state reads back as it was`() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/a.q3-tune"
        var history = TrainingHistory()
        _ = history.add(score: 0.25)
        for loss in [1.5, 1.25] { try history.add(loss: loss) }
        let state = Checkpoint(job: "{}", history: history, values: ["values": [1, -0.1], "mean": [3]])
        try state.write(to: path)
        #expect(try Checkpoint(path: path) == state)
        #expect(throws: TrainingError.self) { try Checkpoint(path: Fixture.path("tiny-embed-F32.gguf")) }
        #expect(throws: TrainingError.self) { try Checkpoint(path: "\(folder.path)/none") }
    }
}
