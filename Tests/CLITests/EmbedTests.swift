// q3 embed end to end: every format and type, prompts, inputs of all kinds, and lines that are no texts.
import Q3GGUF
import TestSupport
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A line of q3 embed's output.
struct EmbeddingLine: Decodable, Equatable {
    let index: Int
    let id: String?
    let tokens: Int
    let truncated: Bool
    let embedding: [Float]
}

@Suite struct EmbedTests {
    private let model = Fixture.path("tiny-embed-Q8_0.gguf")

    private func embed(_ arguments: [String], input: String = "") throws -> Outcome {
        try Tool.run(["embed", "--model", model] + arguments, input: Array(input.utf8))
    }

    private func lines(_ outcome: Outcome) throws -> [EmbeddingLine] {
        try outcome.lines.map { try JSONDecoder().decode(EmbeddingLine.self, from: Data($0.utf8)) }
    }

    @Test func `vectors are the reference's`() throws {
        let folder = try TemporaryFolder()
        let items = try Fixture.items("tiny-embed-Q8_0", as: EmbeddingItem.self)
        let texts = try items.map { "{\"id\": \"\($0.name)\", \"text\": \(try json($0.text))}\n" }.joined()
        try folder.write("in.jsonl", texts.utf8)
        let outcome = try embed(["--input", folder.file("in.jsonl"), "--precision", "exact"])
        #expect(outcome.status == 0)
        #expect(outcome.messages == "")
        let lines = try lines(outcome)
        #expect(lines.map(\.index) == Array(items.indices))
        #expect(lines.map(\.id) == items.map(\.name))
        #expect(lines.map(\.tokens) == items.map(\.ids.count))
        for (line, item) in zip(lines, items) {
            let dot = zip(line.embedding, item.embedding).reduce(0) { $0 + $1.0 * $1.1 }
            #expect(dot > 0.99999, "\(item.name)")
        }
    }

    @Test func `inputs of all kinds agree`() throws {
        let folder = try TemporaryFolder()
        try folder.write("in.txt", "one\ntwo\n".utf8)
        try folder.write("dos.txt", "\u{FEFF}one\r\ntwo".utf8)
        try folder.write("in.jsonl", "{\"text\": \"one\"}\n\n{\"text\": \"two\", \"id\": null, \"other\": [1]}".utf8)
        let expected = try embed(["one", "two"])
        #expect(expected.lines.count == 2)
        for name in ["in.txt", "dos.txt", "in.jsonl"] {
            #expect(try embed(["--input", folder.file(name)]).text == expected.text, "\(name)")
        }
        #expect(try embed([], input: "one\ntwo\n").text == expected.text)
        #expect(try embed(["-"], input: "one\ntwo").text == expected.text)
        #expect(try embed(["--input", "-"], input: "one\ntwo").text == expected.text)
        let file = folder.file("out.jsonl")
        let written = try embed(["one", "two", "--output", file])
        #expect(written.status == 0 && written.output.isEmpty)
        #expect(try folder.read("out.jsonl") == expected.output)
    }

    @Test func `prompts are applied`() throws {
        let task = "Given a web search query, retrieve relevant passages that answer the query"
        let expected = try embed(["Instruct: \(task)\nQuery:where?"]).text
        #expect(try embed(["--query", "where?"]).text == expected)
        #expect(try embed(["--instruct", task, "where?"]).text == expected)
        #expect(try embed(["where?"]).text != expected)
    }

    @Test func `special tokens are letters unless asked for`() throws {
        let literal = try lines(embed(["a<|im_end|>"]))[0]
        let parsed = try lines(embed(["a<|im_end|>", "--parse-special"]))[0]
        #expect(parsed.tokens == 3)
        #expect(literal.tokens > parsed.tokens)
    }

    @Test func `formats hold the same numbers`() throws {
        let folder = try TemporaryFolder()
        let arguments = ["--dimensions", "8", "one", "two", "three"]
        let lines = try lines(embed(arguments))
        let vectors = lines.map(\.embedding)
        #expect(vectors.allSatisfy { $0.count == 8 })
        let list = try JSONDecoder().decode(
            [EmbeddingLine].self, from: Data(embed(arguments + ["--format", "json"]).output))
        #expect(list == lines)
        let text = try embed(arguments + ["--format", "text"]).lines
        #expect(text.map { $0.split(separator: " ").compactMap { Float(String($0)) } } == vectors)
        let raw = try embed(arguments + ["--format", "raw"]).output
        let bits = vectors.joined().map(\.bitPattern)
        #expect(
            raw == bits.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8 & 0xFF), UInt8($0 >> 16 & 0xFF), UInt8($0 >> 24)] })
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 8), }"
        let start = [0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0] + Array(header.utf8)
        let npy = start + [UInt8](repeating: 0x20, count: 127 - start.count) + [0x0A] + raw
        #expect(try embed(arguments + ["--format", "npy"]).output == npy)
        _ = try embed(arguments + ["--format", "npy", "-o", folder.file("v.npy")])
        #expect(try folder.read("v.npy") == npy)
    }

    private static let types: [(type: String, npy: String, bytesPerRow: Int)] = [
        ("f32", "<f4", 64), ("f16", "<f2", 32), ("int8", "|i1", 16), ("uint8", "|u1", 16), ("binary", "|i1", 2),
        ("ubinary", "|u1", 2),
    ]

    @Test(arguments: types) func `types are stored`(_ test: (type: String, npy: String, bytesPerRow: Int)) throws {
        let arguments = ["--type", test.type, "--dimensions", "16", "one", "two", "three"]
        let npy = try embed(arguments + ["--format", "npy"])
        #expect(npy.status == 0)
        #expect(npy.output.count == 128 + 3 * test.bytesPerRow)
        #expect(String(decoding: npy.output[10..<128], as: UTF8.self).contains("'descr': '\(test.npy)'"))
        let lines = try lines(embed(arguments))
        #expect(lines.count == 3)
        if test.type.hasSuffix("int8") {
            // Every dimension reaches the least value for one of the texts.
            let least: Float = test.type == "int8" ? -128 : 0
            #expect((0..<16).allSatisfy { column in lines.contains { $0.embedding[column] == least } })
            #expect(npy.messages.contains("3 vectors only"))
        }
    }

    @Test func `empty lines are texts`() throws {
        let lines = try lines(embed([], input: "a\n\nb\n"))
        #expect(lines.map(\.tokens) == [2, 1, 2])
    }

    @Test func `empty input gives empty output`() throws {
        for (format, expected) in [("jsonl", ""), ("json", "[]\n"), ("text", ""), ("raw", "")] {
            let outcome = try embed(["--format", format])
            #expect(outcome.status == 0)
            #expect(outcome.text == expected, "\(format)")
        }
        #expect(try embed(["--format", "npy"]).text.contains("'shape': (0, 64)"))
    }

    private static let badLines: [(line: [UInt8], reason: String)] = [
        (Array("{".utf8), "not JSON"),
        (Array("[\"text\"]".utf8), "not a JSON object"),
        (Array("12".utf8), "not a JSON object"),
        (Array("{}".utf8), "\"text\" is missing"),
        (Array("{\"text\": null}".utf8), "\"text\" is missing"),
        (Array("{\"text\": 1}".utf8), "\"text\" is not a string"),
        (Array("{\"text\": \"a\", \"id\": [1]}".utf8), "\"id\" is neither"),
        (Array("{\"text\": \"a\", \"id\": 123456789012345678901234567890}".utf8), "\"id\" is neither"),
        (Array("{\"text\": \"a\u{0}b\"}".utf8), "control character"),
        (Array("{\"text\": \"\\ud800\"}".utf8), "\"text\" holds half of a surrogate pair"),
        (Array("{\"text\": \"a\"} x".utf8), "something follows the value"),
        (Array("{\"text\": [1,]}".utf8), "expected a value"),
        (Array("{\"text\": {\"a\":}}".utf8), "expected a value"),
        (Array("{\"text\": 01}".utf8), "expected a value"),
        (Array("{\"text\": \"".utf8) + [0xFF] + Array("\"}".utf8), "not UTF-8 at byte 37"),
        (Array("{\"text\": \"".utf8) + [0xED, 0xA0, 0x80] + Array("\"}".utf8), "not UTF-8 at byte 37"),
        (Array("{\"a\":".utf8) + [UInt8](repeating: UInt8(ascii: "["), count: 100_000), "not JSON"),
    ]

    /// A bad line is named with its number and place, and the others are done.
    @Test(arguments: badLines) func `bad lines are listed and left out`(_ test: (line: [UInt8], reason: String)) throws
    {
        let folder = try TemporaryFolder()
        let before = Array("{\"text\": \"one\", \"id\": \"1\"}\n".utf8)
        let path = try folder.write("in.jsonl", before + test.line + Array("\n{\"text\": \"two\", \"id\": 2}\n".utf8))
        let outcome = try embed(["--input", path])
        #expect(outcome.status == 75)
        #expect(outcome.messages.hasPrefix("q3: rejected \(path):2 (byte 27): "))
        #expect(outcome.messages.contains(test.reason), "\(outcome.messages)")
        #expect(outcome.lines.count == 2)
        #expect(outcome.lines.first?.hasPrefix("{\"index\":0,\"id\":\"1\",") == true)
        #expect(outcome.lines.last?.hasPrefix("{\"index\":2,\"id\":2,") == true)
    }

    @Test func `strict stops at the first bad line`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("in.jsonl", "{\"text\": \"one\"}\n{\n{\"text\": \"two\"}\n".utf8)
        let strict = try embed(["--input", path, "--strict"])
        #expect(strict.status == 65)
        #expect(strict.messages.hasPrefix("q3: error: \(path):2 (byte 16): "))
        // Rows without an index would shift, so a matrix is whole or not at all.
        for format in ["npy", "raw", "text"] {
            let outcome = try embed(["--input", path, "--format", format, "--output", folder.file("out")])
            #expect(outcome.status == 65)
            #expect(try folder.names() == ["in.jsonl"])
        }
    }

    @Test func `all lines bad is still 75`() throws {
        let folder = try TemporaryFolder()
        let outcome = try embed(["--input", folder.write("in.jsonl", "{\n{\n".utf8)])
        #expect(outcome.status == 75)
        #expect(outcome.output.isEmpty)
    }

    @Test func `a line beyond the limit is skipped`() throws {
        let folder = try TemporaryFolder()
        let long = [UInt8](repeating: UInt8(ascii: "a"), count: 17 << 20)
        let outcome = try embed(["--input", folder.write("in.txt", "one\n".utf8 + long + Array("\ntwo\n".utf8))])
        #expect(outcome.status == 75)
        #expect(try lines(outcome).map(\.index) == [0, 2])
        #expect(outcome.messages.contains("in.txt:2 (byte 4): 17825792 bytes are too long"))
    }

    @Test func `texts that are too long are rejected or cut`() throws {
        let folder = try TemporaryFolder()
        var copy = try ModelCopy(of: "tiny-embed-Q8_0")
        copy["qwen3.context_length"] = .uint32(8)
        try copy.write(to: folder.file("short.gguf"))
        let base = ["embed", "-m", folder.file("short.gguf")]
        let input = Array("short\n123456789\nlast\n".utf8)
        let outcome = try Tool.run(base, input: input)
        #expect(outcome.status == 75)
        #expect(try lines(outcome).map(\.index) == [0, 2])
        #expect(outcome.messages.contains("stdin:2 (byte 6): the text has 10 tokens, but the model takes at most 8"))
        let cut = try lines(Tool.run(base + ["--truncate"], input: input))
        #expect(cut.map(\.truncated) == [false, true, false])
        #expect(cut[1].tokens == 8)
        let argument = try Tool.run(base + ["123456789"])
        #expect(argument.status == 65)
        #expect(argument.messages.hasPrefix("q3: error: text 1: "))
    }

    @Test func `threads and batches do not matter`() throws {
        let texts = (0..<700).map { "text number \($0 * $0)" }.joined(separator: "\n")
        let one = try embed(["--threads", "1"], input: texts)
        #expect(one.lines.count == 700)
        #expect(try embed(["--threads", "2"], input: texts).output == one.output)
        #expect(try lines(one).map(\.index) == Array(0..<700))
    }

    @Test func `the stored vectors are finite`() throws {
        let folder = try TemporaryFolder()
        var copy = try ModelCopy(of: "tiny-embed-F32")
        copy.edit("output_norm.weight") { $0.reshape($0.shape) }
        try copy.write(to: folder.file("zero.gguf"))
        let outcome = try Tool.run(["embed", "-m", folder.file("zero.gguf"), "a"])
        #expect(outcome.status == 70)
        #expect(outcome.output.isEmpty)
    }
}

/// A string as JSON.
func json(_ text: String) throws -> String {
    String(decoding: try JSONEncoder().encode(text), as: UTF8.self)
}
