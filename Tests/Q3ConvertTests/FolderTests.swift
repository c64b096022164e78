// Folders that are incomplete, damaged or hostile: each gives an error that says what, and nothing is left behind.
import Q3GGUF
import Q3Model
import Q3System
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

    private func convert(_ role: ModelRole.Kind? = nil) throws {
        _ = try Converter.convert(folder: path, to: folder.file("out.gguf"), role: role)
    }

    /// The message of what is thrown.
    private func message(_ role: ModelRole.Kind? = nil) -> String {
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
    func `missing files are named`(_ name: String) throws {
        try FileManager.default.removeItem(atPath: "\(path)/\(name)")
        let expected = name == "tokenizer.json" ? "vocab.json" : name
        #expect(message().contains("has no \(expected)"))
        #expect(try folder.names() == ["tiny-embedding"])
    }

    private static let edits = [
        ("config.json", "\"model_type\": \"qwen3\"", "\"model_type\": \"llama\"", "model_type is llama"),
        ("config.json", "\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu\"", "hidden_act is gelu"),
        ("config.json", "\"attention_bias\": false", "\"attention_bias\": true", "attention_bias is true"),
        ("config.json", "\"rope_type\": \"default\"", "\"rope_type\": \"yarn\"", "positions are scaled (yarn)"),
        ("config.json", "\"hidden_size\": 64", "\"hidden_size\": 128", "its config.json expects [512, 128]"),
        ("config.json", "\"hidden_size\": 64", "\"hidden_size\": -64", "hidden_size is -64, expected 1 to 2097152"),
        ("config.json", "\"hidden_size\": 64", "\"hidden_size\": 64.5", "has a number that does not fit"),
        ("config.json", "\"vocab_size\": 512", "\"vocab_size\": 2147483647", "vocab_size is 2147483647"),
        (
            "config.json", "\"vocab_size\": 512", "\"vocab_size\": 500",
            "has shape [512, 64], its config.json expects [500, 64]"
        ),
        ("tokenizer.json", "\"id\": 486", "\"id\": 512", "has number 512, but the model has 512 rows"),
        ("config.json", "\"head_dim\": 32", "\"head_dim\": 0", "head_dim is 0"),
        ("config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 0", "num_hidden_layers is 0"),
        ("config.json", "embeddings\": 4096", "embeddings\": 0", "max_position_embeddings is 0"),
        ("config.json", "\"rms_norm_eps\": 1e-06", "\"rms_norm_eps\": -1", "epsilon is -1.0, expected"),
        ("config.json", "\"rms_norm_eps\": 1e-06", "\"rms_norm_eps\": 1e999", "config.json: "),
        ("config.json", "\"rope_theta\": 1000000.0", "\"rope_theta\": 0", "rope.freq_base is 0.0, expected"),
        ("config.json", "\"rope_theta\": 1000000.0", "\"other\": 0", "rope_theta is missing"),
        ("config.json", "\"rope_type\"", "\"partial_rotary_factor\": 0.5, \"rope_type\"", "partial_rotary_factor"),
        ("config.json", "\"use_sliding_window\": false", "\"use_sliding_window\": true", "use_sliding_window is true"),
        ("config.json", "[\n    \"full_attention\"", "[\n    \"sliding_attention\"", "has sliding_attention"),
        ("config.json", "\"use_cache\": true", "\"is_causal\": false", "is_causal is false"),
        (
            "config.json", "\"use_cache\": true", "\"use_bidirectional_attention\": true",
            "use_bidirectional_attention is set"
        ),
        ("config.json", "\"use_cache\": true", "\"logits_soft_cap\": 30.0", "logits_soft_cap is set"),
        ("config.json", "\"use_cache\": true", "\"attention_multiplier\": 0.5", "attention_multiplier is set"),
        ("config.json", "\"use_cache\": true", "\"num_experts\": 8", "num_experts is set"),
        ("config.json", "\"use_cache\": true", "\"quantization_config\": {\"bits\": 4}", "quantization_config is set"),
        ("config.json", "\"use_cache\": true", "\"auto_map\": {\"AutoModel\": \"m.M\"}", "auto_map names code"),
        ("config.json", "\"Qwen3Model\"", "\"Qwen3BiModel\"", "architectures has Qwen3BiModel"),
        ("config.json", "\"hidden_size\": 64", "\"hidden_size\": 99999999999999999999999", "config.json: "),
        ("config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", "has no tensor layers.2."),
        ("config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1", "layers.1."),
        ("config.json", "{", "[", "not JSON"),
        (
            "1_Pooling/config.json", "\"pooling_mode_lasttoken\": true", "\"pooling_mode_lasttoken\": false",
            "pooling by nothing, expected lasttoken"
        ),
        (
            "1_Pooling/config.json", "\"pooling_mode_mean_tokens\": false", "\"pooling_mode\": \"mean\"",
            "pooling by mean"
        ),
        (
            "1_Pooling/config.json", "\"pooling_mode_mean_tokens\": false",
            "\"pooling_mode\": [\"lasttoken\", \"cls\"]",
            "pooling by lasttoken, cls"
        ),
        (
            "1_Pooling/config.json", "\"pooling_mode_cls_token\": false", "\"pooling_mode_cls_token\": true",
            "pooling by cls_token, lasttoken"
        ),
        ("1_Pooling/config.json", "true", "1", "has another type"),
        ("config_sentence_transformers.json", "\"query\"", "\"\"", "prompt named \"\""),
        ("config_sentence_transformers.json", "\"query\"", "\"a\\u0000b\"", "prompt named \"a\\u{0}b\""),
        ("tokenizer.json", "\"NFC\"", "\"NFKC\"", "normalizer is not NFC"),
        ("tokenizer.json", "(?!\\\\S)", "", "does not split text as Qwen3 does"),
        ("tokenizer.json", "\"Isolated\"", "\"Removed\"", "does not split text as Qwen3 does"),
        ("tokenizer.json", "\"ignore_merges\": false", "\"ignore_merges\": true", "merges in another way"),
        ("tokenizer.json", "<|box_end|>", "<|box_start|>", "token 486 is the same as token 485"),
        ("tokenizer.json", "\"id\": 486", "\"id\": 485", "two tokens have number 485"),
        ("tokenizer.json", "\"id\": 486", "\"id\": -1", "has number -1"),
        ("tokenizer.json", "\"id\": 486", "\"id\": 9223372036854775807", "has number 9223372036854775807"),
        ("tokenizer.json", "<|im_end|>", "<|im_over|>", "no token <|im_end|>"),
    ]

    /// Notes, and switches that are off.
    private static let harmless = [
        "\"use_bidirectional_attention\": false", "\"auto_map\": {}", "\"quantization_config\": null",
        "\"embedding_multiplier\": 1.0", "\"logit_scale\": 1", "\"unsloth_version\": \"2026.1\"",
        "\"transformers_version\": \"5.0\"", "\"num_experts\": 0", "\"attention_bias_list\": []",
        "\"torch_dtype\": \"bfloat16\"",
    ]

    @Test(arguments: harmless) func `settings that change nothing are accepted`(_ setting: String) throws {
        try replace("\"use_cache\": true", with: setting, in: "config.json")
        #expect(message() == "nothing was thrown")
    }

    @Test(arguments: edits) func `errors say what is wrong`(
        _ name: String, _ old: String, _ new: String, _ expected: String
    )
        throws
    {
        try replace(old, with: new, in: name)
        let message = message()
        #expect(message.contains(expected), "\(message)")
        #expect(try folder.names() == ["tiny-embedding"])
    }

    private static let poolings = [
        "{\"pooling_mode\": \"lasttoken\"}", "{\"pooling_mode\": [\"lasttoken\"], \"include_prompt\": true}",
    ]

    @Test(arguments: poolings) func `new spellings of the pooling are read`(_ text: String) throws {
        try folder.write("tiny-embedding/1_Pooling/config.json", text.utf8)
        try convert()
        #expect(try GGUFFile(path: folder.file("out.gguf")).metadata.uint32("qwen3.pooling_type") == 3)
    }

    private static func module(_ type: String, _ path: String) -> String {
        "{\"idx\": 0, \"name\": \"0\", \"path\": \"\(path)\", \"type\": \"sentence_transformers.models.\(type)\"}"
    }

    @Test func `modules that are not computed are refused`() throws {
        let usual = [Self.module("Transformer", ""), Self.module("Pooling", "1_Pooling")]
        let cases = [
            (usual + [Self.module("Dense", "2_Dense")], "module sentence_transformers.models.Dense"),
            ([usual[0], Self.module("Pooling", "../1_Pooling")], "its pooling lies in ../1_Pooling"),
        ]
        for (modules, expected) in cases {
            try folder.write("tiny-embedding/modules.json", "[\(modules.joined(separator: ","))]".utf8)
            let message = message()
            #expect(message.contains(expected), "\(message)")
        }
        let fine = (usual + [Self.module("Normalize", "2_Normalize")]).joined(separator: ",")
        try folder.write("tiny-embedding/modules.json", "[\(fine)]".utf8)
        try convert()
    }

    @Test func `modules tell that a model is a reranker`() throws {
        try FileManager.default.removeItem(atPath: "\(path)/1_Pooling")
        let modules = [Self.module("Transformer", ""), Self.module("LogitScore", "1_LogitScore")]
        try folder.write("tiny-embedding/modules.json", "[\(modules.joined(separator: ","))]".utf8)
        try convert()
        #expect(try GGUFFile(path: folder.file("out.gguf")).metadata.uint32("qwen3.pooling_type") == 4)
    }

    @Test(arguments: ["<think>", "</think>", "<|im_start|>", "<|im_end|>", "<|endoftext|>"])
    func `rerankers need the tokens of their prompt`(_ token: String) throws {
        try replace("\"\(token)\"", with: "\"<other>\"", in: "tokenizer.json")
        #expect(throws: ConvertError.missingToken(folder: path, token: token)) { try convert(.reranker) }
    }

    @Test func `the folder may be a link`() throws {
        try FileManager.default.removeItem(atPath: "\(path)/1_Pooling")
        try replace("\"Qwen3Model\"", with: "\"Qwen3ForCausalLM\"", in: "config.json")
        try FileManager.default.createSymbolicLink(atPath: folder.file("link"), withDestinationPath: path)
        _ = try Converter.convert(folder: folder.file("link/"), to: folder.file("out.gguf"))
        #expect(
            try GGUFFile(path: folder.file("out.gguf")).metadata.string("general.name") == "tiny-embedding")
        #expect(throws: GGUFError.cannotOpen(path: "", code: 2)) {
            try Converter.convert(folder: "", to: folder.file("out.gguf"))
        }
    }

    @Test func `an embedding model cannot stay a language model`() throws {
        #expect(throws: ConvertError.embeddingsAreNotCausal) {
            try Converter.convert(folder: path, to: folder.file("out.gguf"), causal: true)
        }
    }

    private static let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 11422654\n"

    @Test(arguments: ["tokenizer.json", "model.safetensors", "config.json"])
    func `Git LFS pointers are named`(_ name: String) throws {
        try folder.write("tiny-embedding/\(name)", Self.pointer.utf8)
        let message = message()
        #expect(message.contains(name) && message.contains("git lfs pull"), "\(message)")
    }

    @Test func `huge files are not read`() throws {
        for name in ["config.json", "tokenizer.json"] {
            let before = try folder.read("tiny-embedding/\(name)")
            #expect(unsafe truncate("\(path)/\(name)", 1 << 40) == 0)  // a hole: it takes no space
            let message = message()
            #expect(message.contains("\(name): it has 1099511627776 bytes, expected at most"), "\(message)")
            try folder.write("tiny-embedding/\(name)", before)
        }
    }

    private static let lines = [
        ("merges.txt", nil, "has no merges.txt"), ("tokenizer_config.json", nil, "has no tokenizer_config.json"),
        ("merges.txt", "#version: 0.2\na\n", "a is not a merge of two tokens"),
        ("merges.txt", "#version: 0.2\na b c\n", "a b c is not a merge of two tokens"),
        ("merges.txt", "#version: 0.2\na <|im_end|>\n", "merge 0: its part \"<|im_end|>\" is not a token"),
        ("merges.txt", "#version: 0.2\n\u{1F600} a\n", "merge 0"),
        ("vocab.json", "{\"a\": \"b\"}", "a has another type"),
        ("vocab.json", "{\"yes\": 0, \"no\": 1}", "no token stands for byte 0x0"),
        ("tokenizer_config.json", "{}", "has no token <|endoftext|>"),
    ]

    @Test(arguments: lines) func `a tokenizer in parts is checked`(_ name: String, _ text: String?, _ expected: String)
        throws
    {
        let copy = folder.file("tiny-reranker")
        try FileManager.default.copyItem(atPath: Fixture.path("checkpoints/tiny-reranker-untied"), toPath: copy)
        try FileManager.default.removeItem(atPath: "\(copy)/\(name)")
        if let text { try folder.write("tiny-reranker/\(name)", text.utf8) }
        do {
            _ = try Converter.convert(folder: copy, to: folder.file("out.gguf"))
            Issue.record("nothing was thrown")
        } catch {
            #expect("\(error)".contains(expected), "\(error)")
        }
        #expect(try folder.names() == ["tiny-embedding", "tiny-reranker"])
    }

    @Test func `a role that nothing tells is asked for`() throws {
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
        ("\"r\": 4", "\"r\": 8", "its adapter_config.json expects [8, "),
        ("\"r\": 4", "\"r\": 0", "expected at least 1"),
        ("\"LORA\"", "\"LOHA\"", "peft_type is LOHA"), ("\"use_dora\": false", "\"use_dora\": true", "use_dora is set"),
        ("\"bias\": \"none\"", "\"bias\": \"all\"", "bias is all"), ("\"r\": 4,", "", "r is missing"),
        ("\"r\": 4", "\"r\": 9223372036854775807", "its adapter_config.json expects [9223372036854775807, "),
        ("\"rank_pattern\": {}", "\"rank_pattern\": {\"q_proj\": 2}", "rank_pattern is set"),
        ("\"alpha_pattern\": {}", "\"alpha_pattern\": {\"q_proj\": 2}", "alpha_pattern is set"),
        ("\"fan_in_fan_out\": false", "\"fan_in_fan_out\": true", "fan_in_fan_out is set"),
        ("\"use_dora\": false", "\"modules_to_save\": [\"embed_tokens\"]", "modules_to_save is set"),
        ("\"use_dora\": false", "\"init_lora_weights\": \"pissa_niter_16\"", "init_lora_weights is pissa_niter_16"),
        ("\"lora_alpha\": 6", "\"lora_alpha\": 1e300", "lora_alpha is 1e+300"),
        ("\"lora_alpha\": 6", "\"lora_alpha\": \"6\"", "lora_alpha has another type"),
    ]

    @Test(arguments: adapterEdits)
    func `errors say what is wrong with an adapter`(_ old: String, _ new: String, _ expected: String) throws {
        let adapter = folder.file("tiny-adapter")
        try FileManager.default.copyItem(atPath: Fixture.path("checkpoints/tiny-adapter"), toPath: adapter)
        let config = String(decoding: try folder.read("tiny-adapter/adapter_config.json"), as: UTF8.self)
        #expect(config.contains(old))
        try folder.write("tiny-adapter/adapter_config.json", config.replacing(old, with: new).utf8)
        do {
            _ = try Converter.convert(folder: path, adapter: adapter, to: folder.file("out.gguf"))
            Issue.record("nothing was thrown")
        } catch {
            #expect("\(error)".contains(expected), "\(error)")
        }
    }

    @Test func `adapters of other models are refused`() throws {
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

    /// Modules with matrices of rank 1, and what is said of them.
    private static let strays = [
        (["model.layers.0.input_layernorm"], "the adapter changes layers.0.input_layernorm"),
        (["embed_tokens"], "the adapter changes embed_tokens"), (["lm_head"], "the adapter changes lm_head"),
        (["layers.0.mlp.up_proj", "model.layers.0.mlp.up_proj"], "has layers.0.mlp.up_proj under two names"),
    ]

    @Test(arguments: strays) func `changes that cannot be merged are refused`(_ modules: [String], _ expected: String)
        throws
    {
        let adapter = folder.file("adapter")
        try FileManager.default.createDirectory(atPath: adapter, withIntermediateDirectories: false)
        try folder.write("adapter/adapter_config.json", "{\"peft_type\": \"LORA\", \"r\": 1, \"lora_alpha\": 1}".utf8)
        #expect(throws: ConvertError.missingFile(folder: adapter, name: "adapter_model.safetensors")) {
            try Converter.convert(folder: path, adapter: adapter, to: folder.file("out.gguf"))
        }
        let names = modules.flatMap { module in ["A", "B"].map { "base_model.model.\(module).lora_\($0).weight" } }
        let entries = names.enumerated().map { index, name in
            "\"\(name)\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[\(4 * index),\(4 * index + 4)]}"
        }
        try write(
            "adapter/adapter_model.safetensors", header: "{\(entries.joined(separator: ","))}", data: 4 * names.count)
        do {
            _ = try Converter.convert(folder: path, adapter: adapter, to: folder.file("out.gguf"))
            Issue.record("nothing was thrown")
        } catch {
            #expect("\(error)".contains(expected), "\(error)")
        }
    }

    // MARK: - Safetensors

    private func writeWeights(header: String, data: Int = 0, length: UInt64? = nil) throws {
        try write("tiny-embedding/model.safetensors", header: header, data: data, length: length)
    }

    private func write(_ name: String, header: String, data: Int, length: UInt64? = nil) throws {
        var bytes = [UInt8](repeating: 0, count: 8)
        bytes.store(length ?? UInt64(header.utf8.count), at: 0)
        try folder.write(name, bytes + Array(header.utf8) + [UInt8](repeating: 0, count: data))
    }

    private static func entry(_ dtype: String = "F32", _ shape: String = "[512,64]", _ offsets: String = "[0,131072]")
        -> String
    {
        "{\"embed_tokens.weight\":{\"dtype\":\"\(dtype)\",\"shape\":\(shape),\"data_offsets\":\(offsets)}}"
    }

    /// Tensors of bytes in those places.
    private static func entries(_ places: [Int]...) -> String {
        let entries = places.enumerated().map {
            "\"\($0)\":{\"dtype\":\"U8\",\"shape\":[\($1[1] - $1[0])],\"data_offsets\":\($1)}"
        }
        return "{\(entries.joined(separator: ","))}"
    }

    private static let headers = [
        ("", "not JSON"), ("[]", "not a JSON"), ("{\"a\":1}", "has another type"),
        ("{\"a\":{\"dtype\":\"F32\"}}", "a.shape is missing"),
        (entry("I64"), "is I64, expected F32, F16 or BF16"),
        (entry("F32", "[-512,64]"), "has shape"), (entry("F32", "[0,64]"), "has shape"),
        (entry("F32", "[9223372036854775807,64]"), "has shape"),
        (entry("F32", "[4611686018427387904,4]"), "has shape"),
        (entry("F32", "[99999999999999999999,64]"), "header"),
        (entry("F32", "[512,64]", "[0,131073]"), "its tensors have 131073 bytes, the file has 131072"),
        (entry("F32", "[512,64]", "[0,131068]"), "its tensors have 131068 bytes"),
        (entry("F32", "[512,64]", "[-1,131071]"), "lies at [-1, 131071], expected from 0 on"),
        (entry("F32", "[512,64]", "[131072,0]"), "lies at [131072, 0], expected from 0 on"),
        (entry("F32", "[512,64]", "[0]"), "lies at [0], expected from 0 on"),
        (entry("F32", "[512,64]", "[]"), "lies at [], expected from 0 on"),
        (entry("F32", "[512,64]", "[0,9223372036854775807]"), "its tensors have 9223372036854775807 bytes"),
        (entry("F32", "[512,32]", "[0,131072]"), "its shape [512, 32] needs 65536"),
        (
            entries([0, 65536], [65536, 131_072], [65536, 131_072]), "lies at [65536, 131072], expected from 131072 on"
        ),
        (entries([0, 65536], [65540, 131_072]), "lies at [65540, 131072], expected from 65536 on"),
        (entry("F32", "[512,64]"), "has no tensor layers.0.input_layernorm.weight"),
        (String(repeating: "[", count: 100_000), "not JSON"),
    ]

    @Test(arguments: headers) func `hostile headers are refused`(_ header: String, _ expected: String) throws {
        try writeWeights(header: header, data: 131_072)
        let message = message()
        #expect(message.contains(expected), "\(message)")
        #expect(try folder.names() == ["tiny-embedding"])
    }

    @Test(arguments: [UInt64(0), 1, 1 << 20, 1 << 40, 1 << 63, .max])
    func `wrong lengths are refused`(_ length: UInt64) throws {
        try writeWeights(header: Self.entry(), data: 1000, length: length)
        #expect(message().contains("is damaged or not a safetensors file"))
        try folder.write("tiny-embedding/model.safetensors", [1, 2, 3])
        #expect(message().contains("3 bytes"))
    }

    /// What a reader of JSON makes of a header is many times its size.
    @Test func `huge headers are not read`() throws {
        let limit = SafetensorsFile.headerLimit
        try writeWeights(header: "{}" + String(repeating: " ", count: limit - 1))
        #expect(message().contains("its header has \(limit + 1) bytes, expected at most \(limit)"))
    }

    @Test func `a file cut anywhere is refused`() throws {
        let bytes = try folder.read("tiny-embedding/model.safetensors")
        for count in [8, 100, 1000, bytes.count / 2, bytes.count - 1] {
            try folder.write("tiny-embedding/model.safetensors", bytes.prefix(count))
            #expect(message().contains("model.safetensors"))
        }
    }

    /// As in the reference, the index counts only without it.
    @Test func `a single file comes before parts`() throws {
        try folder.write("tiny-embedding/model.safetensors.index.json", "{\"weight_map\":{}}".utf8)
        try convert()
        try FileManager.default.removeItem(atPath: "\(path)/model.safetensors")
        #expect(message().contains("has no tensor "))
    }

    @Test func `tensors missing from a part are named`() throws {
        let copy = folder.file("tiny-reranker")
        try FileManager.default.copyItem(atPath: Fixture.path("checkpoints/tiny-reranker"), toPath: copy)
        let index = "tiny-reranker/model.safetensors.index.json"
        let text = String(decoding: try folder.read(index), as: UTF8.self)
        try folder.write(index, text.replacing("00003-of", with: "00002-of").utf8)
        do {
            _ = try Converter.convert(folder: copy, to: folder.file("out.gguf"))
            Issue.record("nothing was thrown")
        } catch {
            #expect("\(error)".contains("has no tensor model.layers."), "\(error)")
        }
    }

    @Test func `parts must be in the folder itself`() throws {
        try FileManager.default.removeItem(atPath: "\(path)/model.safetensors")
        for part in ["../tiny-embedding/model.safetensors", "/etc/passwd", "model.bin", "../\u{301}x.safetensors"] {
            try folder.write("tiny-embedding/model.safetensors.index.json", "{\"weight_map\":{\"a\":\"\(part)\"}}".utf8)
            #expect(message().contains("it names a part"))
        }
        try folder.write(
            "tiny-embedding/model.safetensors.index.json", "{\"weight_map\":{\"a\":\"b.safetensors\"}}".utf8)
        #expect(message().contains("has no b.safetensors"))
    }

    @Test(arguments: ["model.safetensors", "config.json", "tokenizer.json", "1_Pooling/config.json"])
    func `input files are not replaced`(_ name: String) throws {
        let before = try folder.read("tiny-embedding/\(name)")
        #expect(throws: ConvertError.outputIsInput(path: "\(path)/\(name)")) {
            try Converter.convert(folder: path, to: "\(path)/\(name)")
        }
        #expect(try folder.read("tiny-embedding/\(name)") == before)
    }
}
