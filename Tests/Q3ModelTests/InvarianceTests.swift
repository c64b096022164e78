// A text's hidden state has the same bits alone, in any batch and order, on any number of threads and instruction set.

import Q3Kernels
import Synchronization
import TestSupport
import Testing

@testable import Q3Model

struct InvarianceTests {
    /// The reference's texts, and more that begin as others do: a double, a prefix, and two that part in the middle.
    private func lists(_ tiny: Tiny) throws -> [[Int32]] {
        let lists = try tiny.golden.lists
        let long = lists.max { $0.count < $1.count }!
        let parted = [Array(long.prefix(65)) + [3, 1, 4], Array(long.prefix(65)) + [1, 5, 9]]
        return lists + [lists[0], Array(lists[0].prefix(5)), long] + parted
    }

    /// Each list in a call of its own.
    private func alone(_ model: Qwen3Model, _ lists: [[Int32]]) async throws -> [[UInt32]] {
        var states: [[Float]] = []
        for list in lists { states += try await model.lastHiddenStates(of: [list]) }
        return states.bits
    }

    @Test(arguments: Tiny.allCases, Precision.allCases)
    func `batches, threads and sharing change no bit`(_ tiny: Tiny, _ precision: Precision) async throws {
        let lists = try lists(tiny)
        let truth = try await alone(tiny.model(precision), lists)
        #expect(truth.allSatisfy { $0.allSatisfy { Float(bitPattern: $0).isFinite } })
        let variants: [(String, Qwen3Model)] = try [
            ("together", tiny.model(precision)),
            ("2 threads", tiny.model(precision, threads: 2)),
            ("3 threads", tiny.model(precision, threads: 3)),
            ("no sharing", tiny.model(precision, sharing: false)),
            ("batches of 64", tiny.model(precision, threads: 2, batchTokens: 64)),
            ("batches of 1", tiny.model(precision, batchTokens: 1)),
        ]
        for (name, model) in variants {
            let same = try await model.lastHiddenStates(of: lists).bits == truth
            #expect(same, "\(name)")
        }
        var random = SeededGenerator(seed: 61)
        let order = lists.indices.shuffled(using: &random)
        let same = try await variants[0].1.lastHiddenStates(of: order.map { lists[$0] }).bits == order.map { truth[$0] }
        #expect(same, "permuted")
    }

    /// Kept panels give the bits of fresh ones: while they are filled, when all are there, and when only some fit. With 8 threads
    /// and 128 tokens several threads want one panel at once.
    @Test(arguments: Tiny.allCases, Precision.allCases)
    func `weights kept packed change no bit`(_ tiny: Tiny, _ precision: Precision) async throws {
        var random = SeededGenerator(seed: 68)
        let lists = [random.ids(5), random.ids(21), random.ids(130), random.ids(1)]
        let truth = try await alone(tiny.model(precision), lists)
        for (threads, bytes) in [(1, 1 << 40), (8, 1 << 40), (2, 1 << 16)] {
            let model = try tiny.model(precision, threads: threads, packedBytes: bytes)
            for round in 0..<3 {
                let same = try await alone(model, lists) == truth
                #expect(same, "\(threads) threads, \(bytes) bytes, round \(round)")
            }
        }
        for isa in ISA.available {
            let model = try tiny.model(precision, packedBytes: 1 << 40, isa: isa)
            for _ in 0..<2 {
                let same = try await alone(model, Array(lists.prefix(2))) == Array(truth.prefix(2))
                #expect(same, "\(isa)")
            }
        }
    }

    /// Urgent lists run between the blocks of a long one that has begun, and neither changes the other.
    @Test(arguments: Tiny.allCases, Precision.allCases)
    func `urgent lists in the middle of a long one change no bit`(_ tiny: Tiny, _ precision: Precision) async throws {
        var random = SeededGenerator(seed: 67)
        let long = random.ids(1700)
        let short = (1...6).map { random.ids(7 * $0) } + [Array(long.prefix(40))]
        let model = try tiny.model(precision, threads: 2)
        let truth = try await alone(model, [long] + short)
        let thread = try InferenceThread.shared()
        let urgent = Mutex<Task<[[Float]], any Error>?>(nil)
        let hasUrgentRun = Switch()
        let ranInTheMiddle = Switch()
        let states = try await model.lastHiddenStates(of: [long], isUrgent: false) { _ in
            urgent.withLock { task in
                guard task == nil else { return }
                task = Task {
                    try await model.lastHiddenStates(of: short, isUrgent: true) { _ in
                        hasUrgentRun.set()
                    }
                }
            }
            if hasUrgentRun.isSet {
                ranInTheMiddle.set()
            } else {
                while !thread.hasUrgentJobs {}  // until it is handed in, or another test's is
            }
        }
        let others = try await #require(urgent.withLock { $0 }).value
        #expect(ranInTheMiddle.isSet)
        let same = states.bits == [truth[0]] && others.bits == Array(truth[1...])
        #expect(same)
    }

    private final class Switch: Sendable {
        private let value = Atomic(false)
        var isSet: Bool { value.load(ordering: .relaxed) }
        func set() { value.store(true, ordering: .relaxed) }
    }

    @Test(arguments: Tiny.allCases, Precision.allCases)
    func `all instruction sets give the same bits`(_ tiny: Tiny, _ precision: Precision) async throws {
        let lists = Array(try tiny.golden.lists.filter { $0.count < 40 }.prefix(6))
        let truth = try await tiny.model(precision, isa: .scalar).lastHiddenStates(of: lists).bits
        for isa in ISA.available {
            let same = try await tiny.model(precision, isa: isa).lastHiddenStates(of: lists).bits == truth
            #expect(same, "\(isa)")
        }
    }

    /// Texts of more than one 512-token block and many 64-key blocks. Beside others, their rows begin elsewhere, so the
    /// blocks are cut at other places.
    @Test(arguments: Tiny.allCases, Precision.allCases)
    func `long texts have the same bits in any batch`(_ tiny: Tiny, _ precision: Precision) async throws {
        var random = SeededGenerator(seed: 62)
        let long = random.ids(1300)
        let lists = [
            long, Array(long.prefix(700)) + random.ids(33), random.ids(61), Array(long.prefix(513)), long + [7],
        ]
        let truth = try await alone(tiny.model(precision, threads: 2), lists)
        let variants: [(String, Qwen3Model)] = try [
            ("together", tiny.model(precision, threads: 2)),
            ("no sharing", tiny.model(precision, threads: 1, sharing: false)),
            ("batches of 1301", tiny.model(precision, threads: 3, batchTokens: 1301)),
        ]
        for (name, model) in variants {
            let same = try await model.lastHiddenStates(of: lists).bits == truth
            #expect(same, "\(name)")
        }
    }

    /// As above on the other instruction sets, the plain loops of the scalar kernels among them.
    @Test(arguments: [Tiny.f32, .q8_0, .q4_0])
    func `long texts have the same bits on all instruction sets`(_ tiny: Tiny) async throws {
        var random = SeededGenerator(seed: 63)
        let long = random.ids(1300)
        let lists = [long, Array(long.prefix(601)) + random.ids(30)]
        let truth = try await tiny.model(threads: 2, isa: .best).lastHiddenStates(of: lists).bits
        for isa in ISA.available where isa != .best {
            let same = try await tiny.model(threads: 2, isa: isa).lastHiddenStates(of: lists).bits == truth
            #expect(same, "\(isa)")
        }
    }

    /// A prefix cache changes no bit: while it learns, when it answers, and when it must forget.
    @Test(arguments: [Tiny.f32, .q8_0, .q4_K_M], [1 << 14, 1 << 18, 1 << 24])
    func `the prefix cache changes no bit`(_ tiny: Tiny, _ cacheBytes: Int) async throws {
        var random = SeededGenerator(seed: 64)
        let trunk = random.ids(300)
        // Beginnings around the shortest that is kept, key blocks and the trunk's end; then a text that is a beginning.
        let lengths = [15, 16, 17, 40, 63, 64, 65, 128, 299, 300]
        let lists = lengths.map { trunk.prefix($0) + random.ids(5) } + [Array(trunk.prefix(64)), trunk]
        let truth = try await alone(tiny.model(), lists)
        let model = try tiny.model(threads: 2, cacheBytes: cacheBytes)
        for round in 0..<3 {
            for index in lists.indices.shuffled(using: &random) {
                let same = try await model.lastHiddenStates(of: [lists[index]]).bits == [truth[index]]
                #expect(same, "round \(round), list \(index)")
            }
            let same = try await model.lastHiddenStates(of: lists).bits == truth
            #expect(same, "round \(round), all")
        }
        let plain = try tiny.model(sharing: false, cacheBytes: cacheBytes)
        for _ in 0..<2 {
            let same = try await plain.lastHiddenStates(of: lists).bits == truth
            #expect(same, "no sharing")
        }
    }

    /// Several callers of several models at once get what each gets alone.
    @Test func `concurrent callers get the same bits`() async throws {
        let models = try [Tiny.q8_0.model(threads: 2), Tiny.q4_0.model(threads: 1), Tiny.f16.model(threads: 3)]
        let lists = Array(try Tiny.q8_0.golden.lists.prefix(8))
        var truth: [[[UInt32]]] = []
        for model in models { truth.append(try await model.lastHiddenStates(of: lists).bits) }
        try await withThrowingTaskGroup(of: (Int, [[UInt32]]).self) { group in
            for caller in 0..<12 {
                group.addTask { (caller % 3, try await models[caller % 3].lastHiddenStates(of: lists).bits) }
            }
            for try await (model, bits) in group {
                let same = bits == truth[model]
                #expect(same, "model \(model)")
            }
        }
    }
}
