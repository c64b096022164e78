// Models with a wrong bit anywhere in their header, numbers that overflow, odd places in the file, and files that
// change while a pass runs.

import FoundationEssentials
import Q3GGUF
import Q3System
import TestSupport
import Testing

@testable import Q3Model

struct HostileModelTests {
    /// Each bit of the header flipped: the file is refused, or it loads and runs.
    @Test func `a wrong bit anywhere in the header is refused or harmless`() async throws {
        let folder = try TemporaryFolder()
        var copy = try ModelCopy.tiny()
        copy.keepLayers(1)
        let path = folder.file("model.gguf")
        try copy.write(to: path)
        let start = try #require(GGUFFile(path: path).tensors.map(\.offset).min())
        let handle = unsafe open(path, O_RDWR | O_CLOEXEC)
        defer { close(handle) }
        let header = Array(try folder.read("model.gguf").prefix(start))
        var refused = 0
        for bit in 0..<start * 8 {
            var byte = header[bit / 8] ^ 1 << (bit % 8)
            try #require(unsafe pwrite(handle, &byte, 1, off_t(bit / 8)) == 1)
            do {
                var options = ModelOptions()
                options.threads = 1
                let states = try await Qwen3Model(file: GGUFFile(path: path), options: options)
                    .lastHiddenStates(of: [[1, 2, 3]])
                #expect(states.count == 1)
            } catch {
                #expect(error is GGUFError || error is ModelError, "bit \(bit): \(error)")
                refused += 1
            }
            byte = header[bit / 8]
            try #require(unsafe pwrite(handle, &byte, 1, off_t(bit / 8)) == 1)
        }
        #expect(refused > start * 4)
    }

    /// Weights far too large: a state has the ordinary length that the last norm gives, or shows what happened by a
    /// value that is not a finite number or by nothing but zeros, which no head takes.
    @Test(arguments: [Tiny.f32, .f16, .bf16], Precision.allCases)
    func `huge weights give a usable state or one that heads refuse`(_ tiny: Tiny, _ precision: Precision) async throws
    {
        for factor: Float in [1e4, 1e12, 1e30] {
            var copy = try ModelCopy(of: tiny.name, tokenizer: false)
            for name in copy.tensors.map(\.name) where !name.contains("norm") {
                copy.edit(name) { $0.scale(by: factor) }
            }
            var options = ModelOptions()
            options.precision = precision
            let model = try Qwen3Model(file: copy.open(), options: options)
            let lists: [[Int32]] = [[1, 2, 3], [40, 5, 6, 7, 8, 9], [7]]
            let states = try await model.lastHiddenStates(of: lists)
            for (list, state) in zip(lists, states) {
                let isOrdinary = state.contains { abs($0) > 1e-3 } && state.allSatisfy(\.isFinite)
                let isRefused = state.contains { !$0.isFinite } || state.allSatisfy { $0 == 0 }
                #expect(isOrdinary || isRefused, "\(factor): \(list)")
                #expect(try await model.lastHiddenStates(of: [list]).bits == [state].bits, "\(factor): \(list)")
            }
        }
    }

    /// A hundred calls in all shapes: alone and together, in any order, on any number of threads.
    @Test func `a hundred equal texts have equal bits`() async throws {
        let lists = try Tiny.q8_0.golden.lists.filter { $0.count < 100 }
        let models = try (1...4).map { try Tiny.q8_0.model(threads: $0) }
        let truth = try await models[0].lastHiddenStates(of: lists).bits
        var random = SeededGenerator(seed: 71)
        for _ in 0..<100 {
            let count = Int.random(in: 1...lists.count, using: &random)
            let chosen = Array(lists.indices.shuffled(using: &random).prefix(count))
            let model = try #require(models.randomElement(using: &random))
            let states = try await model.lastHiddenStates(of: chosen.map { lists[$0] }).bits
            #expect(states == chosen.map { truth[$0] })
        }
    }

    /// Tensor data may begin at any byte of the file.
    @Test(arguments: [Tiny.f32, .f16, .q8_0, .q4_K_M]) func `misaligned tensors are read`(_ tiny: Tiny) async throws {
        let lists: [[Int32]] = [[1, 2, 3], [4, 5]]
        let truth = try await tiny.model().lastHiddenStates(of: lists).bits
        var remainders: Set<Int> = []
        for shift in 0..<4 {
            var copy = try ModelCopy(of: tiny.name, tokenizer: false)
            copy["general.alignment"] = .uint32(1)
            copy["shift"] = .string(String(repeating: "x", count: shift))
            let file = try copy.open()
            remainders.insert(try #require(file.tensors.first).offset % 4)
            let states = try await Qwen3Model(file: file).lastHiddenStates(of: lists).bits
            #expect(states == truth, "shifted by \(shift)")
        }
        #expect(remainders == [0, 1, 2, 3])
    }

    // MARK: - Limits

    /// A hostile file may claim four thousand million positions; a text of so many is refused before it costs anything.
    @Test func `a huge context length is cut`() async throws {
        var copy = try ModelCopy.tiny()
        copy["qwen3.context_length"] = .uint32(.max)
        let model = try Qwen3Model(file: copy.open())
        #expect(model.config.contextLength == Qwen3Config.contextLimit)
        let count = Qwen3Config.contextLimit + 1
        await #expect(
            throws: ModelError.inputTooLong(index: 0, tokenCount: count, limit: Qwen3Config.contextLimit)
        ) { try await model.lastHiddenStates(of: [[Int32](repeating: 1, count: count)]) }
    }

    @Test func `a huge vocabulary is refused`() throws {
        var copy = try ModelCopy.tiny()
        copy["qwen3.embedding_length"] = .uint32(32)
        copy.edit("token_embd.weight") { $0.reshape([32, Qwen3Config.vocabularyLimit + 1]) }
        let error = try copy.errorOfLoading() as? ModelError
        guard case .badShape("token_embd.weight", _, _) = error else {
            Issue.record("gave \(error as Any)")
            return
        }
    }

    // MARK: - The file under a running pass

    private static let changes: [(name: String, change: @Sendable (String) -> Bool)] = [
        ("grown", { unsafe truncate($0, 1 << 20) == 0 }),
        (
            "overwritten",
            { path in
                let handle = unsafe open(path, O_WRONLY)
                defer { close(handle) }
                return unsafe pwrite(handle, "GGUF", 4, 0) == 4
            }
        ),
    ]

    /// What is written while layers run could reach the result, so there is none.
    @Test(arguments: changes.indices) func `a change during the pass is noticed`(_ index: Int) async throws {
        let folder = try TemporaryFolder()
        try ModelCopy.tiny().write(to: folder.file("model.gguf"))
        let path = folder.file("model.gguf")
        let model = try Qwen3Model(file: GGUFFile(path: path))
        await #expect(throws: GGUFError.changed(path: path)) {
            try await model.lastHiddenStates(of: [[1, 2, 3]]) { done in
                if done.completed > 0 { #expect(Self.changes[index].change(path)) }
            }
        }
    }

    // MARK: - Models come and go

    #if os(Linux)
    /// Kilobytes in a line of /proc/self/status.
    private static func status(_ name: String) throws -> Int {
        let text = String(decoding: try Data(contentsOf: URL(filePath: "/proc/self/status")), as: UTF8.self)
        let line = text.split(separator: "\n").first { $0.hasPrefix(name + ":") }
        return try #require(line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) })
    }

    /// A text whose scratch the system does not give: an error, and the next text is computed.
    @Test func `scratch that does not fit is an error`() async {
        await #expect(processExitsWith: .success) {
            var copy = try ModelCopy.tiny()
            copy["qwen3.context_length"] = .uint32(.max)
            var options = ModelOptions()
            options.threads = 1
            let model = try Qwen3Model(file: copy.open(), options: options)
            let truth = try await model.lastHiddenStates(of: [[1, 2, 3]]).bits
            let bytes = rlim_t(try Self.status("VmSize") * 1024 + 72 << 20)
            var limit = rlimit(rlim_cur: bytes, rlim_max: bytes)
            #expect(unsafe setrlimit(__rlimit_resource_t(9), &limit) == 0)  // RLIMIT_AS
            let error = await #expect(throws: ModelError.self) {
                try await model.lastHiddenStates(of: [[Int32](repeating: 1, count: 120_000)])
            }
            guard case .outOfMemory(let byteCount) = error else {
                Issue.record("gave \(error as Any)")
                return
            }
            #expect(byteCount > 72 << 20)
            #expect(try await model.lastHiddenStates(of: [[1, 2, 3]]).bits == truth)
        }
    }

    /// Runs in a process of its own: a thousand models are made, run and freed without growing it.
    @Test func `a thousand models leak no memory`() async {
        await #expect(processExitsWith: .success) {
            let file = try Fixture.model(Tiny.q8_0.name)
            func run(_ count: Int) async throws {
                for index in 0..<count {
                    var options = ModelOptions()
                    options.threads = 1 + index % 2
                    options.prefixCacheBytes = index % 3 == 0 ? 1 << 20 : 0
                    let model = try Qwen3Model(file: file, options: options)
                    let states = try await model.lastHiddenStates(of: [[1, 2, 3], [1, 2, 4]])
                    #expect(states.count == 2)
                }
            }
            try await run(200)
            let before = try Self.status("RssAnon")
            try await run(1000)
            #expect(try Self.status("RssAnon") - before < 2048)
        }
    }
    #endif
}

extension ModelCopy {
    /// Drops all layers but the first `count`.
    fileprivate mutating func keepLayers(_ count: Int) {
        self["qwen3.block_count"] = .uint32(UInt32(count))
        tensors.removeAll { tensor in
            let parts = tensor.name.split(separator: ".")
            return parts[0] == "blk" && Int(parts[1]) ?? 0 >= count
        }
    }
}

extension ModelCopy.Tensor {
    /// Multiplies the values of an F32, F16 or BF16 tensor.
    fileprivate mutating func scale(by factor: Float) {
        for offset in stride(from: 0, to: bytes.count, by: type.bytesPerBlock) {
            let word = UInt16(bytes[offset]) | UInt16(bytes[offset + 1]) << 8
            switch type {
            case .bf16:
                bytes.store(UInt16(((Float(bitPattern: UInt32(word) << 16)) * factor).bitPattern >> 16), at: offset)
            // 2^13 times, at most 65504
            case .f16: bytes.store(min(0x7BFF, (word & 0x7FFF) + (13 << 10)) | word & 0x8000, at: offset)
            default:
                let high = UInt32(bytes[offset + 2]) | UInt32(bytes[offset + 3]) << 8
                bytes.store((Float(bitPattern: UInt32(word) | high << 16) * factor).bitPattern, at: offset)
            }
        }
    }
}
