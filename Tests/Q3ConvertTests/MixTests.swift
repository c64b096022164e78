// Which tensor gets which type: the tables that llama.cpp's quantizer gives for the same model.
import Q3GGUF
import Testing

@testable import Q3Convert

struct MixTests {
    /// Layers whose matrix of that name has another type than the rest, for a model of 28 layers with tied embeddings.
    private static let exceptions: [(FileType, String, TensorType, [Int])] = [
        (.q4_K_M, "attn_v", .q6_K, [0, 1, 2, 5, 8, 11, 14, 17, 20, 23, 24, 25, 26, 27]),
        (.q4_K_M, "ffn_down", .q6_K, [0, 1, 2, 5, 8, 11, 14, 17, 20, 23, 24, 25, 26, 27]),
        (.q5_K_M, "attn_v", .q6_K, [0, 1, 2, 5, 8, 11, 14, 17, 20, 23, 24, 25, 26, 27]),
        (.q5_K_M, "ffn_down", .q6_K, [0, 1, 2, 5, 8, 11, 14, 17, 20, 23, 24, 25, 26, 27]),
        (.q4_K_S, "attn_v", .q5_K, [0, 1, 2, 3]),
        (.q4_K_S, "ffn_down", .q5_K, [0, 1, 2]),
    ]

    private static let matrices = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]

    private func mix(_ type: FileType, layers: Int, hasOutput: Bool = false) -> Mix {
        let names = (0..<layers).map { "blk.\($0).attn_v.weight" }
        return Mix(type, tensorNames: ["token_embd.weight"] + names + (hasOutput ? ["output.weight"] : []))
    }

    @Test(arguments: FileType.allCases)
    func `layers of the small model have their types`(_ fileType: FileType) {
        let mix = mix(fileType, layers: 28)
        for name in Self.matrices {
            for layer in 0..<28 {
                let exception = Self.exceptions.first { $0.0 == fileType && $0.1 == name && $0.3.contains(layer) }
                let type = mix.type(of: "blk.\(layer).\(name).weight", shape: [1024, 2048], now: .f16)
                #expect(type == exception?.2 ?? fileType.tensorType, "\(name) of layer \(layer)")
            }
        }
    }

    @Test func `layers of the large models have their types`() {
        let mix = mix(.q4_K_M, layers: 36)
        let finer = (0..<36).filter {
            mix.type(of: "blk.\($0).ffn_down.weight", shape: [9728, 2560], now: .bf16) == .q6_K
        }
        #expect(finer == [0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 31, 32, 33, 34, 35])
    }

    @Test(arguments: FileType.allCases.filter(\.isQuantized))
    func `the output has more bits`(_ fileType: FileType) {
        let expected: TensorType = fileType == .q8_0 ? .q8_0 : .q6_K
        let tied = mix(fileType, layers: 28)
        let untied = mix(fileType, layers: 28, hasOutput: true)
        #expect(tied.type(of: "token_embd.weight", shape: [1024, 151_669], now: .f16) == expected)
        #expect(untied.type(of: "output.weight", shape: [1024, 151_669], now: .f16) == expected)
        #expect(untied.type(of: "token_embd.weight", shape: [1024, 151_669], now: .f16) == fileType.tensorType)
        #expect(tied.type(of: "token_embd.weight", shape: [96, 151_669], now: .f16) == .q8_0)
    }

    @Test(arguments: FileType.allCases)
    func `norms and heads are kept`(_ fileType: FileType) {
        let mix = mix(fileType, layers: 28)
        #expect(mix.type(of: "blk.0.attn_norm.weight", shape: [1024], now: .f32) == .f32)
        #expect(mix.type(of: "blk.0.attn_q_norm.weight", shape: [128], now: .f32) == .f32)
        #expect(mix.type(of: "cls.output.weight", shape: [1024, 2], now: .f16) == .f32)
    }

    private static let shortRows: [(FileType, Int, TensorType)] = [
        (.q4_K_M, 96, .q5_0), (.q5_K_M, 96, .q5_1), (.q6_K, 96, .q8_0), (.q4_0, 96, .q4_0), (.q4_K_M, 40, .f16),
        (.q8_0, 40, .f16),
    ]

    @Test(arguments: shortRows) func `rows that do not fill blocks get a type of shorter ones`(
        _ fileType: FileType, _ length: Int, _ expected: TensorType
    ) {
        #expect(mix(fileType, layers: 28).type(of: "blk.4.attn_q.weight", shape: [length, 64], now: .f32) == expected)
    }

    @Test func `names are read in any case`() {
        #expect(
            FileType(name: "q4_k_m") == .q4_K_M && FileType(name: "Q4_K") == .q4_K_M
                && FileType(name: "q5_k") == .q5_K_M)
        #expect(FileType(name: "bf16") == .bf16 && FileType(name: "q2_k") == nil && FileType(name: "") == nil)
    }
}
