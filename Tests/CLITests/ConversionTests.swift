// q3 convert and q3 quantize end to end.
import Q3GGUF
import Q3Model
import Q3System
import TestSupport
import Testing

@testable import q3

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

@Suite struct ConversionTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private struct Report: Decodable {
        struct Tensor: Decodable {
            let name: String
            let shape: [Int]
            let from: String
            let to: String
            let bytes: Int
            let rmse: Double
            let relative: Double
            let largest: Double
        }
        let file: String
        let type: String
        let seconds: Double
        let rounded_before: Bool
        let tensor_bytes: Int
        let tensors: [Tensor]
        let rmse: Double
        let largest: Double
    }

    @Test func `a folder becomes a quantized model`() throws {
        let (whole, small) = (folder.file("whole.gguf"), folder.file("small.gguf"))
        let convert = try Tool.run(["convert", Fixture.path("checkpoints/tiny-embedding"), "-o", whole])
        #expect(convert.status == 0 && convert.output.isEmpty, "\(convert.messages)")
        #expect(convert.messages.contains("F32"))
        let quantize = try Tool.run(["quantize", whole, small, "q8_0"])
        #expect(quantize.status == 0 && quantize.output.isEmpty, "\(quantize.messages)")
        #expect(quantize.messages.contains("blk.1.ffn_down.weight: F32 to Q8_0, rmse "))
        let embed = try Tool.run(["embed", "-m", small, "Beijing is the capital of China."])
        #expect(embed.status == 0 && embed.lines.count == 1)
        #expect(try folder.names() == ["small.gguf", "whole.gguf"])
    }

    private func report(_ arguments: [String]) throws -> Report {
        let outcome = try Tool.run(arguments + ["--json"])
        #expect(outcome.status == 0 && outcome.messages.isEmpty && outcome.lines.count == 1, "\(outcome.messages)")
        return try JSONDecoder().decode(Report.self, from: Data(outcome.output))
    }

    @Test func `adapters are merged`() throws {
        let (plain, adapted) = (folder.file("plain.gguf"), folder.file("adapted.gguf"))
        let checkpoint = Fixture.path("checkpoints/tiny-embedding")
        let without = try report(["convert", checkpoint, "-o", plain])
        #expect(without.type == "F32" && without.rmse == 0 && without.seconds > 0 && without.file == plain)
        let with = try report(
            [
                "convert", checkpoint, "-o", adapted, "--lora", Fixture.path("checkpoints/tiny-adapter"), "--type",
                "q8_0",
            ])
        #expect(with.type == "Q8_0" && with.rmse > 0 && with.tensors.count == without.tensors.count)
        #expect(Set(with.tensors.map(\.to)) == ["Q8_0", "F32"])
        let vectors = try [plain, adapted].map { try Tool.run(["embed", "-m", $0, "Beijing"]).lines }
        #expect(vectors[0].count == 1 && vectors[0] != vectors[1])
        let missing = try Tool.run(["convert", checkpoint, "-o", adapted, "--lora", checkpoint])
        #expect(missing.status == 65 && missing.messages.contains("has no adapter_config.json"))
    }

    @Test func `what is rounded twice is warned of`() throws {
        let model = Fixture.path("tiny-embed-Q8_0.gguf")
        let lines = try Tool.run(["quantize", model, folder.file("a.gguf"), "q4_0"])
        #expect(lines.status == 0 && lines.messages.contains("warning: tensors had been rounded before"))
        #expect(try report(["quantize", model, folder.file("b.gguf"), "q4_0"]).rounded_before)
        #expect(try folder.read("a.gguf") == folder.read("b.gguf"))
        let whole = try Tool.run(["quantize", Fixture.path("tiny-embed-F32.gguf"), folder.file("c.gguf"), "q4_0"])
        #expect(whole.status == 0 && !whole.messages.contains("warning"))
    }

    // MARK: - Signals

    /// A model that takes long: its values are a hole in the file.
    private func writeLargeModel() throws -> [String] {
        var writer = GGUFWriter()
        writer.addTensor("large.weight", shape: [1024, 4 << 20], type: .f32)
        try writer.create(at: folder.file("large.gguf")).commit()
        return ["quantize", folder.file("large.gguf"), folder.file("out"), "q4_k_m", "--threads", "1"]
    }

    /// A folder that takes long: 400 layers in a hole.
    private func writeLargeFolder() throws -> [String] {
        let path = folder.file("large")
        try FileManager.default.copyItem(atPath: Fixture.path("checkpoints/tiny-embedding"), toPath: path)
        let config = String(decoding: try folder.read("large/config.json"), as: UTF8.self)
            .replacing("\"num_hidden_layers\": 2", with: "\"num_hidden_layers\": 400")
            .replacing("\"intermediate_size\": 96", with: "\"intermediate_size\": 65536")
        try folder.write("large/config.json", config.utf8)
        var shapes = [("embed_tokens", [512, 64]), ("norm", [64])]
        for layer in 0..<400 {
            shapes += [
                ("input_layernorm", [64]), ("post_attention_layernorm", [64]), ("self_attn.q_norm", [32]),
                ("self_attn.k_norm", [32]), ("self_attn.q_proj", [128, 64]), ("self_attn.k_proj", [64, 64]),
                ("self_attn.v_proj", [64, 64]), ("self_attn.o_proj", [64, 128]), ("mlp.gate_proj", [65536, 64]),
                ("mlp.up_proj", [65536, 64]), ("mlp.down_proj", [64, 65536]),
            ].map { ("layers.\(layer).\($0)", $1) }
        }
        var end = 0
        let entries = shapes.map { name, shape in
            let begin = end
            end += 2 * shape.reduce(1, *)
            return "\"\(name).weight\":{\"dtype\":\"BF16\",\"shape\":\(shape),\"data_offsets\":[\(begin),\(end)]}"
        }
        let header = Array("{\(entries.joined(separator: ","))}".utf8)
        var bytes = [UInt8](repeating: 0, count: 8)
        bytes.store(UInt64(header.count), at: 0)
        try folder.write("large/model.safetensors", bytes + header)
        #expect(unsafe truncate(folder.file("large/model.safetensors"), off_t(8 + header.count + end)) == 0)
        return ["convert", path, "-o", folder.file("out"), "--type", "q4_0", "--threads", "1"]
    }

    @Test(arguments: [(SIGINT, 130, true), (SIGTERM, 143, true), (SIGINT, 130, false), (SIGTERM, 143, false)])
    func `signals end a run and its unfinished file`(_ signal: CInt, _ status: CInt, _ quantizes: Bool) throws {
        let arguments = try quantizes ? writeLargeModel() : writeLargeFolder()
        let inputs = try folder.names()
        let process = try Tool.start(
            arguments, input: "/dev/null", output: folder.file("stdout"), messages: folder.file("stderr"))
        try Tool.until { try folder.names().contains { $0.hasPrefix("out.") && $0.hasSuffix(".part") } }
        kill(process, signal)
        #expect(Tool.wait(for: process) == status)
        #expect(try folder.names() == (inputs + ["stderr", "stdout"]).sorted())
        #expect(try folder.read("stderr").isEmpty && folder.read("stdout").isEmpty)
    }

    @Test func `no part stays where the disk is full`() throws {
        let model = Fixture.path("tiny-embed-F32.gguf")
        let script = "ulimit -f 8; trap '' XFSZ; \"$Q3\" quantize '\(model)' '\(folder.file("out"))' q8_0"
        let outcome = try Tool.shell(script)
        #expect(outcome.status == 74 && outcome.messages.contains("File too large"), "\(outcome.messages)")
        #expect(try folder.names() == [])
    }

    // MARK: - Reports

    @Test func `the report is JSON too`() throws {
        let report = try report(
            ["quantize", "--threads", "1", Fixture.path("tiny-embed-F32.gguf"), folder.file("out.gguf"), "Q4_0"])
        #expect(!report.rounded_before)
        #expect(report.type == "Q4_0" && report.tensors.count == 24)
        #expect(report.tensors.reduce(0) { $0 + $1.bytes } == report.tensor_bytes)
        let down = try #require(report.tensors.first { $0.name == "blk.0.ffn_down.weight" })
        #expect(down.shape == [96, 64] && down.from == "F32" && down.to == "Q4_0" && down.rmse > 0)
        #expect(report.largest == report.tensors.map(\.largest).max())
        let norm = try #require(report.tensors.first { $0.name == "output_norm.weight" })
        #expect(norm.to == "F32" && norm.rmse == 0)
    }

    @Test func `wrong use is told with its status`() throws {
        let model = Fixture.path("tiny-embed-F16.gguf")
        let cases: [([String], CInt, String)] = [
            (["quantize", model, folder.file("a"), "q2_k"], 64, "q2_k"),
            (["quantize", model, model, "q8_0"], 64, "is the model that is read"),
            (["quantize", folder.file("none"), folder.file("a"), "q8_0"], 66, "No such file"),
            (["quantize", Fixture.path("tokenizer.jsonl"), folder.file("a"), "q8_0"], 65, "not a GGUF file"),
            (["quantize", model, folder.file("no/a"), "q8_0"], 73, "No such file"),
            (["quantize", "--threads", "0", model, folder.file("a"), "q8_0"], 64, "at least 1"),
            (["convert", folder.path, "-o", folder.file("a")], 65, "has no config.json"),
            (["convert", folder.file("none"), "-o", folder.file("a")], 66, "No such file"),
            (
                ["convert", Fixture.path("checkpoints/tiny-embedding"), "-o", folder.file("a"), "--causal"], 64,
                "--causal"
            ),
            (["convert", folder.path], 64, "--output"),
            (["convert", folder.path, "-o", folder.file("a"), "--role", "chat"], 64, "role"),
        ]
        for (arguments, status, message) in cases {
            let outcome = try Tool.run(arguments)
            #expect(outcome.status == status && outcome.messages.contains(message), "\(arguments): \(outcome.messages)")
        }
        #expect(try folder.names() == [])
    }

    @Test func `progress says how far and how fast`() {
        let line = ConversionOutput.line(
            Progress(completed: 320_000_000, total: 640_000_000), elapsed: .seconds(4), width: 80)
        #expect(line == "[############------------]  50 %  320 of 640 MB, 80 MB/s, 0:04 left")
        #expect(ConversionOutput.threeDigits(0.001138) == "1.14e-3" && ConversionOutput.threeDigits(0) == "0")
        #expect(ConversionOutput.threeDigits(9.999) == "1.00e1" && ConversionOutput.threeDigits(7.02) == "7.02")
    }
}
