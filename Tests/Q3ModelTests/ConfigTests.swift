// Metadata that no Qwen3 model can have is refused with an error that names the key.

import Q3GGUF
import TestSupport
import Testing

@testable import Q3Model

struct ConfigTests {
    private static let sizes = [
        "block_count", "context_length", "embedding_length", "feed_forward_length", "attention.head_count",
        "attention.head_count_kv", "attention.key_length", "attention.value_length",
    ].map { "qwen3." + $0 }
    private static let numbers = ["qwen3.rope.freq_base", "qwen3.attention.layer_norm_rms_epsilon"]

    private func error(of key: String, _ value: MetadataValue?) throws -> (any Error)? {
        var file = try ModelCopy.tiny()
        file[key] = value
        return try file.errorOfLoading()
    }

    @Test func `an unchanged file loads`() throws {
        let config = try Qwen3Config(file: ModelCopy.tiny().open())
        #expect(config.layerCount == 3 && config.hiddenSize == 64 && config.ffnSize == 96)
        #expect(config.heads == 4 && config.kvHeads == 2 && config.headDim == 32)
        #expect(config.queryWidth == 128 && config.keyWidth == 64 && config.group == 2)
        #expect(config.vocabularySize == 506 && config.contextLength == 32_768)
        #expect(config.ropeTheta == 1e6 && config.rmsNormEpsilon == 1e-6)
    }

    @Test(arguments: ["general.architecture"] + sizes + numbers)
    func `every key is needed`(_ key: String) throws {
        #expect(try error(of: key, nil) as? GGUFError == .missingKey(key))
    }

    @Test(arguments: ["general.architecture"] + sizes + numbers)
    func `types must be right`(_ key: String) throws {
        let expected = key == "general.architecture" ? "string" : Self.numbers.contains(key) ? "f32" : "u32"
        let values: [(name: String, value: MetadataValue)] = [
            ("u32", .uint32(4)), ("string", .string("4")), ("f32", .float32(4)), ("f64", .float64(4)),
            ("bool", .bool(true)),
            ("array of u32", .array(MetadataArray([4, 4, 4] as [UInt32]))),
        ]
        for (name, value) in values where name != expected {
            let error = try error(of: key, value) as? GGUFError
            #expect(error == .wrongType(key: key, expected: expected, got: name))
        }
    }

    /// Converters differ in the integer type; a value that does not fit is not a size.
    @Test func `other integer types are taken where the value fits`() throws {
        #expect(try error(of: "qwen3.block_count", .uint64(3)) == nil)
        #expect(try error(of: "qwen3.block_count", .int32(3)) == nil)
        for value in [MetadataValue.int32(-1), .uint64(1 << 32)] {
            let error = try error(of: "qwen3.block_count", value) as? GGUFError
            guard case .outOfRange(key: "qwen3.block_count", _, _) = error else {
                Issue.record("\(value) gave \(error as Any)")
                continue
            }
        }
    }

    @Test(arguments: ["llama", "qwen2", "Qwen3", "qwen3moe", "", "bert"])
    func `other architectures are refused`(_ name: String) throws {
        let error = try error(of: "general.architecture", .string(name)) as? ModelError
        #expect(error == .unsupportedArchitecture(name))
    }

    @Test(
        arguments: [
            ("block_count", [0, 513, 1025, .max]),
            ("embedding_length", [0, 1, 63, 65, 16_416, 1 << 31, .max]),
            ("feed_forward_length", [0, 1, 95, 97, 65_568, 1 << 31, .max]),
            ("attention.head_count", [0, 1, 3, 129, .max]),
            ("attention.head_count_kv", [0, 3, 5, 8, .max]),
            ("attention.key_length", [0, 1, 16, 31, 33, 288, .max]),
            ("attention.value_length", [0, 31, 64, .max]),
            ("context_length", [0]),
        ] as [(String, [UInt32])])
    func `bad sizes are refused`(_ key: String, _ values: [UInt32]) throws {
        for value in values { try expectBadValue("qwen3." + key, .uint32(value), about: "qwen3.\(key)") }
    }

    private static let oddNumbers: [Float] = [
        0, -0.0, -1, .nan, .signalingNaN, .infinity, -.infinity, .leastNonzeroMagnitude, 1e38, .greatestFiniteMagnitude,
    ]

    @Test(arguments: numbers)
    func `bad numbers are refused`(_ key: String) throws {
        let more: [Float] = key.hasSuffix("epsilon") ? [1, 0.11] : [0.5, 1e13]
        for value in Self.oddNumbers + more { try expectBadValue(key, .float32(value)) }
    }

    /// Arithmetic that is not implemented, whose vectors would be wrong.
    @Test func `variants that are not computed are refused`() throws {
        let variants: [(key: String, values: [MetadataValue])] = [
            ("qwen3.rope.scaling.type", [.string("yarn"), .string("linear"), .string("longrope"), .string("")]),
            ("qwen3.rope.scaling.factor", [.float32(0), .float32(2), .float32(.nan)]),
            ("qwen3.rope.scale_linear", [.float32(0), .float32(4), .float32(.infinity)]),
            ("qwen3.rope.dimension_count", [.uint32(16), .uint32(64), .uint32(0)]),
            ("qwen3.attention.sliding_window", [.uint32(4096)]),
            ("qwen3.expert_count", [.uint32(8)]),
            ("qwen3.expert_used_count", [.uint32(2)]),
            ("qwen3.rope.scaling.attn_factor", [.float32(2)]),
            ("qwen3.attention.scale", [.float32(1), .float32(.nan)]),
            ("qwen3.embedding_length_out", [.uint32(32)]),
            ("qwen3.attention.causal", [.bool(false)]),
            ("qwen3.attention.sliding_window_pattern", [.uint32(6), .bool(true)]),
            ("qwen3.logit_scale", [.float32(0.5)]),
            ("qwen3.dense_2_feat_out", [.uint32(64)]),
        ]
        for (key, values) in variants {
            for value in values {
                let error = try error(of: key, value) as? ModelError
                guard case .unsupported(key, _, _) = error else {
                    Issue.record("\(key) \(value): \(error as Any)")
                    continue
                }
                let text = error?.description ?? ""
                #expect(text.contains(key) && text.contains("not supported") && !text.contains("damaged"))
            }
        }
    }

    /// The same keys with values that change nothing.
    @Test(
        arguments: [
            ("qwen3.rope.scaling.type", .string("none")), ("qwen3.rope.scaling.factor", .float32(1)),
            ("qwen3.rope.scale_linear", .float32(1)), ("qwen3.rope.dimension_count", .uint32(32)),
            ("qwen3.attention.sliding_window", .uint32(0)), ("qwen3.expert_count", .uint32(0)),
            ("qwen3.attention.scale", .float32(0)), ("qwen3.attention.scale", .float32(0.17677669)),
            ("qwen3.embedding_length_out", .uint32(64)), ("qwen3.vocab_size", .uint32(506)),
            ("qwen3.rope.scaling.original_context_length", .uint32(4096)), ("qwen3moe.expert_count", .uint32(8)),
            ("qwen3.attention.causal", .bool(true)), ("qwen3.context_length", .uint32(.max)),
            ("qwen3.context_length", .uint32(1)), ("general.name", .uint32(4)), ("unheard.of", .string("?")),
        ] as [(String, MetadataValue)])
    func `harmless values are accepted`(_ key: String, _ value: MetadataValue) throws {
        #expect(try error(of: key, value) == nil)
    }

    /// Sizes that are possible but not those of the tensors: the error names the first tensor that differs.
    @Test(
        arguments: [
            ("qwen3.block_count", 4, .missingTensor("blk.3.attn_norm.weight")),
            ("qwen3.block_count", 2, .unknownTensor("blk.2.attn_norm.weight")),
            (
                "qwen3.embedding_length", 96,
                .badShape(tensor: "token_embd.weight", got: [64, 506], expected: [96, 506])
            ),
            (
                "qwen3.feed_forward_length", 64,
                .badShape(tensor: "blk.0.ffn_gate.weight", got: [64, 96], expected: [64, 64])
            ),
            (
                "qwen3.attention.head_count", 8,
                .badShape(tensor: "blk.0.attn_q.weight", got: [64, 128], expected: [64, 256])
            ),
            (
                "qwen3.attention.head_count_kv", 4,
                .badShape(tensor: "blk.0.attn_k.weight", got: [64, 64], expected: [64, 128])
            ),
        ] as [(String, UInt32, ModelError)])
    func `sizes must fit the tensors`(_ key: String, _ value: UInt32, _ expected: ModelError) throws {
        #expect(try error(of: key, .uint32(value)) as? ModelError == expected)
    }

    /// Half the heads of twice the size: the projections fit, the head norms do not.
    @Test func `head norms must fit the heads`() throws {
        var file = try ModelCopy.tiny()
        file["qwen3.attention.head_count"] = .uint32(2)
        file["qwen3.attention.head_count_kv"] = .uint32(1)
        file["qwen3.attention.key_length"] = .uint32(64)
        file["qwen3.attention.value_length"] = .uint32(64)
        let expected = ModelError.badShape(tensor: "blk.0.attn_q_norm.weight", got: [32], expected: [64])
        #expect(try file.errorOfLoading() as? ModelError == expected)
    }

    /// A table for 4,294,967,295 positions would take terabytes; nothing is sized by the context length.
    @Test func `a huge context length costs no memory`() async throws {
        var file = try ModelCopy.tiny()
        file["qwen3.context_length"] = .uint32(.max)
        let model = try Qwen3Model(file: file.open())
        let states = try await model.lastHiddenStates(of: [[1, 2, 3]])
        #expect(try await states.bits == Tiny.q8_0.model().lastHiddenStates(of: [[1, 2, 3]]).bits)
    }

    /// Loads a file with this value and expects an error about `key`, or `about`, that says so to its reader.
    private func expectBadValue(_ key: String, _ value: MetadataValue, about: String? = nil) throws {
        let error = try error(of: key, value)
        let blamed: String? =
            if case .badValue(let key, _, _) = error as? ModelError { key } else { nil }
        #expect(blamed != nil, "\(key) \(value): \(error as Any)")
        // A head count can also be blamed on the number that it must divide.
        let related = ["qwen3.attention.head_count_kv", "qwen3.attention.value_length"]
        #expect(blamed == key || related.contains(blamed ?? ""), "\(key) \(value)")
        if let error, let blamed { #expect("\(error)".contains(blamed)) }
    }
}
