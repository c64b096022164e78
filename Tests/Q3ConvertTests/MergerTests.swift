// Merged models: the values of the formula, and files that are not fine-tunes of one base.
import Q3Embedding
import Q3GGUF
import Q3System
import TestSupport
import Testing

@testable import Q3Convert

@Suite struct MergerTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// A copy of the tiny model whose values differ by a part of their size.
    private func tuned(_ name: String, seed: UInt64, by part: Float = 0.05, fixture: String = "tiny-embed-F32") throws
        -> String
    {
        var random = SeededGenerator(seed: seed)
        var copy = try ModelCopy(of: fixture)
        for index in copy.tensors.indices {
            let values = Self.floats(copy.tensors[index].bytes).map {
                $0 * (1 + part * Float.random(in: -1...1, using: &random))
            }
            copy.tensors[index].bytes = unsafe values.withUnsafeBytes { unsafe [UInt8]($0) }
        }
        let path = folder.file("\(name).gguf")
        try copy.write(to: path)
        return path
    }

    private static func floats(_ bytes: [UInt8]) -> [Float] {
        unsafe bytes.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: 4).map {
                unsafe bytes.loadUnaligned(fromByteOffset: $0, as: Float.self)
            }
        }
    }

    private static func floats(_ path: String, _ tensor: String) throws -> [Float] {
        let file = try GGUFFile(path: path)
        let info = try #require(file.tensor(named: tensor))
        return file.withBytes(of: info) { span in
            (0..<info.elementCount).map { unsafe span.unsafeLoadUnaligned(fromByteOffset: $0 * 4, as: Float.self) }
        }
    }

    @Test func `the mean is that of the values`() throws {
        let (a, b) = (try tuned("a", seed: 1), try tuned("b", seed: 2))
        var options = Merger.Options()
        (options.method, options.weights) = (.mean, [3, 1])
        let report = try Merger.merge([a, b], to: folder.file("m.gguf"), options: options)
        #expect(report.fileType == .f32)
        for tensor in ["token_embd.weight", "blk.0.attn_q.weight", "output_norm.weight"] {
            let (x, y) = (try Self.floats(a, tensor), try Self.floats(b, tensor))
            for (got, pair) in zip(try Self.floats(folder.file("m.gguf"), tensor), zip(x, y)) {
                #expect(abs(got - (0.75 * pair.0 + 0.25 * pair.1)) <= 1e-6 * abs(pair.0))
            }
        }
    }

    /// Shoemake's formula, written out for the values of one tensor.
    @Test func `slerp is that of the formula`() throws {
        let (a, b) = (try tuned("a", seed: 1, by: 0.8), try tuned("b", seed: 2, by: 0.8))
        var options = Merger.Options()
        options.weights = [1, 2]
        _ = try Merger.merge([a, b], to: folder.file("m.gguf"), options: options)
        let tensor = "blk.0.ffn_up.weight"
        let (x, y) = (try Self.floats(a, tensor).map(Double.init), try Self.floats(b, tensor).map(Double.init))
        func dot(_ p: [Double], _ q: [Double]) -> Double { zip(p, q).reduce(0) { $0 + $1.0 * $1.1 } }
        let angle = acos(dot(x, y) / (dot(x, x) * dot(y, y)).squareRoot())
        let (p, q) = (sin(angle / 3) / sin(angle), sin(2 * angle / 3) / sin(angle))
        #expect(p + q > 1.001)
        for (got, pair) in zip(try Self.floats(folder.file("m.gguf"), tensor), zip(x, y)) {
            #expect(abs(Double(got) - (p * pair.0 + q * pair.1)) < 1e-6)
        }
    }

    @Test func `weights of slerp along one arc add up`() {
        // Unit vectors in a plane at 0, 40 and 80 degrees; equal weights end in the middle.
        let angles = [0.0, 40, 80].map { $0 * .pi / 180 }
        let products = angles.map { a in angles.map { cos(a - $0) } }
        let merged = MergeWeights(products: products, weights: [1, 1, 1], method: .slerp)
        let x = zip(merged.factors, angles).reduce(0) { $0 + $1.0 * cos($1.1) }
        let y = zip(merged.factors, angles).reduce(0) { $0 + $1.0 * sin($1.1) }
        #expect(abs(atan2(y, x) - 40 * .pi / 180) < 1e-12 && abs(x * x + y * y - 1) < 1e-12)
        #expect(abs(merged.leastCosine - cos(80 * .pi / 180)) < 1e-12)
        let opposite = MergeWeights(products: [[1, -1], [-1, 1]], weights: [1, 1], method: .slerp)
        #expect(opposite.factors.allSatisfy { $0.isFinite })
        #expect(MergeWeights(products: [[0, 0], [0, 0]], weights: [1, 1], method: .slerp).factors == [0.5, 0.5])
    }

    @Test(arguments: MergeMethod.allCases) func `a model merged with itself is itself`(_ method: MergeMethod) throws {
        let path = Fixture.path("tiny-embed-F32.gguf")
        var options = Merger.Options()
        options.method = method
        _ = try Merger.merge([path, path, path], to: folder.file("m.gguf"), options: options)
        for tensor in try GGUFFile(path: path).tensors {
            for (got, value) in zip(
                try Self.floats(folder.file("m.gguf"), tensor.name), try Self.floats(path, tensor.name))
            {
                #expect(abs(got - value) <= 2e-7 * abs(value))
            }
        }
        _ = try Embedder(path: folder.file("m.gguf"))
    }

    @Test func `threads change no bit, and other types are made`() throws {
        let (a, b) = (try tuned("a", seed: 1), try tuned("b", seed: 2))
        for threads in [1, 2] {
            var options = Merger.Options()
            options.conversion.threads = threads
            options.type = .q8_0
            let report = try Merger.merge([a, b], to: folder.file("m\(threads).gguf"), options: options)
            #expect(report.fileType == .q8_0)
        }
        #expect(try folder.read("m1.gguf") == folder.read("m2.gguf"))
    }

    @Test func `folders and files go together`() throws {
        let checkpoint = Fixture.path("checkpoints/tiny-embedding")
        _ = try Converter.convert(folder: checkpoint, to: folder.file("a.gguf"), as: .f32)
        var options = Merger.Options()
        options.type = .f32
        _ = try Merger.merge([checkpoint, folder.file("a.gguf")], to: folder.file("m.gguf"), options: options)
        let name = "blk.0.attn_q.weight"
        for (got, value) in zip(
            try Self.floats(folder.file("m.gguf"), name), try Self.floats(folder.file("a.gguf"), name))
        {
            #expect(abs(got - value) <= 1e-6 * abs(value))
        }
    }

    @Test func `what does not come from one base is refused`() throws {
        let a = try tuned("a", seed: 1)
        func reason(_ other: String, _ change: (inout Merger.Options) -> Void = { _ in }) -> String {
            var options = Merger.Options()
            change(&options)
            do {
                _ = try Merger.merge([a, other], to: folder.file("m.gguf"), options: options)
                return "merged"
            } catch {
                return "\(error)"
            }
        }
        var random = SeededGenerator(seed: 9)
        var copy = try ModelCopy(of: "tiny-embed-F32")
        copy.edit("blk.0.attn_q.weight") { tensor in
            let values = (0..<tensor.bytes.count / 4).map { _ in Float.random(in: -1...1, using: &random) }
            tensor.bytes = unsafe values.withUnsafeBytes { unsafe [UInt8]($0) }
        }
        try copy.write(to: folder.file("other.gguf"))
        #expect(reason(folder.file("other.gguf")).contains("do not come from one base"))
        #expect(reason(folder.file("other.gguf")) { $0.leastCosine = -1 } == "merged")
        #expect(reason(Fixture.path("tiny-rerank-Q8_0.gguf")).contains("are a model for"))
        copy = try ModelCopy(of: "tiny-embed-F32")
        copy.tensors.removeAll { $0.name == "blk.0.attn_q_norm.weight" }
        try copy.write(to: folder.file("other.gguf"))
        #expect(reason(folder.file("other.gguf")).contains("is in one of them alone"))
        copy = try ModelCopy(of: "tiny-embed-F32", tokenizer: false)
        try copy.write(to: folder.file("other.gguf"))
        #expect(reason(folder.file("other.gguf")).contains("different vocabularies"))
        copy = try ModelCopy(of: "tiny-embed-F32")
        copy.edit("blk.0.attn_q.weight") { $0.bytes.store(UInt32(0x7FC0_0000), at: 0) }
        try copy.write(to: folder.file("other.gguf"))
        #expect(reason(folder.file("other.gguf")).contains("holds NaN"))
        #expect(reason(a) { $0.weights = [1] }.contains("weights"))
        #expect(reason(a) { $0.weights = [1, 0] }.contains("weights"))
        #expect(throws: ConvertError.self) { try Merger.merge([a], to: folder.file("m.gguf")) }
        #expect(throws: ConvertError.outputIsInput(path: a)) { try Merger.merge([a, a], to: a) }
    }
}
