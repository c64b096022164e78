// Damage is found wherever it is, in every type of block.
import Q3GGUF
import TestSupport
import Testing

@testable import Q3Convert

@Suite struct WeightCheckTests {
    private static let models = [
        "tiny-embed-F32", "tiny-embed-F16", "tiny-embed-BF16", "tiny-embed-Q8_0", "tiny-embed-Q4_0", "tiny-embed-Q5_0",
        "tiny-embed-Q6_K", "tiny-embed-Q4_K_M", "tiny-embed-Q5_K_M", "tiny-rerank-Q8_0",
    ]

    @Test(arguments: models) func `whole files have no fault`(_ name: String) throws {
        let file = try Fixture.model(name)
        let report = try WeightCheck.run(file)
        #expect(report.faults.isEmpty)
        #expect(report.unreadTensors.isEmpty)
        #expect(report.valueCount == file.tensors.reduce(0) { $0 + $1.elementCount })
    }

    /// Where a block of each type keeps an f16 scale, and F16 its value.
    private static let scaleOffsets: [TensorType: Int] = [
        .f16: 0, .q8_0: 0, .q4_0: 0, .q5_0: 0, .q6_K: 208, .q4_K: 0, .q5_K: 2,
    ]

    @Test(
        arguments: models.filter { !$0.hasSuffix("F32") && !$0.hasSuffix("BF16") },
        [0x7E00, 0x7C00, 0xFC00] as [UInt16])
    func `a damaged scale is found`(_ name: String, _ scale: UInt16) throws {
        var model = try ModelCopy(of: name, tokenizer: false)
        var checked = 0
        for tensor in model.tensors where tensor.name.contains("ffn_down") || tensor.name.hasPrefix("token_embd") {
            guard let offset = Self.scaleOffsets[tensor.type] else { continue }
            let blockCount = tensor.bytes.count / tensor.type.bytesPerBlock
            for block in [0, blockCount / 2, blockCount - 1] {
                let whole = tensor.bytes
                model.edit(tensor.name) { $0.bytes.store(scale, at: block * tensor.type.bytesPerBlock + offset) }
                let report = try WeightCheck.run(model.open())
                #expect(report.faults == [WeightFault(tensor: tensor.name, type: tensor.type, block: block)])
                model.edit(tensor.name) { $0.bytes = whole }
                checked += 1
            }
        }
        #expect(checked >= 6)
    }

    @Test(arguments: [1, 2, 3]) func `faults of all tensors come in their order`(_ threads: Int) throws {
        var model = try ModelCopy(of: "tiny-embed-F32", tokenizer: false)
        let names = model.tensors.map(\.name)
        for name in names {
            for index in [1, 3] { model.edit(name) { $0.bytes.store(Float.nan.bitPattern, at: 4 * index) } }
        }
        var options = ConvertOptions()
        options.threads = threads
        let report = try WeightCheck.run(model.open(), options: options)
        #expect(report.faults.map(\.tensor) == names)
        #expect(report.faults.allSatisfy { $0.block == 1 })
    }
}
