// q3 search: the order is that of the vectors that q3 embed gives, or of the scores that q3 rerank gives.
import TestSupport
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

@Suite struct SearchTests {
    private struct Hit: Decodable {
        let index: Int
        let id: String?
        let score: Float
        let similarity: Float
        let text: String
    }

    private static let query = "What is the capital of China?"
    private static let documents = [
        "The capital of China is Beijing.", "Gravity pulls bodies towards each other.", "", "Bread is baked.",
        "The capital of China is Beijing.", "北京是中国的首都。", "func sort<T: Comparable>(_ list: [T]) -> [T]",
    ]
    private let model = Fixture.path("tiny-embed-Q8_0.gguf")
    private let reranker = Fixture.path("tiny-rerank-Q8_0.gguf")

    private func search(_ arguments: [String]) throws -> Outcome {
        try Tool.run(["search", Self.query, "--model", model] + arguments, input: Array(lines.utf8))
    }

    private var lines: String { Self.documents.map { "\($0)\n" }.joined() }

    private func hits(_ outcome: Outcome) throws -> [Hit] {
        #expect(outcome.status == 0, "\(outcome.messages)")
        return try outcome.lines.map { try JSONDecoder().decode(Hit.self, from: Data($0.utf8)) }
    }

    private func vectors(_ arguments: [String], _ texts: [String]) throws -> [[Float]] {
        let outcome = try Tool.run(["embed", "--model", model, "--format", "json"] + arguments + texts)
        struct Line: Decodable { let embedding: [Float] }
        return try JSONDecoder().decode([Line].self, from: Data(outcome.output)).map(\.embedding)
    }

    @Test(arguments: [[], ["--dimensions", "32"], ["--instruct", "Find code"]])
    func `the order is that of the vectors`(_ options: [String]) throws {
        let cut = options.first == "--dimensions" ? options : []
        let query = try vectors((options.first == "--instruct" ? options : ["--query"]) + cut, [Self.query])[0]
        let similarities = try vectors(cut, Self.documents).map { document in
            zip(query, document).reduce(0) { $0 + $1.0 * $1.1 }
        }
        let hits = try hits(search(options + ["--format", "jsonl"]))
        // Sorting is stable: equal documents keep their order.
        let order = similarities.indices.filter { !Self.documents[$0].isEmpty }.sorted {
            similarities[$0] > similarities[$1] + 1e-6
        }
        #expect(hits.map(\.index) == order)
        for hit in hits {
            #expect(abs(hit.similarity - similarities[hit.index]) < 1e-5)
            #expect(hit.score == hit.similarity && hit.text == Self.documents[hit.index])
        }
    }

    @Test func `the best are kept`() throws {
        let all = try search(["--format", "jsonl"]).lines
        #expect(all.count == Self.documents.count - 1, "the blank line is not a document")
        for count in 1...4 {
            #expect(try search(["--format", "jsonl", "--top-n", "\(count)"]).lines == Array(all.prefix(count)))
        }
    }

    @Test func `a reranker orders the candidates`() throws {
        let similar = try hits(search(["--format", "jsonl"])).prefix(5)
        let texts = similar.map(\.text)
        let outcome = try Tool.run(["rerank", "--model", reranker, "--format", "jsonl", "--query", Self.query] + texts)
        let scores = try outcome.lines.map { try JSONDecoder().decode(ScoreLine.self, from: Data($0.utf8)) }
        let hits = try hits(
            search(["--format", "jsonl", "--reranker", reranker, "--candidates", "5", "--top-n", "3"]))
        #expect(hits.map(\.text) == scores.prefix(3).map { texts[$0.index] })
        #expect(hits.map { Double($0.score) } == scores.prefix(3).map { Double(Float($0.score)) })
    }

    /// A corpus in BEIR's layout, and what of it a line shows: no line ends, no control characters, and not all.
    @Test func `lines show ids and first words`() throws {
        let folder = try TemporaryFolder()
        let corpus = """
            {"_id": "a1", "title": "Title", "text": "first\\nsecond \\u001b[31m"}
            {"_id": "b2", "title": "", "text": "\(String(repeating: "long ", count: 60))"}

            """
        let outcome = try Tool.run(
            ["search", "q", "-m", model, "-i", try folder.write("corpus.jsonl", corpus.utf8), "--truncate"])
        #expect(outcome.status == 0, "\(outcome.messages)")
        let rows = outcome.lines.map { $0.split(separator: "\t").map(String.init) }.sorted { $0[1] < $1[1] }
        #expect(rows.map { $0[1] } == ["a1", "b2"])
        #expect(rows[0][2].hasPrefix("Title first second ") && !outcome.output.contains(0x1B))
        #expect(rows[1][2].hasPrefix("long long "))
    }

    @Test(arguments: [
        (["--top-n", "0"], 64, "--top-n must be at least 1"),
        (["--candidates", "3"], 64, "--candidates must be at least --top-n"),
        (["--dimensions", "65"], 64, "65"),
        (["--reranker", "missing.gguf"], 66, "missing.gguf"),
    ]) func `wrong use`(_ arguments: [String], _ status: CInt, _ part: String) throws {
        let outcome = try search(arguments)
        #expect(outcome.status == status)
        #expect(outcome.messages.contains(part) && outcome.output.isEmpty, "\(outcome.messages)")
    }
}
