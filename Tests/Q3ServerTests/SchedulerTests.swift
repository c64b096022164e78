// Batches across requests: the same bits in any batch, fair shares, and nothing computed for clients that left.
#if Server
import Dispatch
import Q3Embedding
import Q3Model
import TestSupport
import Testing

@testable import Q3Server

@Suite struct BatchPlanTests {
    private func request(_ lengths: [Int], first: Int32 = 0) -> PendingLists {
        // Lists that share nothing, in order.
        PendingLists(lengths.enumerated().map { [first + Int32($0)] + Array(repeating: 7, count: $1 - 1) })
    }

    @Test func `small requests are in the next batch`() {
        var requests = [request(Array(repeating: 10, count: 100)), request([20]), request([20])]
        let picked = BatchPlan.pick(from: &requests, tokenLimit: 300)
        #expect(picked.map(\.tokenCount) == [260, 20, 20])
        #expect(picked.map(\.indices.count) == [26, 1, 1])
    }

    @Test func `a list longer than the limit runs alone in its turn`() {
        var requests = [request([1000]), request([20])]
        #expect(BatchPlan.pick(from: &requests, tokenLimit: 300).map(\.tokenCount) == [0, 20])
        #expect(BatchPlan.pick(from: &requests, tokenLimit: 300).map(\.tokenCount) == [1000, 0])
    }

    @Test func `shared prefixes cost nothing`() {
        var requests = [PendingLists([[1, 2, 3, 4], [1, 2, 3, 5], [1, 2, 3, 6]])]
        #expect(BatchPlan.pick(from: &requests, tokenLimit: 6).map(\.tokenCount) == [6])
    }

    @Test(arguments: 0..<50) func `every list runs once`(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var requests = (0..<Int.random(in: 1...8, using: &random)).map { number in
            request(
                (0..<Int.random(in: 1...30, using: &random)).map { _ in Int.random(in: 1...90, using: &random) },
                first: Int32(number * 100))
        }
        var runs = requests.map { Array(repeating: 0, count: $0.lists.count) }
        var batches = 0
        while requests.contains(where: { !$0.waiting.isEmpty }) {
            let picked = BatchPlan.pick(from: &requests, tokenLimit: 64)
            batches += 1
            #expect(picked.contains { !$0.indices.isEmpty })
            let total = picked.reduce(0) { $0 + $1.tokenCount }
            #expect(total <= 64 || picked.reduce(0) { $0 + $1.indices.count } == 1)
            for (request, part) in picked.enumerated() {
                if Bool.random(using: &random), batches < 100 {
                    requests[request].putBack(part.indices)  // its batch was given up
                } else {
                    part.indices.forEach { runs[request][$0] += 1 }
                }
            }
        }
        #expect(runs.allSatisfy { $0.allSatisfy { $0 == 1 } })
    }
}

@Suite struct BatchSchedulerTests {
    private func lists(_ seed: Int, count: Int) -> [[Int32]] {
        (0..<count).map { list in
            (0...(seed * 7 + list * 5) % 40).map { Int32((seed * 31 + list * 17 + $0 * 3) % 500) }
        }
    }

    private var far: ContinuousClock.Instant { .now + .seconds(600) }

    @Test func `a list has the same bits in any batch as alone`() async throws {
        let server = try TestServer { $0.batchTokens = 100 }
        let model = server.embedder.model
        let scheduler = server.backend.scheduler
        try await withThrowingTaskGroup(of: (Int, [[Float]]).self) { tasks in
            for seed in 0..<40 {
                let lists = lists(seed, count: 1 + seed % 9)
                tasks.addTask {
                    (
                        seed,
                        try await scheduler.states(of: lists, model: model, deadline: .now + .seconds(600)).states
                    )
                }
            }
            for try await (seed, states) in tasks {
                for (list, state) in zip(lists(seed, count: 1 + seed % 9), states) {
                    #expect(try await model.lastHiddenStates(of: [list]) == [state], "request \(seed)")
                }
            }
        }
    }

    @Test func `a cancelled request is forgotten and the others are right`() async throws {
        let server = try TestServer { $0.batchTokens = 256 }
        let model = server.embedder.model
        let scheduler = server.backend.scheduler
        let hold = await Hold(model)
        defer { hold.release() }
        let leaver = Task {
            try await scheduler.states(of: lists(3, count: 2000), model: model, deadline: far)
        }
        await scheduler.startsBatches(1)
        let stayer = Task { try await scheduler.states(of: lists(4, count: 9), model: model, deadline: far) }
        leaver.cancel()
        await #expect(throws: CancellationError.self) { try await leaver.value }
        hold.release()
        let states = try await stayer.value.states
        for (list, state) in zip(lists(4, count: 9), states) {
            #expect(try await model.lastHiddenStates(of: [list]) == [state])
        }
    }

    /// The long text is in the model when the short ones come, and they are handed to it all the same.
    @Test func `a long text lets others pass`() async throws {
        let server = try TestServer { $0.batchTokens = 300 }
        let model = server.embedder.model
        let scheduler = server.backend.scheduler
        let long = (0..<6000).map { Int32($0 % 499) }
        let hold = await Hold(model)
        defer { hold.release() }
        let first = Task { try await scheduler.states(of: [long], model: model, deadline: far).states }
        await scheduler.startsBatches(1)
        let second = Task {
            try await scheduler.states(of: lists(4, count: 9), model: model, deadline: far).states
        }
        await scheduler.startsBatches(2)
        hold.release()
        let alone = try await model.lastHiddenStates(of: [long])
        #expect(try await first.value == alone)
        for (list, state) in zip(lists(4, count: 9), try await second.value) {
            #expect(try await model.lastHiddenStates(of: [list]) == [state])
        }
    }

    @Test func `a passed deadline is an error`() async throws {
        let server = try TestServer()
        let scheduler = server.backend.scheduler
        await #expect(throws: APIError.self) {
            try await scheduler.states(of: lists(1, count: 2000), model: server.embedder.model, deadline: .now)
        }
        #expect(
            try await scheduler.states(of: lists(1, count: 1), model: server.embedder.model, deadline: far).states
                .count == 1)
    }

    @Test func `a full queue refuses and an empty one takes anything`() async throws {
        let server = try TestServer { $0.queuedTokenLimit = 10 }
        let model = server.embedder.model
        let scheduler = server.backend.scheduler
        let hold = await Hold(model)
        defer { hold.release() }
        let first = Task { try await scheduler.states(of: lists(3, count: 3000), model: model, deadline: far) }
        await scheduler.startsBatches(1)
        do {
            _ = try await scheduler.states(of: lists(1, count: 3), model: model, deadline: far)
            Issue.record("let in")
        } catch let fault as APIError {
            guard case .overloaded(let seconds) = fault.kind else { throw fault }
            #expect((1...60).contains(seconds))
        }
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
    }

    @Test func `an empty request needs no batch`() async throws {
        let server = try TestServer()
        let none = try await server.backend.scheduler.states(of: [], model: server.embedder.model, deadline: far)
        #expect(none.states.isEmpty)
    }
}

/// Keeps the thread that computes busy until it is released, so that what is handed in by then can be looked at.
private final class Hold: Sendable {
    private let gate = DispatchSemaphore(value: 0)

    init(_ model: Qwen3Model) async {
        let (begun, begin) = AsyncStream.makeStream(of: Void.self)
        Task { [gate] in
            _ = try await model.lastHiddenStates(of: [[1]]) { _ in
                begin.yield()
                gate.wait()
                gate.signal()
            }
        }
        for await _ in begun { break }
    }

    func release() { gate.signal() }
}

extension BatchScheduler {
    /// Returns when that many batches are in the model. To be used while a `Hold` keeps them there.
    fileprivate func startsBatches(_ count: Int) async {
        while runningBatches < count { try? await Task.sleep(for: .milliseconds(1)) }
    }
}
#endif
