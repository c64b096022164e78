// q3 rerank end to end: one query with documents, pairs, orders, and the three kinds of model.
import Q3GGUF
import Q3System
import TestSupport
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A line of q3 rerank's output.
struct ScoreLine: Decodable, Equatable {
    let index: Int
    let id: Int?
    let score: Double
    let truncated: Bool?
}

@Suite struct RerankTests {
    private func rerank(_ arguments: [String], model: String = "tiny-rerank-Q8_0", input: String = "") throws -> Outcome
    {
        let format = arguments.contains("--format") ? [] : ["--format", "jsonl"]
        return try Tool.run(
            ["rerank", "--model", Fixture.path("\(model).gguf")] + format + arguments, input: Array(input.utf8))
    }

    private func lines(_ outcome: Outcome) throws -> [ScoreLine] {
        try outcome.lines.map { try JSONDecoder().decode(ScoreLine.self, from: Data($0.utf8)) }
    }

    @Test(arguments: ["tiny-rerank-Q8_0", "tiny-causal-Q8_0", "tiny-lmhead-Q8_0"], ["card", "eval"])
    func `pairs keep their order`(_ model: String, _ style: String) throws {
        let folder = try TemporaryFolder()
        let items = try Fixture.items(model, as: RerankItem.self).filter { $0.style == style }
        let pairs = try items.map {
            "{\"query\": \(try json($0.query)), \"document\": \(try json($0.document)), "
                + "\"instruction\": \(try json($0.instruction))}\n"
        }
        let path = try folder.write("pairs.jsonl", pairs.joined().utf8)
        let arguments = ["--input", path, "--prompt-style", style, "--precision", "exact"]
        let scores = try lines(rerank(arguments, model: model))
        #expect(scores.map(\.index) == Array(items.indices))
        for (score, item) in zip(scores, items) { #expect(abs(score.score - item.pYes) <= 1e-5) }
        let margins = try lines(rerank(arguments + ["--raw-scores"], model: model))
        for (margin, score) in zip(margins, scores) { #expect(abs(1 / (1 + exp(-margin.score)) - score.score) < 1e-6) }
    }

    @Test func `documents are sorted`() throws {
        let all = try lines(rerank(["--query", "q", "a", "b", "a", "c d e"]))
        #expect(all.count == 4)
        #expect(all.map(\.score) == all.map(\.score).sorted(by: >))
        #expect(all.filter { $0.index == 0 || $0.index == 2 }.map(\.index) == [0, 2])
        #expect(try lines(rerank(["--query", "q", "--top-n", "2", "a", "b", "a", "c d e"])) == Array(all.prefix(2)))
        let piped = try lines(rerank(["--query", "q"], input: "a\nb\na\nc d e\n"))
        #expect(piped == all)
    }

    @Test func `formats hold the same scores`() throws {
        let folder = try TemporaryFolder()
        let documents = "{\"id\": 7, \"text\": \"a\"}\n{\"id\": 8, \"text\": \"b\"}\n"
        let arguments = ["--query", "q", "--input", try folder.write("docs.jsonl", documents.utf8)]
        let lines = try lines(rerank(arguments))
        #expect(lines.allSatisfy { $0.id == $0.index + 7 })
        let list = try rerank(arguments + ["--format", "json"]).output
        #expect(try JSONDecoder().decode([ScoreLine].self, from: Data(list)) == lines)
        let text = try rerank(arguments + ["--format", "text"]).lines
        #expect(text == lines.map { "\(Float($0.score))\t\($0.index + 7)\t\($0.index == 0 ? "a" : "b")" })
    }

    @Test func `instructions count`() throws {
        let plain = try rerank(["--query", "q", "a"]).text
        let instructed = try rerank(["--query", "q", "--instruct", "Is it code?", "a"]).text
        #expect(plain != instructed)
        let card = "Given a web search query, retrieve relevant passages that answer the query"
        #expect(try rerank(["--query", "q", "--instruct", card, "a"]).text == plain)
    }

    @Test func `only documents are cut`() throws {
        let folder = try TemporaryFolder()
        var copy = try ModelCopy(of: "tiny-rerank-Q8_0")
        copy["qwen3.context_length"] = .uint32(200)
        try copy.write(to: folder.file("short.gguf"))
        let base = ["rerank", "-m", folder.file("short.gguf"), "--format", "jsonl"]
        let long = String(repeating: "word ", count: 300)
        let rejected = try Tool.run(base + ["--query", "q"], input: Array("a\n\(long)\n".utf8))
        #expect(rejected.status == 75)
        #expect(try lines(rejected).map(\.index) == [0])
        let cut = try lines(Tool.run(base + ["--query", "q", "--truncate"], input: Array("a\n\(long)\n".utf8)))
        #expect(cut.first { $0.index == 1 }?.truncated == true)
        #expect(cut.first { $0.index == 0 }?.truncated == nil)
        let query = try Tool.run(base + ["--query", long, "--truncate", "a"])
        #expect(query.status == 65)
        #expect(query.messages.contains("only documents are ever cut"))
    }

    @Test func `bad pairs are listed`() throws {
        let folder = try TemporaryFolder()
        let pairs = "{\"query\": \"q\", \"document\": \"d\"}\n{\"query\": \"q\"}\n"
        let outcome = try rerank(["--input", folder.write("pairs.jsonl", pairs.utf8)])
        #expect(outcome.status == 75)
        #expect(try lines(outcome).map(\.index) == [0])
        #expect(outcome.messages.contains(":2 (byte 32): \"document\" is missing"))
    }

    private static let misuses: [[String]] = [
        ["a"], ["--top-n", "1", "--input", "pairs.jsonl"], ["--query", "q", "--top-n", "0", "a"],
        ["--query", "q", "--prompt-style", "x", "a"],
    ]

    @Test(arguments: misuses) func `misuse is one line and 64`(_ arguments: [String]) throws {
        let outcome = try rerank(arguments)
        #expect(outcome.status == 64)
        #expect(outcome.messages.hasPrefix("q3: error: "))
        #expect(outcome.messages.filter { $0 == "\n" }.count == 1)
    }
}
