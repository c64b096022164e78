// q3 eval end to end: its figures beside those of vectors and scores from q3 embed and q3 rerank, and bad data.
import Q3Embedding
import Q3GGUF
import Q3Model
import Q3System
import TestSupport
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// MTEB's layout, as far as these tests look.
private struct MTEBResult: Decodable {
    struct Entry: Decodable {
        let values: [String: Double]
        let before: [String: Double]?
        let subset: String

        private struct Key: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            var values: [String: Double] = [:]
            for key in container.allKeys { values[key.stringValue] = try? container.decode(Double.self, forKey: key) }
            self.values = values
            before = try container.decodeIfPresent([String: Double].self, forKey: Key(stringValue: "before_reranking"))
            subset = try container.decode(String.self, forKey: Key(stringValue: "hf_subset"))
        }
    }

    let dataset_revision: String
    let task_name: String
    let mteb_version: String?
    let evaluation_time: Double
    let scores: [String: [Entry]]
}

@Suite struct EvalTests {
    private static let model = Fixture.path("tiny-embed-Q8_0.gguf")
    private static let reranker = Fixture.path("tiny-rerank-Q8_0.gguf")

    private static let documents = [
        (id: "a", title: "Paris", text: "the capital of France"), (id: "b", title: "", text: " bread is baked "),
        (id: "c", title: "", text: "water boils"), (id: "d", title: "Rome", text: "the capital of Italy"),
        (id: "e", title: "", text: "water boils"),
    ]
    private static let queries = [
        (id: "q1", text: "a capital"), (id: "c", text: "hot water"), (id: "x", text: "unjudged"),
    ]
    private static let grades = ["q1": ["a": 2, "d": 1, "b": 0], "c": ["c": 1, "e": 3]]

    private func write(_ folder: TemporaryFolder) throws {
        try FileManager.default.createDirectory(atPath: folder.file("qrels"), withIntermediateDirectories: true)
        let corpus = Self.documents.map { "{\"_id\":\"\($0.id)\",\"title\":\"\($0.title)\",\"text\":\"\($0.text)\"}\n" }
        let queries = Self.queries.map { "{\"_id\":\"\($0.id)\",\"text\":\"\($0.text)\"}\n" }
        let qrels = Self.grades.flatMap { query, grades in grades.map { "\(query)\t\($0.key)\t\($0.value)\n" } }
        try folder.write("corpus.jsonl", corpus.joined().utf8)
        try folder.write("queries.jsonl", queries.joined().utf8)
        try folder.write("qrels/test.tsv", ("query-id\tcorpus-id\tscore\n" + qrels.joined()).utf8)
    }

    private func vectors(_ texts: [String], _ options: [String]) throws -> [[Float]] {
        let arguments = ["embed", "-m", Self.model, "--format", "text"] + options + texts
        return try Tool.run(arguments).lines.map { $0.split(separator: " ").compactMap { Float($0) } }
    }

    /// nDCG@10 of a ranking, from its definition.
    private func ndcg(_ ranking: [String], _ grades: [String: Int]) -> Double {
        let gain = { (grades: [Int]) in
            grades.prefix(10).enumerated().reduce(0.0) { $0 + Double($1.element) / log2(Double($1.offset) + 2) }
        }
        return gain(ranking.map { grades[$0] ?? 0 }) / gain(grades.values.sorted(by: >))
    }

    private func result(_ outcome: Outcome) throws -> MTEBResult {
        #expect(outcome.status == 0, "\(outcome.messages)")
        return try JSONDecoder().decode(MTEBResult.self, from: Data(outcome.output))
    }

    /// Best first by score, of equal scores the last id.
    private func ranking(_ scores: [Float]) -> [String] {
        zip(scores, Self.documents.map(\.id)).sorted { $0.0 == $1.0 ? $0.1 > $1.1 : $0.0 > $1.0 }.map(\.1)
    }

    /// An adapter of the model that adds half of every vector's values, turned by one place, to itself.
    private func adapter(_ folder: TemporaryFolder, _ scope: EmbeddingAdapter.Scope) throws -> String {
        let embedder = try Embedder(path: Self.model)
        let count = embedder.dimensions
        var (down, up) = ([Float](repeating: 0, count: count * count), [Float](repeating: 0, count: count * count))
        for row in 0..<count { (down[row * count + row], up[row * count + (row + 1) % count]) = (0.5, 1) }
        let path = folder.file("\(scope).gguf")
        try EmbeddingAdapter(
            model: Fingerprint(of: embedder.model), dimensions: count, rank: count, scope: scope, down: down, up: up
        ).write(to: path)
        return path
    }

    @Test func `an adapter changes what it changes in a search`() throws {
        let folder = try TemporaryFolder()
        try write(folder)
        let (queries, everything) = (try adapter(folder, .queries), try adapter(folder, .everything))
        let texts = Self.documents.map { $0.title.isEmpty ? $0.text : "\($0.title) \($0.text)" }
            .map { String($0.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
        let judged = Self.queries.prefix(2)
        for (file, documents) in [(queries, []), (everything, ["--adapter", everything])] {
            let corpus = try vectors(texts, documents)
            let asked = try vectors(judged.map(\.text), ["--query", "--adapter", file])
            let expected =
                zip(asked, judged).reduce(0) { sum, pair in
                    let scores = corpus.map { zip($0, pair.0).reduce(Float(0)) { $0 + $1.0 * $1.1 } }
                    return sum + ndcg(ranking(scores), Self.grades[pair.1.id] ?? [:])
                } / 2
            let got = try result(
                Tool.run(["eval", "retrieval", folder.path, "-m", Self.model, "--json", "--adapter", file]))
            #expect(abs(try #require(got.scores["test"]?.first?.values["ndcg_at_10"]) - expected) < 1e-9)
        }
        let table = try Tool.run(["eval", "retrieval", folder.path, "-m", Self.model, "--adapter", queries])
        #expect(table.text.contains("adapter       \(queries)"), "\(table.text)")

        // Both texts of a pair are queries there.
        try folder.write(
            "pairs.tsv", "sentence1\tsentence2\tscore\na b\tc d\t1\nbread\tbreads\t3\nsea\tdesk\t2\n".utf8)
        let pairs = ["eval", "sts", folder.file("pairs.tsv"), "-m", Self.model, "--json"]
        let (plain, changed) = (
            try result(Tool.run(pairs)), try result(Tool.run(pairs + ["--adapter", queries]))
        )
        let name = "cosine_pearson"
        #expect(plain.scores["test"]?.first?.values[name] != changed.scores["test"]?.first?.values[name])

        let none = try Tool.run(pairs + ["--adapter", queries, "--instruct", ""])
        #expect(none.status == 64 && none.messages.contains("changes queries alone"), "\(none.messages)")
        let other = try Tool.run(
            ["eval", "sts", folder.file("pairs.tsv"), "-m", Fixture.path("tiny-embed-F16.gguf"), "--adapter", queries])
        #expect(other.status == 65 && other.messages.contains("was made for the model"), "\(other.messages)")
    }

    @Test func `retrieval and reranking`() throws {
        let folder = try TemporaryFolder()
        try write(folder)
        let base = ["eval", "retrieval", folder.path, "-m", Self.model, "--dimensions", "32"]
        let entry = try #require(try result(Tool.run(base + ["--json"])).scores["test"]?.first)
        let corpus = try vectors(
            [
                "Paris the capital of France", "bread is baked", "water boils", "Rome the capital of Italy",
                "water boils",
            ],
            ["--dimensions", "32"])
        let judged = Self.queries.prefix(2)
        let queries = try vectors(judged.map(\.text), ["--dimensions", "32", "--query"])
        let rankings = queries.map { query in
            ranking(corpus.map { Float(zip($0, query).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }) })
        }
        let expected = zip(rankings, judged).reduce(0) { $0 + ndcg($1.0, Self.grades[$1.1.id] ?? [:]) } / 2
        #expect(abs(try #require(entry.values["ndcg_at_10"]) - expected) < 1e-9)
        #expect(entry.values["main_score"] == entry.values["ndcg_at_10"])
        #expect(entry.values["recall_at_100"] == 1)
        #expect(entry.subset == "default")

        // The document with the query's own id counts for nothing when it is left out.
        let left = try #require(
            try result(Tool.run(base + ["--json", "--ignore-identical-ids"])).scores["test"]?.first)
        #expect(left.values["recall_at_100"] == 0.75)

        // Two documents of each query in the reranker's order, the others behind them.
        let reranking = ["--reranker", Self.reranker, "--top-n", "2", "--rerank-instruct", "Is it hot?"]
        let reranked = try #require(try result(Tool.run(base + ["--json"] + reranking)).scores["test"]?.first)
        let finals = try zip(rankings, judged).map { ranking, query in
            let texts = Array(ranking.prefix(2)).map { id in Self.documents.first { $0.id == id }! }
                .map { $0.title.isEmpty ? $0.text.trimmingPrefix(" ") : "\($0.title) \($0.text)" }
                .map { String($0.hasSuffix(" ") ? $0.dropLast() : $0[...]) }
            let arguments = ["rerank", "-m", Self.reranker, "--query", query.text, "--instruct", "Is it hot?"]
            let order = try Tool.run(arguments + ["--format", "text"] + texts).lines.map {
                $0.split(separator: "\t")[1]
            }
            return order.compactMap { Int($0) }.map { ranking[$0 - 1] } + ranking.dropFirst(2)
        }
        let after = zip(finals, judged).reduce(0) { $0 + ndcg($1.0, Self.grades[$1.1.id] ?? [:]) } / 2
        #expect(abs(try #require(reranked.values["ndcg_at_10"]) - after) < 1e-9)
        #expect(reranked.before?["ndcg_at_10"] == entry.values["ndcg_at_10"])

        // However many documents are asked for, there are no more than there are.
        let all = try result(Tool.run(base + ["--json", "--reranker", Self.reranker, "--top-n", "\(Int.max)"]))
        #expect(all.scores["test"]?.first?.values["recall_at_100"] == 1)

        let table = try Tool.run(base + reranking)
        #expect(table.text.contains("with the first 2 of each query reranked:"))
        let words = try #require(table.lines.last).split(separator: " ")
        #expect(words.prefix(3) == ["main", "score", "ndcg_at_10"])
        #expect(abs(try #require(Double(words[3])) - after) <= 5.000001e-6)
    }

    @Test func `threads do not matter and output is a file`() throws {
        let folder = try TemporaryFolder()
        try write(folder)
        let base = ["eval", "retrieval", folder.path, "-m", Self.model]
        let output = folder.file("result.json")
        let table = try Tool.run(
            base + ["--threads", "1", "--output", output, "--name", "Tiny", "--language", "eng-Latn"])
        #expect(table.status == 0)
        #expect(table.text.hasPrefix("task          Tiny (test)\n"))
        let one = try JSONDecoder().decode(MTEBResult.self, from: Data(try folder.read("result.json")))
        let two = try result(Tool.run(base + ["--threads", "2", "--json"]))
        #expect(one.scores["test"]?.first?.values == two.scores["test"]?.first?.values)
        #expect(one.task_name == "Tiny")
        #expect(one.mteb_version == nil)
        #expect(
            String(decoding: try folder.read("result.json"), as: UTF8.self).contains("\"languages\":[\"eng-Latn\"]"))
    }

    @Test func `similarity`() throws {
        let folder = try TemporaryFolder()
        let pairs = [("a cat", "a dog"), ("red", "blue"), ("x", "x y"), ("same", "same")]
        let rows = zip(pairs, 1...).map { "\($0.0)\t\($0.1)\t\($1)\n" }
        try folder.write("dev.tsv", ("sentence1\tsentence2\tscore\n" + rows.joined()).utf8)
        let lines = zip(pairs, 1...).map { "{\"sentence1\":\"\($0.0)\",\"sentence2\":\"\($0.1)\",\"score\":\($1)}\n" }
        let jsonl = try folder.write("pairs.jsonl", lines.joined().utf8)
        let columns = try result(
            Tool.run(["eval", "sts", folder.path, "--split", "dev", "-m", Self.model, "--json"]))
        let objects = try result(Tool.run(["eval", "sts", jsonl, "-m", Self.model, "--json"]))
        #expect(columns.scores["dev"]?.first?.values == objects.scores["test"]?.first?.values)

        let instruct = ["--instruct", "Retrieve semantically similar text"]
        let left = try vectors(pairs.map(\.0), instruct)
        let right = try vectors(pairs.map(\.1), instruct)
        let cosines = zip(left, right).map { zip($0, $1).reduce(0.0) { $0 + Double($1.0) * Double($1.1) } }
        // Without ties, Spearman is 1 - 6 times the squared differences of ranks over n (n^2 - 1).
        let ranks = cosines.map { cosine in cosines.count { $0 <= cosine } }
        let squares = zip(ranks, 1...).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        let spearman = try #require(objects.scores["test"]?.first?.values["cosine_spearman"])
        #expect(abs(spearman - (1 - 6 * Double(squares) / 60)) < 1e-9)
    }

    /// Texts that are alike are of one kind, and only those.
    @Test func `classes clusters and translations`() throws {
        let folder = try TemporaryFolder()
        let lines = (0..<24).map { "{\"text\":\"\(["bread", "water", "stone"][$0 % 3])\",\"label\":\($0 % 3)}\n" }
        try folder.write("train.jsonl", lines.joined().utf8)
        try folder.write("test.jsonl", lines.prefix(7).joined().utf8)
        let classes = try result(Tool.run(["eval", "classification", folder.path, "-m", Self.model, "--json"]))
        #expect(classes.scores["test"]?.first?.values["accuracy"] == 1)
        #expect(classes.scores["test"]?.first?.values["knn_f1"] == 1)
        let clusters = try result(
            Tool.run(["eval", "clustering", folder.file("train.jsonl"), "-m", Self.model, "--json"]))
        #expect(clusters.task_name == "train")
        let measure = try #require(clusters.scores["test"]?.first?.values["v_measure"])
        #expect(measure > 0.7)
        try folder.write("test.tsv", "bread\tbread\nwater\twater\nstone\tstone\n\n".utf8)
        let bitext = try result(Tool.run(["eval", "bitext", folder.file("test.tsv"), "-m", Self.model, "--json"]))
        #expect(bitext.scores["test"]?.first?.values["f1"] == 1)
    }

    /// What is wrong is named with its file and line, and before anything is computed.
    private static let faults: [(file: String, content: String, status: CInt, message: String)] = [
        ("corpus.jsonl", "{\"_id\":\"a\",\"text\":\"t\"}\nnonsense\n", 65, "corpus.jsonl:2 (byte 23): not JSON"),
        ("corpus.jsonl", "{\"_id\":\"a\"}\n", 65, "corpus.jsonl:1 (byte 0): \"text\" is missing"),
        ("corpus.jsonl", "{\"text\":\"t\"}\n", 65, "corpus.jsonl:1 (byte 0): \"_id\" is missing"),
        ("corpus.jsonl", "{\"_id\":[],\"text\":\"t\"}\n", 65, "\"_id\" is neither a string nor a whole number"),
        (
            "corpus.jsonl", "{\"_id\":\"a\",\"text\":\"\"}\n{\"_id\":\"a\",\"text\":\"\"}\n", 65,
            "there are two documents a"
        ),
        ("corpus.jsonl", "", 65, "has no documents"),
        ("corpus.jsonl", "{\"_id\":\"a\",\"text\":\"t\"}\n", 65, "corpus.jsonl has no document"),
        ("queries.jsonl", "{\"_id\":\"z\",\"text\":\"t\"}\n", 65, "queries.jsonl has no query"),
        ("queries.jsonl", "{\"_id\":\"c\",\"text\":\"\"}\n{\"_id\":\"c\",\"text\":\"\"}\n", 65, "two queries c"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\n", 65, "has no records"),
        ("qrels/test.tsv", "c c 1\n", 65, "test.tsv:1 (byte 0): 1 columns, but query-id"),
        ("qrels/test.tsv", "c\tc\tx\n", 65, "\"score\" is not a whole number"),
        ("qrels/test.tsv", "c\tc\t99999999999\n", 65, "\"score\" is not a whole number"),
        ("qrels/test.tsv", "c\tc\t1\nc\tc\t2\n", 65, "test.tsv:2 (byte 6): another line grades that pair differently"),
    ]

    @Test(arguments: faults) func `bad retrieval data`(
        _ fault: (file: String, content: String, status: CInt, message: String)
    ) throws {
        let folder = try TemporaryFolder()
        try write(folder)
        try folder.write(fault.file, fault.content.utf8)
        try expectFailure(["eval", "retrieval", folder.path, "-m", "/nonexistent.gguf"], fault.status, fault.message)
    }

    @Test func `bad data`() throws {
        let folder = try TemporaryFolder()
        let model = ["-m", Self.model]
        try write(folder)
        try expectFailure(["eval", "retrieval", folder.path, "--split", "dev"] + model, 66, "qrels/dev.tsv")
        try expectFailure(["eval", "retrieval", "/nonexistent"] + model, 66, "is not a folder")
        try expectFailure(["eval", "sts", folder.path] + model, 66, "has neither test.jsonl nor test.tsv")
        try expectFailure(["eval", "classification", folder.path] + model, 66, "has neither train.jsonl nor train.tsv")
        try folder.write("test.jsonl", "{\"text\":\"a\",\"label\":\"x\"}\n".utf8)
        try folder.write("train.jsonl", "{\"text\":\"a\"}\n".utf8)
        try expectFailure(
            ["eval", "classification", folder.path] + model, 65, "train.jsonl:1 (byte 0): \"label\" is missing")
        try folder.write("train.jsonl", "{\"text\":\"a\",\"label\":true}\n".utf8)
        try expectFailure(["eval", "classification", folder.path] + model, 65, "\"label\" is neither")
        try folder.write("train.jsonl", "{\"text\":\"a\",\"label\":1}\n{\"text\":\"a\",\"label\":2}\n".utf8)
        try expectFailure(["eval", "classification", folder.path] + model, 65, "no training text has the label x")
        try expectFailure(["eval", "clustering", folder.file("test.jsonl")] + model, 65, "all texts have the label x")
        try folder.write("bad.tsv", "a\tb\tnan\n".utf8)
        try expectFailure(
            ["eval", "sts", folder.file("bad.tsv")] + model, 65, "bad.tsv:1 (byte 0): \"score\" is not a number")
        try folder.write("bad.tsv", "a\tb\t1\nc\td\t1\n".utf8)
        try expectFailure(["eval", "sts", folder.file("bad.tsv")] + model, 65, "all scores are equal")
        try folder.write("bad.txt", "a\tb\n".utf8)
        try expectFailure(["eval", "bitext", folder.file("bad.txt")] + model, 64, "ends in .jsonl or .tsv")
        try expectFailure(["eval", "bitext", folder.file("none.tsv")] + model, 66, "none.tsv")
        let bitext = ["eval", "bitext", try folder.write("b.tsv", "a\tb\n".utf8)]
        try expectFailure(bitext + model + ["--json", "-o", "x"], 64, "not both")
        try expectFailure(bitext + model + ["--dimensions", "65"], 64, "65 dimensions")
        try expectFailure(["eval", "classification", folder.path, "--experiments", "1001"] + model, 64, "1 to 1000")
        try expectFailure(bitext + model + ["-o", folder.file("b.tsv")], 64, "is an input of this command")
    }

    @Test func `long texts are named or cut`() throws {
        let folder = try TemporaryFolder()
        var copy = try ModelCopy(of: "tiny-embed-Q8_0")
        copy["qwen3.context_length"] = .uint32(40)
        try copy.write(to: folder.file("short.gguf"))
        let long = String(repeating: "word ", count: 100)
        let data = try folder.write("b.tsv", "a\tb\nc\t\(long)\n".utf8)
        let base = ["eval", "bitext", data, "-m", folder.file("short.gguf")]
        try expectFailure(base, 65, "b.tsv:2 (byte 4): the text has")
        let cut = try Tool.run(base + ["--truncate"])
        #expect(cut.status == 0)
        #expect(cut.text.contains("truncated     1 texts"))
    }

    private func expectFailure(_ arguments: [String], _ status: CInt, _ message: String) throws {
        let outcome = try Tool.run(arguments)
        #expect(outcome.status == status, "\(outcome.messages)")
        #expect(outcome.messages.hasPrefix("q3: error: "))
        #expect(outcome.messages.contains(message), "\(outcome.messages)")
        #expect(outcome.messages.filter { $0 == "\n" }.count == 1, "\(outcome.messages)")
        #expect(outcome.output.isEmpty)
    }
}
