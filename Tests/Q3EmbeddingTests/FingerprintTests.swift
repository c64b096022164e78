// Fingerprints: equal for what gives the same vectors, different for what does not.
import Q3Embedding
import Q3GGUF
import Q3Model
import TestSupport
import Testing

@Suite struct FingerprintTests {
    private static let fixture = "tiny-embed-F32"

    private func fingerprint(precision: Precision = .fast, _ change: (inout ModelCopy) throws -> Void) throws
        -> Fingerprint
    {
        var copy = try ModelCopy(of: Self.fixture)
        try change(&copy)
        var options = ModelOptions()
        options.precision = precision
        return try Fingerprint(of: Qwen3Model(file: copy.open(), options: options))
    }

    private static let harmless: [@Sendable (inout ModelCopy) -> Void] = [
        { $0["general.name"] = .string("another name") },
        { $0["qwen3.context_length"] = .uint32(512) },
        { $0["tokenizer.ggml.add_eos_token"] = nil },
        { $0.tensors.reverse() },
        { $0.metadata.reverse() },
        { $0["general.alignment"] = .uint32(64) },
        { $0["sentence_transformers.prompts.query"] = .string("Instruct: another task\nQuery:") },
    ]

    @Test(arguments: harmless.indices) func sameSpaceSameFingerprint(_ index: Int) throws {
        #expect(try fingerprint(Self.harmless[index]) == fingerprint { _ in })
    }

    private static let harmful: [@Sendable (inout ModelCopy) -> Void] = [
        { $0.edit("output_norm.weight") { $0.bytes[0] ^= 1 } },
        { $0.edit("blk.1.ffn_down.weight") { $0.bytes[$0.bytes.count - 1] ^= 1 } },
        { $0["qwen3.rope.freq_base"] = .float32(3_500_000) },
        { $0["qwen3.attention.layer_norm_rms_epsilon"] = .float32(1e-5) },
        { $0["sentence_transformers.prompts.query"] = .string("") },
        { copy in
            guard case .array(let array)? = copy.metadata.first(where: { $0.key == "tokenizer.ggml.merges" })?.value,
                var merges = array.strings?.makeStrings()
            else { return }
            merges.removeLast()
            copy["tokenizer.ggml.merges"] = .array(MetadataArray(merges))
        },
    ]

    @Test(arguments: harmful.indices) func otherSpaceOtherFingerprint(_ index: Int) throws {
        #expect(try fingerprint(Self.harmful[index]) != fingerprint { _ in })
    }

    @Test func precisionCounts() throws {
        #expect(try fingerprint(precision: .exact) { _ in } != fingerprint { _ in })
    }

    @Test func isSixteenDigits() throws {
        let text = "\(try fingerprint { _ in })"
        #expect(text.count == 16)
        #expect(text.allSatisfy { $0.isHexDigit })
    }
}
