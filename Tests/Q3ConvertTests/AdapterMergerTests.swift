// Merged LoRA adapters: what they change is the sum that the formula gives, and adapters that do not belong together.
import Q3GGUF
import Q3System
import TestSupport
import Testing

@testable import Q3Convert

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

struct AdapterMergerTests {
    private let folder: TemporaryFolder
    private static let fixture = Fixture.path("checkpoints/tiny-adapter")
    private static let checkpoint = Fixture.path("checkpoints/tiny-embedding")

    init() throws { folder = try TemporaryFolder() }

    private static let modules = ["layers.0.self_attn.q_proj", "layers.1.self_attn.q_proj"].map {
        LowRankAdapterFolder.Module(name: $0, outputs: 128, inputs: 64)
    }

    /// An adapter of random values for two matrices of the tiny model.
    private func adapter(
        _ name: String, rank: Int, alpha: Double = 8, seed: UInt64, upFactor: Float = 1,
        _ change: (inout LowRankAdapterFolder) -> Void = { _ in }
    ) throws -> String {
        var adapter = LowRankAdapterFolder(rank: rank, alpha: alpha, modules: Self.modules)
        (adapter.baseName, adapter.fingerprint) = ("tiny", "f1")
        change(&adapter)
        var random = SeededGenerator(seed: seed)
        func values(_ count: Int) -> [Float] { (0..<count).map { _ in Float.random(in: -1...1, using: &random) } }
        let path = folder.file(name)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try adapter.write(to: path) { index in
            let module = adapter.modules[index]
            return (values(rank * module.inputs), values(module.outputs * rank).map { $0 * upFactor })
        }
        return path
    }

    /// scale · B · A of a module, written out.
    private func change(_ path: String, _ module: String) throws -> [Double] {
        let adapter = try LowRankAdapter(folder: path)
        let (down, up) = try adapter.factors(of: module)
        let (outputs, inputs) = try adapter.size(of: module)
        var sums = [Double](repeating: 0, count: outputs * inputs)
        for output in 0..<outputs {
            for row in 0..<adapter.rank {
                let factor = Double(up[output * adapter.rank + row]) * adapter.scale
                for input in 0..<inputs { sums[output * inputs + input] += factor * Double(down[row * inputs + input]) }
            }
        }
        return sums
    }

    private func merge(
        _ paths: [String], _ method: MergeMethod, _ weights: [Double]? = nil, mixesBases: Bool = false
    ) throws -> (path: String, report: AdapterMerger.Report) {
        var options = AdapterMerger.Options()
        (options.method, options.weights, options.mixesBases) = (method, weights, mixesBases)
        let path = folder.file("merged")
        let report = try AdapterMerger.merge(paths, to: path, options: options) {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
        return (path, report)
    }

    private func reason(
        _ paths: [String], _ method: MergeMethod = .slerp, _ weights: [Double]? = nil
    ) throws -> String {
        do {
            _ = try merge(paths, method, weights)
            return "merged"
        } catch let error as ConvertError {
            return "\(error)"
        }
    }

    @Test func `the mean of adapters is that of what they change, whatever their ranks and scales`() throws {
        let (a, b) = (try adapter("a", rank: 3, seed: 1), try adapter("b", rank: 5, alpha: 20, seed: 2))
        let (path, report) = try merge([a, b], .mean, [3, 1])
        #expect(report.rank == 8 && report.moduleCount == 2)
        for module in Self.modules {
            let (x, y) = (try change(a, module.name), try change(b, module.name))
            for (got, pair) in zip(try change(path, module.name), zip(x, y)) {
                #expect(abs(got - (0.75 * pair.0 + 0.25 * pair.1)) < 1e-5)
            }
        }
        let merged = try LowRankAdapter(folder: path)
        #expect(merged.fingerprint == "f1" && merged.baseName == "tiny" && merged.scale == 1)
    }

    /// Shoemake's formula, written out for the changes of one matrix.
    @Test func `slerp goes along the arc between what adapters change`() throws {
        let (a, b) = (try adapter("a", rank: 3, seed: 1), try adapter("b", rank: 2, seed: 2))
        let (path, report) = try merge([a, b], .slerp, [1, 2])
        func dot(_ p: [Double], _ q: [Double]) -> Double { zip(p, q).reduce(0) { $0 + $1.0 * $1.1 } }
        var least = 1.0
        for module in Self.modules.map(\.name) {
            let (x, y) = (try change(a, module), try change(b, module))
            let cosine = dot(x, y) / (dot(x, x) * dot(y, y)).squareRoot()
            least = min(least, cosine)
            let angle = acos(cosine)
            let (p, q) = (sin(angle / 3) / sin(angle), sin(2 * angle / 3) / sin(angle))
            #expect(p + q > 1.1)
            for (got, pair) in zip(try change(path, module), zip(x, y)) {
                #expect(abs(got - (p * pair.0 + q * pair.1)) < 1e-5)
            }
        }
        #expect(abs(report.leastCosine - least) < 1e-9)
    }

    @Test(arguments: MergeMethod.allCases)
    func `an adapter merged with itself makes the same model`(_ method: MergeMethod) throws {
        let path = try merge([Self.fixture, Self.fixture], method).path
        for (name, adapter) in [("one", Self.fixture), ("two", path)] {
            _ = try Converter.convert(
                folder: Self.checkpoint, adapter: adapter, to: folder.file("\(name).gguf"), as: .f32)
        }
        let (one, two) = (try GGUFFile(path: folder.file("one.gguf")), try GGUFFile(path: folder.file("two.gguf")))
        for tensor in one.tensors {
            let other = try #require(two.tensor(named: tensor.name))
            let values = [(one, tensor), (two, other)].map { file, tensor in
                file.withBytes(of: tensor) { bytes in
                    (0..<tensor.elementCount).map {
                        unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 4 * $0, as: Float.self)
                    }
                }
            }
            for (a, b) in zip(values[0], values[1]) { #expect(abs(a - b) <= 1e-6) }
        }
    }

    @Test func `what differs is named`() throws {
        let a = try adapter("a", rank: 3, seed: 1)
        let other = try adapter("b", rank: 3, seed: 2) { $0.baseName = "/models/Other-0.6B" }
        #expect(try reason([a, other]).contains("are for the models tiny and Other-0.6B"))
        let trained = try adapter("b", rank: 3, seed: 2) { $0.fingerprint = "f2" }
        #expect(try reason([a, trained]).contains("fingerprints f1 and f2"))
        #expect(try LowRankAdapter(folder: merge([a, trained], .mean, mixesBases: true).path).fingerprint == nil)
        let fewer = try adapter("b", rank: 3, seed: 2) { $0.modules.removeLast() }
        #expect(try reason([a, fewer]).contains("layers.1.self_attn.q_proj is in one of them alone"))
        let wider = try adapter("b", rank: 3, seed: 2) {
            $0.modules[1] = .init(name: $0.modules[1].name, outputs: 128, inputs: 32)
        }
        #expect(try reason([a, wider]).contains("layers.1.self_attn.q_proj as a matrix of 128 x 64 and of 128 x 32"))
        #expect(try reason([a, a], .mean, [1]).contains("1 weights for 2 adapters"))
        #expect(try reason([a, a], .mean, [1, 0]).contains("weights"))
        #expect(try reason([a]).contains("give two at least"))
        #expect(throws: ConvertError.outputIsInput(path: a)) { try AdapterMerger.merge([a, a], to: a) }
        let damaged = try adapter("b", rank: 3, seed: 2, upFactor: .infinity)
        #expect(try reason([a, damaged], .mean).contains("hold NaN or an infinity"))
    }

    @Test func `slerp is refused where there is no arc`() throws {
        let a = try adapter("a", rank: 3, seed: 1)
        let opposite = try adapter("b", rank: 3, seed: 1, upFactor: -1)
        #expect(try reason([a, opposite]).contains("have a cosine of -1.000: they undo each other's work"))
        #expect(try reason([a, opposite], .mean) == "merged")
        let none = try adapter("b", rank: 3, seed: 2, upFactor: 0)
        #expect(try reason([a, none]).contains("leaves layers.0.self_attn.q_proj as it is"))
        #expect(try reason([a, none], .mean) == "merged")
    }

    /// A scale of 1e300 is not a whole number that fits, and was one for `Int` once.
    @Test func `any alpha is written`() throws {
        var adapter = LowRankAdapterFolder(rank: 1, alpha: 1e300, modules: [])
        #expect(adapter.config.contains(#""lora_alpha": 1e+300,"#))
        adapter.alpha = 16
        #expect(adapter.config.contains(#""lora_alpha": 16,"#))
        adapter.alpha = 0.5
        #expect(adapter.config.contains(#""lora_alpha": 0.5,"#))
    }

    @Test func `an adapter is merged into a model without its checkpoint`() throws {
        let (plain, adapted, merged) = (folder.file("p.gguf"), folder.file("a.gguf"), folder.file("m.gguf"))
        _ = try Converter.convert(folder: Self.checkpoint, to: plain, as: .f32)
        _ = try Converter.convert(folder: Self.checkpoint, adapter: Self.fixture, to: adapted, as: .f32)
        let report = try Quantizer.quantize(GGUFFile(path: plain), adapter: Self.fixture, to: merged, as: .f32)
        #expect(report.fileType == .f32)
        let (one, two) = (try GGUFFile(path: adapted), try GGUFFile(path: merged))
        for tensor in one.tensors {
            let other = try #require(two.tensor(named: tensor.name))
            let same = unsafe one.bytes(of: tensor).elementsEqual(two.bytes(of: other))
            #expect(same, "\(tensor.name)")
        }
        // Blocks of a quantized model are read whole.
        _ = try Quantizer.quantize(GGUFFile(path: plain), to: folder.file("q.gguf"), as: .q8_0)
        let quantized = try GGUFFile(path: folder.file("q.gguf"))
        _ = try Quantizer.quantize(quantized, adapter: Self.fixture, to: merged, as: .f32)
        let error = #expect(throws: ConvertError.self) {
            try Quantizer.quantize(
                Fixture.model("tiny-embed-F32"),
                adapter: try adapter("b", rank: 2, seed: 1) {
                    $0.modules = [.init(name: "layers.7.mlp.up_proj", outputs: 96, inputs: 64)]
                }, to: merged, as: .f32)
        }
        #expect(error.map { "\($0)".contains("the adapter changes layers.7.mlp.up_proj") } ?? false)
    }
}
