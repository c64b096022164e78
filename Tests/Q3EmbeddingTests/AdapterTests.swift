// Adapters: what they do to vectors, their files, and which model they are for.
import Q3GGUF
import Q3Model
import TestSupport
import Testing

@testable import Q3Embedding

@Suite struct AdapterTests {
    private static let model = Fingerprint("0123456789abcdef")!

    private static func adapter(
        dimensions: Int = 4, scope: EmbeddingAdapter.Scope = .queries, model: Fingerprint = model, up: Float = 0.5
    ) throws -> EmbeddingAdapter {
        var down = [Float](repeating: 0, count: 2 * dimensions)
        var rows = down
        (down[0], down[dimensions + 1]) = (1, 1)
        (rows[2], rows[dimensions + 3]) = (up, up)
        return try EmbeddingAdapter(
            model: model, dimensions: dimensions, rank: 2, scope: scope, instruction: "a task",
            notes: ["gain": "0.1", "seed": "0"], down: down, up: rows)
    }

    @Test func `a vector becomes v + B A v in unit length`() throws {
        let adapter = try Self.adapter()
        // Directions 0 and 1 are read; half of each is added to 2 and 3.
        let expected: [Float] = [0.6, 0.8, 0.3, 0.4].map { $0 / Float(1.25).squareRoot() }
        for (got, value) in zip(try adapter.applied(to: [0.6, 0.8, 0, 0]), expected) {
            #expect(abs(got - value) < 1e-7)
        }
        let cut = try adapter.applied(to: [0.6, 0.8, 0, 0], keeping: 3)
        #expect(cut.count == 3 && abs(cut.reduce(0) { $0 + $1 * $1 } - 1) < 1e-6)
        #expect(try adapter.applied(to: [0, 0, 0.6, 0.8]) == [0, 0, 0.6, 0.8])
    }

    @Test func `what is left without a direction is an error`() throws {
        let adapter = try Self.adapter(up: -2)
        #expect(throws: EmbeddingError.zeroNorm) {
            try EmbeddingAdapter(
                model: Self.model, dimensions: 1, rank: 1, scope: .queries, down: [1], up: [-1]
            ).applied(to: [1])
        }
        #expect(try adapter.applied(to: [1, 0, 0, 0]).allSatisfy(\.isFinite))
    }

    @Test(arguments: [(0, 1, 0), (4, 0, 0), (4, 5, 20), (4, 2, 7), (1 << 17, 1, 1 << 17)])
    func `sizes that do not fit together are refused`(_ dimensions: Int, _ rank: Int, _ count: Int) {
        let values = [Float](repeating: 1, count: count)
        #expect(throws: EmbeddingError.self) {
            try EmbeddingAdapter(
                model: Self.model, dimensions: dimensions, rank: rank, scope: .queries, down: values, up: values)
        }
    }

    @Test func `values that are not numbers are refused`() {
        #expect(throws: EmbeddingError.self) {
            try EmbeddingAdapter(model: Self.model, dimensions: 1, rank: 1, scope: .queries, down: [.nan], up: [0])
        }
    }

    @Test(arguments: EmbeddingAdapter.Scope.allCases) func `a file reads back as it was`(
        _ scope: EmbeddingAdapter.Scope
    ) throws {
        let folder = try TemporaryFolder()
        let adapter = try Self.adapter(scope: scope)
        try adapter.write(to: folder.file("a.gguf"))
        #expect(try EmbeddingAdapter(path: folder.file("a.gguf")) == adapter)
        let file = try GGUFFile(path: folder.file("a.gguf"))
        // In NumPy, A is [rank, dimensions] and B [dimensions, rank].
        #expect(file.tensor(named: "adapter.a")?.shape == [4, 2] && file.tensor(named: "adapter.b")?.shape == [2, 4])
        #expect(try file.metadata.required("adapter.model_fingerprint", as: String.self) == "\(Self.model)")
    }

    @Test func `files that are not adapters are named`() throws {
        let folder = try TemporaryFolder()
        #expect(throws: GGUFError.self) { try EmbeddingAdapter(path: folder.file("none.gguf")) }
        #expect(throws: EmbeddingError.self) { try EmbeddingAdapter(path: Fixture.path("tiny-embed-F32.gguf")) }
        let good = folder.file("good.gguf")
        try Self.adapter().write(to: good)
        for (key, value) in [
            ("adapter.version", MetadataValue.uint32(2)), ("adapter.scope", .string("nothing")),
            ("adapter.model_fingerprint", .string("x")), ("adapter.type", .string("lora")),
        ] {
            var writer = GGUFWriter()
            let file = try GGUFFile(path: good)
            for (name, old) in file.metadata { writer.set(name, to: name == key ? value : old) }
            for tensor in file.tensors {
                let bytes = file.withBytes(of: tensor) { span in
                    (0..<span.byteCount).map { unsafe span.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
                }
                writer.addTensor(tensor.name, shape: tensor.shape, type: tensor.type, bytes: bytes)
            }
            try writer.write(to: folder.file("bad.gguf"))
            #expect(throws: EmbeddingError.self, "\(key)") { try EmbeddingAdapter(path: folder.file("bad.gguf")) }
        }
        var writer = GGUFWriter()
        for (name, value) in try GGUFFile(path: good).metadata { writer.set(name, to: value) }
        writer.addTensor("adapter.a", shape: [4, 2], type: .f32, bytes: [UInt8](repeating: 0, count: 32))
        writer.addTensor("adapter.b", shape: [4, 2], type: .f32, bytes: [UInt8](repeating: 0, count: 32))
        try writer.write(to: folder.file("bad.gguf"))
        #expect(throws: EmbeddingError.self) { try EmbeddingAdapter(path: folder.file("bad.gguf")) }
    }

    @Test func `queries alone are changed, and the space of documents stays`() async throws {
        let embedder = try Embedder(file: Fixture.model("tiny-embed-Q8_0"))
        let own = try Fingerprint(of: embedder.model)
        let adapter = try Self.adapter(dimensions: embedder.dimensions, model: own)
        let options = EmbeddingOptions(adapter: adapter)
        let (text, task) = ("The capital of China", Prompt.query())
        let plain = try await embedder.embed(text, as: task).vector
        #expect(try await embedder.embed(text, as: task, options: options).vector == adapter.applied(to: plain))
        #expect(try await embedder.embed(text, options: options) == embedder.embed(text))
        #expect(own.adapted(by: adapter) == own && own.adapted(by: nil) == own)

        let both = try Self.adapter(dimensions: embedder.dimensions, scope: .everything, model: own)
        #expect(try await embedder.embed(text, options: EmbeddingOptions(adapter: both)) != embedder.embed(text))
        #expect(own.adapted(by: both) != own)
        #expect(
            own.adapted(by: both)
                != own.adapted(
                    by: try Self.adapter(dimensions: embedder.dimensions, scope: .everything, model: own, up: 0.25)))
    }

    @Test func `a vector is the same alone and in a batch`() async throws {
        let embedder = try Embedder(file: Fixture.model("tiny-embed-Q8_0"))
        let adapter = try Self.adapter(dimensions: embedder.dimensions, model: Fingerprint(of: embedder.model))
        let options = EmbeddingOptions(dimensions: 16, adapter: adapter)
        let texts = ["a", "The capital of China", "a longer text than the others, of more words"]
        let batch = try await embedder.embed(texts, as: .query(), options: options)
        for (text, embedding) in zip(texts, batch) {
            #expect(try await embedder.embed(text, as: .query(), options: options) == embedding)
        }
    }

    @Test func `the model that it was made for is looked at`() throws {
        let folder = try TemporaryFolder()
        let embedder = try Embedder(file: Fixture.model("tiny-embed-Q8_0"))
        let path = folder.file("a.gguf")
        try Self.adapter(dimensions: embedder.dimensions).write(to: path)
        #expect(throws: EmbeddingError.self) { try EmbeddingAdapter(path: path, for: embedder) }
        try Self.adapter(dimensions: embedder.dimensions, model: Fingerprint(of: embedder.model)).write(to: path)
        #expect(try EmbeddingAdapter(path: path, for: embedder).rank == 2)
    }

    @Test func `an adapter of shorter vectors cuts them first`() async throws {
        let embedder = try Embedder(file: Fixture.model("tiny-embed-Q8_0"))
        let adapter = try Self.adapter(dimensions: 16, model: Fingerprint(of: embedder.model))
        let short = try await embedder.embed("a", as: .query(), options: EmbeddingOptions(dimensions: 16)).vector
        let adapted = try await embedder.embed(
            "a", as: .query(), options: EmbeddingOptions(dimensions: 16, adapter: adapter))
        #expect(adapted.vector == (try adapter.applied(to: short)))
        await #expect(throws: EmbeddingError.adapterDimensions(adapter: 16, requested: embedder.dimensions)) {
            try await embedder.embed("a", as: .query(), options: EmbeddingOptions(adapter: adapter))
        }
        let long = try Self.adapter(dimensions: 2 * embedder.dimensions, model: Fingerprint(of: embedder.model))
        await #expect(throws: EmbeddingError.self) {
            try await embedder.embed("a", as: .query(), options: EmbeddingOptions(adapter: long))
        }
    }

    @Test func `adapters add up to what they do together`() throws {
        let first = try Self.adapter(up: 0.5)
        let second = try Self.adapter(up: -0.25)
        #expect(abs(first.product(second) - 2 * 0.5 * -0.25) < 1e-12)
        let sum = try EmbeddingAdapter.sum(of: [first, second], factors: [0.5, 0.5], notes: [:])
        #expect(sum.rank == 4 && sum.instruction == "a task")
        let expected = try Self.adapter(up: 0.125).applied(to: [0.6, 0.8, 0, 0])
        for (got, value) in zip(try sum.applied(to: [0.6, 0.8, 0, 0]), expected) { #expect(abs(got - value) < 1e-7) }
        let other = try Self.adapter(model: Fingerprint("fedcba9876543210")!)
        #expect(throws: EmbeddingError.self) {
            try EmbeddingAdapter.sum(of: [first, other], factors: [1, 1], notes: [:])
        }
        #expect(throws: EmbeddingError.self) {
            try EmbeddingAdapter.sum(of: [first, Self.adapter(scope: .everything)], factors: [1, 1], notes: [:])
        }
    }
}
