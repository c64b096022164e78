// Folders that are incomplete, damaged or hostile: each gives an error that says what, and nothing is left behind.
import Q3GGUF
import TestSupport
import Testing

@testable import Q3Convert

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

struct FolderTests {
    private let folder: TemporaryFolder
    private var path: String { folder.file("tiny-embedding") }

    init() throws {
        folder = try TemporaryFolder()
        try FileManager.default.copyItem(
            atPath: Fixture.path("checkpoints/tiny-embedding"), toPath: folder.file("tiny-embedding"))
    }

    private func convert(_ role: Role? = nil) throws {
        _ = try Converter.convert(folder: path, to: folder.file("out.gguf"), role: role)
    }

    /// The message of what is thrown.
    private func message(_ role: Role? = nil) -> String {
        do {
            try convert(role)
            return "nothing was thrown"
        } catch {
            return "\(error)"
        }
    }

    private func replace(_ old: String, with new: String, in name: String) throws {
        let text = String(decoding: try folder.read("tiny-embedding/\(name)"), as: UTF8.self)
        #expect(text.contains(old))
        try folder.write("tiny-embedding/\(name)", text.replacing(old, with: new).utf8)
    }

    @Test(arguments: ["config.json", "model.safetensors", "tokenizer.json"])
    func missingFilesAreNamed(_ name: String) throws {
        try FileManager.default.removeItem(atPath: "\(path)/\(name)")
        let wanted = name == "tokenizer.json" ? "vocab.json" : name
        #expect(message().contains("has no \(wanted)"))
        #expect(try folder.names() == ["tiny-embedding"])
    }

    private static let edits = [
        ("config.json", "\"model_type\": \"qwen3\"", "\"model_type\": \"llama\"", "model_type is llama"),
        ("config.json", "\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu\"", "hidden_act is gelu"),
        ("config.json", "\"attention_bias\": false", "\"attention_bias\": true", "attention_bias is true"),
        ("config.json", "\"rope_type\": \"default\"", "\"rope_type\": \"yarn\"", "positions are scaled (yarn)"),
        ("config.json", "\"hidden_size\": 64", "\"hidden_size\": 128", "its config.json wants [512, 128]"),
        ("config.json", "\"hidden_size\": 64", "\"hidden_size\": -64", "a size is not between"),
        ("config.json", "\"hidden_size\": 64", "\"hidden_size\": 99999999999999999999999", "config.json: "),
        ("config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", "has no tensor layers.2."),
        ("config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1", "layers.1."),
        ("config.json", "{", "[", "no JSON"),
        (
            "1_Pooling/config.json", "\"pooling_mode_lasttoken\": true", "\"pooling_mode_lasttoken\": false",
            "another pooling"
        ),
        ("tokenizer.json", "\"NFC\"", "\"NFKC\"", "normalizer is not NFC"),
        ("tokenizer.json", "(?!\\\\S)", "", "does not split text as Qwen3 does"),
        ("tokenizer.json", "<|im_end|>", "<|im_over|>", "no token <|im_end|>"),
    ]

    @Test(arguments: edits) func whatIsWrongIsSaid(_ name: String, _ old: String, _ new: String, _ wanted: String)
        throws
    {
        try replace(old, with: new, in: name)
        let message = message()
        #expect(message.contains(wanted), "\(message)")
        #expect(try folder.names() == ["tiny-embedding"])
    }

    @Test func aRoleThatNothingTellsIsAskedFor() throws {
        try FileManager.default.moveItem(atPath: path, toPath: folder.file("model"))
        try FileManager.default.removeItem(atPath: folder.file("model/1_Pooling"))
        let config = String(decoding: try folder.read("model/config.json"), as: UTF8.self)
        try folder.write("model/config.json", config.replacing("\"Qwen3Model\"", with: "\"Qwen3ForCausalLM\"").utf8)
        let model = folder.file("model")
        #expect(throws: ConvertError.unknownRole(folder: model)) {
            try Converter.convert(folder: model, to: folder.file("out.gguf"))
        }
        _ = try Converter.convert(folder: model, to: folder.file("out.gguf"), role: .embedding)
        #expect(try GGUFFile(path: folder.file("out.gguf")).metadata.uint32("qwen3.pooling_type") == 3)
    }

    private static let adapterEdits = [
        ("\"r\": 4", "\"r\": 8", "its config.json wants [8, "), ("\"r\": 4", "\"r\": 0", "wanted at least 1"),
        ("\"LORA\"", "\"LOHA\"", "peft_type is LOHA"), ("\"use_dora\": false", "\"use_dora\": true", "use_dora"),
        ("\"bias\": \"none\"", "\"bias\": \"all\"", "bias is all"), ("\"r\": 4,", "", "r is missing"),
        ("\"rank_pattern\": {}", "\"rank_pattern\": {\"q_proj\": 2}", "differ from layer to layer"),
    ]

    @Test(arguments: adapterEdits)
    func whatIsWrongWithAnAdapterIsSaid(_ old: String, _ new: String, _ wanted: String) throws {
        let adapter = folder.file("tiny-adapter")
        try FileManager.default.copyItem(atPath: Fixture.path("checkpoints/tiny-adapter"), toPath: adapter)
        let config = String(decoding: try folder.read("tiny-adapter/adapter_config.json"), as: UTF8.self)
        #expect(config.contains(old))
        try folder.write("tiny-adapter/adapter_config.json", config.replacing(old, with: new).utf8)
        do {
            _ = try Converter.convert(folder: path, adapter: adapter, to: folder.file("out.gguf"))
            Issue.record("nothing was thrown")
        } catch {
            #expect("\(error)".contains(wanted), "\(error)")
        }
    }

    @Test func adaptersOfOtherModelsAreRefused() throws {
        let text = String(decoding: try folder.read("tiny-embedding/config.json"), as: UTF8.self)
        try folder.write(
            "tiny-embedding/config.json",
            text.replacing("\"num_hidden_layers\": 2", with: "\"num_hidden_layers\": 1").utf8)
        do {
            _ = try Converter.convert(
                folder: path, adapter: Fixture.path("checkpoints/tiny-adapter"), to: folder.file("out.gguf"))
            Issue.record("nothing was thrown")
        } catch {
            #expect("\(error)".contains("layers.1."), "\(error)")
        }
    }

    // MARK: - Safetensors

    private func writeWeights(header: String, data: Int = 0, length: UInt64? = nil) throws {
        var bytes = [UInt8](repeating: 0, count: 8)
        bytes.store(length ?? UInt64(header.utf8.count), at: 0)
        try folder.write(
            "tiny-embedding/model.safetensors", bytes + Array(header.utf8) + [UInt8](repeating: 0, count: data))
    }

    private static func entry(_ dtype: String = "F32", _ shape: String = "[512,64]", _ offsets: String = "[0,131072]")
        -> String
    {
        "{\"embed_tokens.weight\":{\"dtype\":\"\(dtype)\",\"shape\":\(shape),\"data_offsets\":\(offsets)}}"
    }

    private static let headers = [
        ("", "no JSON"), ("[]", "no JSON"), ("{\"a\":1}", "has another type"),
        ("{\"a\":{\"dtype\":\"F32\"}}", "a.shape is missing"),
        (entry("I64"), "is I64, wanted F32, F16 or BF16"),
        (entry("F32", "[-512,64]"), "has shape"), (entry("F32", "[0,64]"), "has shape"),
        (entry("F32", "[9223372036854775807,64]"), "has shape"),
        (entry("F32", "[4611686018427387904,4]"), "has shape"),
        (entry("F32", "[99999999999999999999,64]"), "header"),
        (entry("F32", "[512,64]", "[0,131073]"), "outside the file"),
        (entry("F32", "[512,64]", "[-1,131071]"), "outside the file"),
        (entry("F32", "[512,64]", "[131072,0]"), "outside the file"),
        (entry("F32", "[512,64]", "[0]"), "outside the file"),
        (entry("F32", "[512,64]", "[0,9223372036854775807]"), "outside the file"),
        (entry("F32", "[512,64]", "[0,131068]"), "its shape [512, 64] needs 131072"),
        (entry("F32", "[512,64]"), "has no tensor layers.0.input_layernorm.weight"),
        (String(repeating: "[", count: 100_000), "no JSON"),
    ]

    @Test(arguments: headers) func hostileHeadersAreRefused(_ header: String, _ wanted: String) throws {
        try writeWeights(header: header, data: 131_072)
        let message = message()
        #expect(message.contains(wanted), "\(message)")
        #expect(try folder.names() == ["tiny-embedding"])
    }

    @Test(arguments: [UInt64(0), 1, 1 << 20, 1 << 40, 1 << 63, .max])
    func lyingLengthsAreRefused(_ length: UInt64) throws {
        try writeWeights(header: Self.entry(), data: 1000, length: length)
        #expect(message().contains("is damaged or no safetensors file"))
        try folder.write("tiny-embedding/model.safetensors", [1, 2, 3])
        #expect(message().contains("3 bytes"))
    }

    @Test func everyCutIsRefused() throws {
        let bytes = try folder.read("tiny-embedding/model.safetensors")
        for count in [8, 100, 1000, bytes.count / 2, bytes.count - 1] {
            try folder.write("tiny-embedding/model.safetensors", bytes.prefix(count))
            #expect(message().contains("model.safetensors"))
        }
    }

    @Test func partsLieInTheFolder() throws {
        for part in ["../tiny-embedding/model.safetensors", "/etc/passwd", "model.bin"] {
            try folder.write("tiny-embedding/model.safetensors.index.json", "{\"weight_map\":{\"a\":\"\(part)\"}}".utf8)
            #expect(message().contains("it names a part"))
        }
        try folder.write(
            "tiny-embedding/model.safetensors.index.json", "{\"weight_map\":{\"a\":\"b.safetensors\"}}".utf8)
        #expect(message().contains("has no b.safetensors"))
    }

    @Test func theWeightsAreNotReplaced() throws {
        let before = try folder.read("tiny-embedding/model.safetensors")
        #expect(throws: ConvertError.outputIsInput(path: "\(path)/model.safetensors")) {
            try Converter.convert(folder: path, to: "\(path)/model.safetensors")
        }
        #expect(try folder.read("tiny-embedding/model.safetensors") == before)
    }
}
