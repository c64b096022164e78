// q3 info and q3 tokenize end to end.
import TestSupport
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

@Suite struct InfoAndTokenizeTests {
    private struct Info: Decodable {
        struct Share: Decodable {
            let type: String
            let count: Int
            let bytes: Int
        }
        let role: String
        let layers: Int
        let vocabulary: Int
        let tensors: [Share]
        let fingerprint: String
        let head: String?
        let pooling: String?
        let packed_weights_bytes: Int
        let memory_bytes: [String: Int]
    }

    private func info(_ model: String, _ arguments: [String] = []) throws -> Info {
        let outcome = try Tool.run(["info", "--json", "--model", Fixture.path("\(model).gguf")] + arguments)
        #expect(outcome.status == 0)
        return try JSONDecoder().decode(Info.self, from: Data(outcome.output))
    }

    @Test func `info describes the model`() throws {
        let info = try info("tiny-embed-Q4_K_M")
        #expect(info.role == "embedding")
        #expect(info.layers == 2)
        #expect(info.pooling == "last")
        #expect(info.head == nil)
        #expect(Set(info.tensors.map(\.type)) == ["Q4_K", "Q6_K", "F32"])
        #expect(info.tensors.reduce(0) { $0 + $1.count } == 2 * 11 + 2)
        #expect(info.fingerprint.count == 16)
    }

    private static let heads = [
        ("tiny-rerank-Q8_0", "cls.output.weight"), ("tiny-causal-Q8_0", "token_embd.weight"),
        ("tiny-lmhead-Q8_0", "output.weight"),
    ]

    @Test(arguments: heads) func `info names the head`(_ model: String, _ tensor: String) throws {
        let info = try info(model)
        #expect(info.role == "reranker")
        #expect(info.head?.hasPrefix(tensor) == true)
    }

    @Test func `memory grows with the context`() throws {
        let (short, long) = (
            try info("tiny-embed-Q8_0", ["--context", "100"]), try info("tiny-embed-Q8_0", ["--context", "1000"])
        )
        #expect(short.memory_bytes["tokens"] == 100)
        #expect(try #require(short.memory_bytes["keys_and_values"]) * 10 == long.memory_bytes["keys_and_values"])
        #expect(short.fingerprint == long.fingerprint)
        #expect(try info("tiny-embed-Q8_0", ["--precision", "exact"]).fingerprint != short.fingerprint)
    }

    @Test func `memory holds the weights that are kept packed`() throws {
        let (plain, packed) = (
            try info("tiny-embed-Q8_0"), try info("tiny-embed-Q8_0", ["--packed-weights", "1000"])
        )
        #expect(plain.memory_bytes["packed_weights"] == 0 && packed.packed_weights_bytes > 0)
        #expect(packed.memory_bytes["packed_weights"] == packed.packed_weights_bytes)
        #expect(
            packed.memory_bytes["total"] == plain.memory_bytes["total"].map { $0 + packed.packed_weights_bytes })
        #expect(packed.fingerprint == plain.fingerprint)
    }

    @Test func `info for a person names what matters`() throws {
        let outcome = try Tool.run(["info", "-m", Fixture.path("tiny-embed-Q8_0.gguf")])
        for word in ["embedding", "Q8_0", "<|endoftext|>", "Query:{text}", "fingerprint", "8192 tokens"] {
            #expect(outcome.text.contains(word), "\(word)")
        }
    }

    private struct Tokens: Decodable, Equatable {
        let index: Int
        let ids: [Int32]
        let pieces: [String]
        let offsets: [[Int]]
    }

    @Test func `tokenize gives IDs pieces and offsets`() throws {
        let items = try Fixture.items("tiny-embed-Q8_0", as: EmbeddingItem.self).filter {
            !$0.text.contains { $0.isNewline }
        }
        let outcome = try Tool.run(
            ["tokenize", "-m", Fixture.path("tiny-embed-Q8_0.gguf"), "--format", "jsonl"],
            input: Array(items.map(\.text).joined(separator: "\n").utf8))
        let lines = try outcome.lines.map { try JSONDecoder().decode(Tokens.self, from: Data($0.utf8)) }
        #expect(lines.map(\.ids) == items.map { $0.ids.dropLast() })
        for (line, item) in zip(lines, items) {
            #expect(line.pieces.count == line.ids.count)
            #expect(line.offsets.first?.first ?? 0 == 0)
            #expect(line.offsets.last?.last ?? 0 == item.text.utf8.count)
        }
    }

    @Test func `tokenize for a person has a line per token`() throws {
        let outcome = try Tool.run(["tokenize", "-m", Fixture.path("tiny-embed-Q8_0.gguf"), "a\u{1B}[31m"])
        #expect(outcome.lines.count == 6)
        #expect(outcome.lines[0].hasSuffix("\t0-1\ta"))
        #expect(!outcome.output.contains(0x1B))
        let parsed = try Tool.run([
            "tokenize", "-m", Fixture.path("tiny-embed-Q8_0.gguf"), "--parse-special", "<|im_end|>",
        ])
        #expect(parsed.lines.count == 1)
    }
}
