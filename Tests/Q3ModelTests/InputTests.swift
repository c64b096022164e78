// Inputs that cannot be run, cancellation, progress, and a file that changes under the model.

import FoundationEssentials
import Q3GGUF
import Q3Model
import Q3System
import Synchronization
import TestSupport
import Testing

struct InputTests {
    @Test func `an empty batch gives nothing`() async throws {
        let states = try await Tiny.q8_0.model().lastHiddenStates(of: [])
        #expect(states.isEmpty)
    }

    @Test(
        arguments: [
            ([], .emptyInput(index: 1)),
            ([-1], .tokenOutOfRange(index: 1, token: -1, vocabularySize: 506)),
            ([0, 506], .tokenOutOfRange(index: 1, token: 506, vocabularySize: 506)),
            ([.max, .min], .tokenOutOfRange(index: 1, token: .max, vocabularySize: 506)),
            ([Int32](repeating: 1, count: 32_769), .inputTooLong(index: 1, tokenCount: 32_769, limit: 32_768)),
        ] as [([Int32], ModelError)])
    func `bad inputs are refused`(_ list: [Int32], _ expected: ModelError) async throws {
        let model = try Tiny.q8_0.model()
        await #expect(throws: expected) { try await model.lastHiddenStates(of: [[1], list, [2]]) }
        await #expect(throws: expected) { try await model.trace([[1], list, [2]]) { _ in } }
        #expect(expected.description.contains("input 1"))
    }

    @Test func `a text may fill the context`() async throws {
        var file = try ModelCopy.tiny()
        file["qwen3.context_length"] = .uint32(8)
        let model = try Qwen3Model(file: file.open())
        let ids: [Int32] = [0, 505, 1, 2, 3, 4, 5, 6]
        let states = try await model.lastHiddenStates(of: [ids])
        #expect(states[0].allSatisfy { $0.isFinite })
        await #expect(throws: ModelError.inputTooLong(index: 0, tokenCount: 9, limit: 8)) {
            try await model.lastHiddenStates(of: [ids + [7]])
        }
    }

    @Test(arguments: [Int.min, -1, 0, 513, .max])
    func `thread counts are checked`(_ count: Int) throws {
        #expect(throws: ModelError.badThreadCount(count)) { try Tiny.q8_0.model(threads: count) }
    }

    /// Limits that make no sense still give each text its pass.
    @Test(arguments: [Int.min, -1, 0, 1, .max])
    func `any batch limit works`(_ limit: Int) async throws {
        let lists: [[Int32]] = [[1, 2, 3], [1, 2], [4]]
        let states = try await Tiny.q8_0.model(batchTokens: limit).lastHiddenStates(of: lists)
        #expect(try await states.bits == Tiny.q8_0.model().lastHiddenStates(of: lists).bits)
    }

    // MARK: - Progress and cancellation

    @Test func `progress counts tokens`() async throws {
        let model = try Tiny.q8_0.model(batchTokens: 10)
        let seen = Log()
        _ = try await model.lastHiddenStates(of: [[1, 2, 3, 4, 5, 6], [2, 3], [4, 5, 6, 7, 8, 9, 10]]) { done in
            seen.append(done.completed)
        }
        let counts = seen.counts
        #expect(counts == counts.sorted() && counts.last == 15 && counts.allSatisfy { 0...15 ~= $0 })
        #expect(counts.contains(8))  // the first two texts are a batch
    }

    @Test func `a task that was cancelled before does not run`() async throws {
        let model = try Tiny.q8_0.model()
        let task = Task {
            unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
            return try await model.lastHiddenStates(of: [[1, 2, 3]])
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(try await model.lastHiddenStates(of: [[1, 2, 3]]).count == 1)
    }

    /// The inference thread is held in the first layer until the task is cancelled; the second layer is never run.
    @Test func `cancellation stops before the next block of tokens`() async throws {
        let model = try Tiny.q8_0.model()
        let expected = try await model.lastHiddenStates(of: [[1, 2, 3]]).bits
        let (started, start) = AsyncStream.makeStream(of: Void.self)
        let seen = Log()
        let gate = Gate()
        await withThrowingTaskGroup(of: [[Float]].self) { group in
            group.addTask {
                try await model.lastHiddenStates(of: [[1, 2, 3], [4, 5, 6, 7]]) { done in
                    seen.append(done.completed)
                    start.yield()
                    while !gate.isOpen.load(ordering: .acquiring) {}
                }
            }
            for await _ in started { break }
            group.cancelAll()
            gate.isOpen.store(true, ordering: .releasing)
            await #expect(throws: CancellationError.self) { try await group.next() }
        }
        #expect(seen.counts == [0])
        #expect(try await model.lastHiddenStates(of: [[1, 2, 3]]).bits == expected)
    }

    private final class Gate: Sendable {
        let isOpen = Atomic(false)
    }

    private final class Log: Sendable {
        private let list = Mutex<[Int]>([])
        var counts: [Int] { list.withLock { $0 } }
        func append(_ count: Int) { list.withLock { $0.append(count) } }
    }

    // MARK: - The file

    /// A cut file would kill the process when its pages are read; it is noticed first.
    @Test func `a file that changed is refused`() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("model.gguf", Data(contentsOf: URL(filePath: Fixture.path("tiny-embed-Q8_0.gguf"))))
        let model = try Qwen3Model(file: GGUFFile(path: path))
        #expect(try await model.lastHiddenStates(of: [[1]]).count == 1)
        #expect(unsafe truncate(path, 4096) == 0)
        await #expect(throws: GGUFError.changed(path: path)) { try await model.lastHiddenStates(of: [[1]]) }
    }
}
