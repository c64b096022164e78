// q3 convert and q3 quantize end to end.
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
            let largest: Double
        }
        let type: String
        let tensor_bytes: Int
        let tensors: [Tensor]
        let rmse: Double
        let largest: Double
    }

    @Test func aFolderBecomesAQuantizedModel() throws {
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

    @Test func theReportIsJSONToo() throws {
        let outcome = try Tool.run(
            [
                "quantize", "--json", "--threads", "1", Fixture.path("tiny-embed-F32.gguf"), folder.file("out.gguf"),
                "Q4_0",
            ])
        #expect(outcome.status == 0 && outcome.messages.isEmpty, "\(outcome.messages)")
        let report = try JSONDecoder().decode(Report.self, from: Data(outcome.output))
        #expect(report.type == "Q4_0" && report.tensors.count == 24)
        #expect(report.tensors.reduce(0) { $0 + $1.bytes } == report.tensor_bytes)
        let down = try #require(report.tensors.first { $0.name == "blk.0.ffn_down.weight" })
        #expect(down.shape == [96, 64] && down.from == "F32" && down.to == "Q4_0" && down.rmse > 0)
        #expect(report.largest == report.tensors.map(\.largest).max())
        let norm = try #require(report.tensors.first { $0.name == "output_norm.weight" })
        #expect(norm.to == "F32" && norm.rmse == 0)
    }

    @Test func wrongUseIsToldWithItsStatus() throws {
        let model = Fixture.path("tiny-embed-F16.gguf")
        let cases: [([String], CInt, String)] = [
            (["quantize", model, folder.file("a"), "q2_k"], 64, "q2_k"),
            (["quantize", model, model, "q8_0"], 64, "is the model that is read"),
            (["quantize", folder.file("none"), folder.file("a"), "q8_0"], 66, "No such file"),
            (["quantize", Fixture.path("tokenizer.jsonl"), folder.file("a"), "q8_0"], 65, "not a GGUF file"),
            (["quantize", model, folder.file("no/a"), "q8_0"], 74, "No such file"),
            (["quantize", "--threads", "0", model, folder.file("a"), "q8_0"], 64, "at least 1"),
            (["convert", folder.path, "-o", folder.file("a")], 65, "has no config.json"),
            (["convert", folder.path], 64, "--output"),
            (["convert", folder.path, "-o", folder.file("a"), "--role", "chat"], 64, "role"),
        ]
        for (arguments, status, message) in cases {
            let outcome = try Tool.run(arguments)
            #expect(outcome.status == status && outcome.messages.contains(message), "\(arguments): \(outcome.messages)")
        }
        #expect(try folder.names() == [])
    }

    @Test func progressSaysHowFarAndHowFast() {
        let line = ConversionOutput.line(done: 320_000_000, of: 640_000_000, elapsed: .seconds(4))
        #expect(line == "320 of 640 MB, 80 MB/s, 50 %, 0:04 left")
        #expect(ConversionOutput.threeDigits(0.001138) == "1.14e-3" && ConversionOutput.threeDigits(0) == "0")
        #expect(ConversionOutput.threeDigits(9.999) == "1.00e1" && ConversionOutput.threeDigits(7.02) == "7.02")
    }
}
