// Quantizing whole files: what is kept, what changes, and what is refused.
import Q3GGUF
import Q3Kernels
import Q3Model
import Synchronization
import TestSupport
import Testing

@testable import Q3Convert

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

struct QuantizerTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func quantize(_ file: GGUFFile, _ type: FileType, threads: Int = 2, name: String = "out.gguf") throws
        -> FileReport
    {
        var options = ConvertOptions()
        options.threads = threads
        return try Quantizer.quantize(file, to: folder.file(name), as: type, options: options)
    }

    private func values(_ file: GGUFFile, _ tensor: TensorInfo) -> [Float] {
        var values = [Float](repeating: .nan, count: tensor.elementCount)
        unsafe values.withUnsafeMutableBufferPointer { values in
            unsafe WeightCodec().decode(file.bytes(of: tensor), typeID: tensor.type.rawValue, into: values)
        }
        return values
    }

    /// Root of the mean squared error divided by that of the values.
    private static let errorLimit: [TensorType: Double] = [
        .f16: 3e-4, .bf16: 2e-3, .q8_0: 0.006, .q5_1: 0.038, .q5_0: 0.045, .q4_1: 0.08, .q4_0: 0.09,
    ]

    @Test(arguments: FileType.allCases)
    func `tensors stay close and metadata is unchanged`(_ type: FileType) throws {
        let source = try Fixture.model("tiny-embed-F32")
        let report = try quantize(source, type)
        let made = try GGUFFile(path: folder.file("out.gguf"))
        #expect(try folder.names() == ["out.gguf"])

        let changed: Set = ["general.file_type", "general.quantization_version"]
        #expect(made.metadata.keys == source.metadata.keys)
        for key in source.metadata.keys where !changed.contains(key) {
            #expect(
                "\(made.metadata.value(key)!)".prefix(200) == "\(source.metadata.value(key)!)".prefix(200), "\(key)")
        }
        #expect(try made.metadata.uint32("general.file_type") == type.id)
        #expect(
            try made.metadata.stringArray("tokenizer.ggml.tokens").makeStrings()
                == source.metadata.stringArray("tokenizer.ggml.tokens").makeStrings())

        #expect(
            made.tensors.map(\.name) == source.tensors.map(\.name)
                && made.tensors.map(\.shape) == source.tensors.map(\.shape))
        let mix = Mix(type, tensorNames: source.tensors.map(\.name))
        for (index, tensor) in made.tensors.enumerated() {
            let old = source.tensors[index]
            #expect(tensor.type == mix.type(of: old.name, shape: old.shape, now: old.type))
            let (expected, got) = (values(source, old), values(made, tensor))
            let squares = zip(expected, got).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
            let rmse = (squares / Double(expected.count)).squareRoot()
            let told = report.tensors[index]
            #expect(abs(told.difference.rmse - rmse) <= 1e-5 * rmse, "\(tensor.name)")
            #expect(told.difference.largest == zip(expected, got).map { abs($0 - $1) }.max())
            #expect(told.name == tensor.name && told.newType == tensor.type && told.byteCount == tensor.byteCount)
            let power = expected.reduce(0) { $0 + Double($1 * $1) }
            #expect((squares / power).squareRoot() <= Self.errorLimit[tensor.type] ?? 0, "\(tensor.name)")
        }
    }

    @Test(arguments: [FileType.q4_K_M, .q5_0, .f16])
    func `the number of threads does not change the file`(_ type: FileType) throws {
        let source = try Fixture.model("tiny-embed-F32")
        let reports = try (1...3).map { try quantize(source, type, threads: $0, name: "\($0).gguf") }
        let files = try (1...3).map { try folder.read("\($0).gguf") }
        #expect(files[0] == files[1] && files[0] == files[2])
        #expect(reports[0] == reports[1] && reports[0] == reports[2])
    }

    @Test func `quantized files are read too`() throws {
        let source = try Fixture.model("tiny-embed-Q4_K_M")
        let report = try quantize(source, .q8_0)
        #expect(report.wasQuantizedBefore)
        #expect(report.difference.relative < 0.01)
        let again = try quantize(try GGUFFile(path: folder.file("out.gguf")), .q8_0, name: "again.gguf")
        #expect(!again.wasQuantizedBefore && again.difference == WeightDifference())
        #expect(try folder.read("again.gguf") == folder.read("out.gguf"))
    }

    @Test func `the head of a reranker is f32`() throws {
        _ = try quantize(try Fixture.model("tiny-rerank-Q8_0"), .q4_K_M)
        #expect(try GGUFFile(path: folder.file("out.gguf")).tensor(named: "cls.output.weight")?.type == .f32)
    }

    // MARK: - Refusals

    @Test func `the input is not replaced`() throws {
        let path = folder.file("in.gguf")
        try ModelCopy(of: "tiny-embed-F16").write(to: path)
        let before = try folder.read("in.gguf")
        try FileManager.default.createSymbolicLink(atPath: folder.file("link"), withDestinationPath: path)
        try FileManager.default.linkItem(atPath: path, toPath: folder.file("hard"))
        for name in ["in.gguf", "link", "hard"] {
            #expect(throws: ConvertError.outputIsInput(path: folder.file(name))) {
                try quantize(try GGUFFile(path: path), .q8_0, name: name)
            }
        }
        #expect(try folder.read("in.gguf") == before && folder.names() == ["hard", "in.gguf", "link"])
    }

    @Test func `a link stays a link`() throws {
        try folder.write("old.gguf", [1, 2, 3])
        try FileManager.default.createSymbolicLink(
            atPath: folder.file("link"), withDestinationPath: folder.file("old.gguf"))
        _ = try quantize(try Fixture.model("tiny-embed-F16"), .q8_0, name: "link")
        #expect(try GGUFFile(path: folder.file("old.gguf")).tensors.count > 0)
        #expect(try folder.names() == ["link", "old.gguf"])
    }

    @Test func `only regular files are replaced`() throws {
        let file = try Fixture.model("tiny-embed-F16")
        #expect(throws: ConvertError.notReplaceable(path: "\(folder.path)/")) { try quantize(file, .q8_0, name: "") }
        #expect(throws: GGUFError.cannotWrite(path: folder.file("no/out.gguf"), code: 2)) {
            try quantize(file, .q8_0, name: "no/out.gguf")
        }
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity, 1e30, -1e8])
    func `values that a type cannot hold are refused`(_ value: Float) throws {
        var copy = try ModelCopy(of: "tiny-embed-F32", tokenizer: false)
        copy.edit("blk.1.ffn_up.weight") { $0.bytes.store(value.bitPattern, at: 4 * 1000) }
        let file = try copy.open()
        for type in [FileType.q4_0, .q8_0, .f16] {
            let mix = Mix(type, tensorNames: file.tensors.map(\.name))
            let expected = mix.type(of: "blk.1.ffn_up.weight", shape: [64, 96], now: .f32)
            #expect(throws: ConvertError.outOfReach(tensor: "blk.1.ffn_up.weight", type: expected)) {
                try quantize(file, type)
            }
        }
        #expect(try folder.names() == [])
    }

    /// They are copied, whatever they are.
    @Test(arguments: [TensorType.f64, .i64, .i8]) func `other tensors are copied`(_ type: TensorType) throws {
        var copy = try ModelCopy(of: "tiny-embed-F32", tokenizer: false)
        let bytes = (0..<100_000 * type.bytesPerBlock).map { UInt8(truncatingIfNeeded: $0 % 251) }
        copy.tensors.append(.init(name: "extra", shape: [100_000], type: type, bytes: bytes))
        _ = try quantize(try copy.open(), .q8_0)
        let made = try GGUFFile(path: folder.file("out.gguf"))
        let extra = try #require(made.tensor(named: "extra"))
        #expect(extra.type == type)
        #expect(unsafe Array(made.bytes(of: extra)) == bytes)
    }

    @Test func `types that kernels do not read are refused`() throws {
        var copy = try ModelCopy(of: "tiny-embed-F32", tokenizer: false)
        copy.edit("blk.0.ffn_up.weight") { $0.reshape([256, 96], .q8_1) }
        let file = try copy.open()
        #expect(throws: ConvertError.unreadableType(tensor: "blk.0.ffn_up.weight", type: .q8_1)) {
            try quantize(file, .q8_0)
        }
    }

    @Test func `files without tensors and impossible thread counts are refused`() throws {
        #expect(throws: ConvertError.noTensors) { try quantize(try Fixture.model("tokenizer"), .q8_0) }
        #expect(throws: ConvertError.threadCount(0)) {
            try quantize(try Fixture.model("tiny-embed-F16"), .q8_0, threads: 0)
        }
    }

    @Test func `progress ends with the whole`() throws {
        let calls = Calls()
        var options = ConvertOptions()
        options.threads = 1
        options.progress = { progress in calls.counts.withLock { $0.append(progress) } }
        options.unfinished = { path in calls.paths.withLock { $0.append(path) } }
        let report = try Quantizer.quantize(
            try Fixture.model("tiny-embed-F32"), to: folder.file("out.gguf"), as: .q8_0, options: options)
        let counts = calls.counts.withLock { $0 }
        #expect(counts.last?.completed == report.byteCount && counts.allSatisfy { $0.total == report.byteCount })
        #expect(counts.map(\.completed) == counts.map(\.completed).sorted())
        let paths = calls.paths.withLock { $0 }
        #expect(paths.count == 2 && paths[0]?.hasPrefix(folder.file("out.gguf")) == true && paths[1] == nil)
    }
}
