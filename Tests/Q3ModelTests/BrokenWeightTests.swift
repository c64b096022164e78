// NaN and infinite scales inside blocks: the texts that meet them get non-finite states, all others their usual bits.

import Q3GGUF
import Q3Kernels
import TestSupport
import Testing

@testable import Q3Model

struct BrokenWeightTests {
    private static let scales: [UInt16] = [0x7E00, 0x7C00, 0xFC00]  // NaN, ±infinity
    private static let broken: Int32 = 200

    /// tiny-embed-Q8_0 with `scale` in the first block of a row.
    private func model(_ tensor: String, row: Int, scale: UInt16, isa: ISA, sharing: Bool = true) throws -> Qwen3Model {
        var file = try ModelCopy.tiny()
        file.edit(tensor) { $0.bytes.store(scale, at: row * $0.bytes.count / $0.shape[1]) }
        var options = ModelOptions()
        options.sharesPrefixes = sharing
        return try Qwen3Model(file: file.open(), options: options, isa: isa)
    }

    @Test(arguments: ISA.available, scales)
    func `a broken token harms only texts that have it`(_ isa: ISA, _ scale: UInt16) async throws {
        let t = Self.broken
        // The last ones share their beginnings with texts of the broken token: [7, 8, 9] even stands in one run with
        // it.
        let lists: [[Int32]] = [
            [1, 2, 3], [t], [5, t, 6], [7, 8, 9, t], [10, 11, 12], [5, 6], [7, 8, 9, 300], [5, 300],
        ]
        let clean = try await Tiny.q8_0.model(isa: isa).lastHiddenStates(of: lists).bits
        for sharing in [true, false] {
            let model = try model("token_embd.weight", row: Int(t), scale: scale, isa: isa, sharing: sharing)
            let states = try await model.lastHiddenStates(of: lists)
            for (index, list) in lists.enumerated() {
                if list.contains(t) {
                    #expect(states[index].contains { !$0.isFinite }, "\(list), sharing \(sharing)")
                } else {
                    let same = states[index].map(\.bitPattern) == clean[index]
                    #expect(same, "\(list), sharing \(sharing)")
                }
            }
        }
    }

    @Test(arguments: [
        "attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down",
    ])
    func `a broken layer shows in every text`(_ part: String) async throws {
        for layer in 0..<3 {
            for scale in Self.scales {
                let model = try model("blk.\(layer).\(part).weight", row: 5, scale: scale, isa: .best)
                let states = try await model.lastHiddenStates(of: [[1, 2, 3], [4], [1, 2, 9, 9]])
                #expect(states.allSatisfy { $0.contains { !$0.isFinite } }, "layer \(layer), scale \(scale)")
            }
        }
    }

    @Test func `weights of zero give finite states`() async throws {
        var file = try ModelCopy.tiny()
        for name in file.tensors.map(\.name) where !name.contains("norm") { file.edit(name) { $0.reshape($0.shape) } }
        let states = try await Qwen3Model(file: file.open()).lastHiddenStates(of: [[1, 2, 3]])
        #expect(states == [[Float](repeating: 0, count: 64)])
    }
}
