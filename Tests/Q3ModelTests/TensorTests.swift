// Tensors that are missing, misshapen, of a type that cannot be computed, unknown or damaged.

import Q3GGUF
import TestSupport
import Testing

@testable import Q3Model

struct TensorTests {
    private static let names: [String] = {
        let parts = [
            "attn_norm", "attn_q", "attn_k", "attn_v", "attn_q_norm", "attn_k_norm", "attn_output", "ffn_norm",
            "ffn_gate",
            "ffn_up", "ffn_down",
        ]
        return ["token_embd.weight", "output_norm.weight"] + parts.map { "blk.1.\($0).weight" }
    }()
    private static let norms = names.filter { $0.contains("norm") }
    private static let matrices = names.filter { !$0.contains("norm") }

    private func error(of name: String, _ change: (inout ModelCopy.Tensor) -> Void) throws -> ModelError? {
        var file = try ModelCopy.tiny()
        file.edit(name, change)
        return try file.errorOfLoading() as? ModelError
    }

    private func shape(of name: String) throws -> [Int] {
        try #require(ModelCopy.tiny().tensors.first { $0.name == name }).shape
    }

    @Test(arguments: names)
    func `every tensor is needed`(_ name: String) throws {
        var file = try ModelCopy.tiny()
        file.tensors.removeAll { $0.name == name }
        #expect(try file.errorOfLoading() as? ModelError == .missingTensor(name))
    }

    /// Also shapes of as many values as the right one.
    @Test(arguments: names)
    func `shapes must be right`(_ name: String) throws {
        let right = try shape(of: name)
        var wrong = [right + [1], [right[0] * 2] + right.dropFirst()]
        if right.count == 1 {
            wrong += [[right[0] + 1], [right[0] - 1], [right[0] / 2, 2]]
        } else if name != "token_embd.weight" {  // its rows are the vocabulary
            wrong += [[right[0], right[1] + 1], [right[0], right[1] - 1], [right[0] * right[1]]]
            wrong += [[right[0], right[1] / 2, 2], [32, right[0] * right[1] / 32]]
            if right[0] != right[1] { wrong.append([right[1], right[0]]) }
        } else {
            wrong += [[32, right[1] * 2], [right[0], 253, 2]]
        }
        for shape in wrong {
            let error = try error(of: name) { $0.reshape(shape) }
            guard case .badShape(name, got: shape, expected: let expected) = error else {
                Issue.record("\(shape) gave \(error as Any)")
                continue
            }
            #expect(expected == right || name == "token_embd.weight")
        }
    }

    @Test(arguments: norms, [TensorType.f16, .bf16, .f64, .i32])
    func `norms are f32`(_ name: String, _ type: TensorType) throws {
        let error = try error(of: name) { $0.reshape($0.shape, type) }
        guard case .unsupportedType(name, type: type, _) = error else {
            Issue.record("gave \(error as Any)")
            return
        }
    }

    @Test(arguments: matrices, [TensorType.f64, .i8, .i32, .q8_1])
    func `matrices are of readable types`(_ name: String, _ type: TensorType) throws {
        let error = try error(of: name) { $0.reshape($0.shape, type) }
        guard case .unsupportedType(name, type: type, _) = error else {
            Issue.record("gave \(error as Any)")
            return
        }
        #expect(error?.description.contains(name) == true && error?.description.contains(type.name) == true)
    }

    @Test(arguments: [
        "blk.3.attn_norm.weight", "blk.0.attn_q.bias", "blk.0.attn_qkv.weight", "rope_freqs.weight",
        "token_types.weight",
        "blk.01.attn_q.weight", "blk.0.attn_q.weight.lora", "output.bias",
    ])
    func `unknown tensors are refused`(_ name: String) throws {
        var file = try ModelCopy.tiny()
        file.tensors.append(.init(name: name, shape: [64], type: .f32, bytes: [UInt8](repeating: 0, count: 256)))
        #expect(try file.errorOfLoading() as? ModelError == .unknownTensor(name))
    }

    /// Heads read these; the model leaves them alone.
    @Test(arguments: ["output.weight", "cls.output.weight"])
    func `tensors of heads are known`(_ name: String) throws {
        var file = try ModelCopy.tiny()
        file.tensors.append(.init(name: name, shape: [64], type: .f32, bytes: [UInt8](repeating: 0, count: 256)))
        #expect(try file.errorOfLoading() == nil)
    }

    @Test(arguments: norms, [Float.nan, .infinity, -.infinity])
    func `norms must be finite`(_ name: String, _ bad: Float) throws {
        for index in [0, 13, 31] {
            let error = try error(of: name) { $0.bytes.store(bad.bitPattern, at: 4 * index) }
            #expect(error == .nonFiniteWeight(tensor: name, index: index))
        }
    }

    // MARK: - Rows for heads

    @Test func `rows for heads are read in f32`() throws {
        let file = try Fixture.model("tiny-lmhead-Q8_0")
        let model = try Qwen3Model(file: file)
        let count = try #require(file.tensor(named: "output.weight")).rowCount
        let row = try #require(try model.dequantizedRow(count - 1, of: "output.weight"))
        #expect(row.count == model.config.hiddenSize && row.contains { $0 != 0 })
        #expect(try model.dequantizedRow(0, of: "cls.output.weight") == nil)
        for index in [.min, -1, count, .max] {
            #expect(throws: ModelError.self) { try model.dequantizedRow(index, of: "output.weight") }
        }
        #expect(throws: ModelError.self) { try model.dequantizedRow(0, of: "blk.0.ffn_down.weight") }
        #expect(throws: ModelError.self) { try model.dequantizedRow(0, of: "output_norm.weight") }
    }

    @Test func `rows of unreadable types are refused`() throws {
        var file = try ModelCopy(of: "tiny-lmhead-Q8_0", tokenizer: false)
        file.edit("output.weight") { $0.reshape($0.shape, .i8) }
        let model = try Qwen3Model(file: file.open())
        #expect(throws: ModelError.self) { try model.dequantizedRow(0, of: "output.weight") }
    }
}
