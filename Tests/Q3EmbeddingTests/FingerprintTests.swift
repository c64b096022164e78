// Fingerprints: equal for what gives the same vectors, different for what does not.
import Q3Embedding
import Q3GGUF
import Q3Model
import TestSupport
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

@Suite struct FingerprintTests {
    private static let fixture = "tiny-embed-F32"

    private func fingerprint(precision: Precision = .auto, _ change: (inout ModelCopy) throws -> Void) throws
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

    @Test(arguments: harmless.indices) func `same space same fingerprint`(_ index: Int) throws {
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

    @Test(arguments: harmful.indices) func `other space other fingerprint`(_ index: Int) throws {
        #expect(try fingerprint(Self.harmful[index]) != fingerprint { _ in })
    }

    @Test func `precision counts`() throws {
        let all = try Precision.allCases.map { try fingerprint(precision: $0) { _ in } }
        #expect(Set(all).count == Precision.allCases.count)
    }

    @Test func `a fingerprint is read back from its digits and from JSON`() throws {
        let fingerprint = try fingerprint { _ in }
        #expect(Fingerprint("\(fingerprint)") == fingerprint)
        let json = try JSONEncoder().encode([fingerprint])
        #expect(String(decoding: json, as: UTF8.self) == "[\"\(fingerprint)\"]")
        #expect(try JSONDecoder().decode([Fingerprint].self, from: json) == [fingerprint])
        #expect(Fingerprint("0000000000000001")?.value == 1)
        for text in ["", "1", "+000000000000001", "000000000000000g", "00000000000000011", "0x00000000000001"] {
            #expect(Fingerprint(text) == nil, "\(text)")
        }
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([Fingerprint].self, from: Data("[\"1\"]".utf8)) }
    }

    @Test func `is sixteen digits`() throws {
        let text = "\(try fingerprint { _ in })"
        #expect(text.count == 16)
        #expect(text.allSatisfy { $0.isHexDigit })
    }
}
