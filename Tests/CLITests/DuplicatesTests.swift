// q3 duplicates and q3 mine end to end: what they find, and what they say of input that they cannot use.
import Q3System
import TestSupport
import Testing

@testable import q3

@Suite struct DuplicatesTests {
    private static let model = Fixture.path("tiny-embed-Q8_0.gguf")

    /// Writes an .npy of f32 rows.
    static func npy(_ rows: [[Float]]) -> [UInt8] {
        NPY.header(type: "<f4", rowCount: rows.count, columnCount: rows.first?.count ?? 0)
            + rows.joined().flatMap { value in
                (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> ($0 * 8)) }
            }
    }

    /// Five texts, of which 0, 2 and 4 are near each other, with their vectors.
    private func folder() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        let lines = [
            #"{"id":"a","text":"one","day":"2026-01-02"}"#, #"{"id":7,"text":"two","day":"2026-01-01"}"#,
            #"{"id":"c","text":"one, longer","day":"2026-01-03","more":[1,  2]}"#,
            #"{"text":"three","day":"2026-01-01"}"#,
            #"{"id":"e","text":"1","day":"2026-01-01"}"#,
        ]
        try folder.write("in.jsonl", Array(lines.joined(separator: "\n").utf8))
        try folder.write("in.npy", Self.npy([[1, 0, 0], [0, 1, 0], [2, 0.1, 0], [0, 0, 3], [1, 0.05, 0]]))
        return folder
    }

    private func run(_ folder: TemporaryFolder, _ arguments: String...) throws -> Outcome {
        let input = ["-i", folder.file("in.jsonl"), "--vectors", folder.file("in.npy")]
        return try Tool.run(["duplicates"] + input + arguments)
    }

    @Test func `groups, pairs and what is kept`() throws {
        let folder = try folder()
        let groups = try run(folder, "--threshold", "0.99")
        #expect(groups.status == 0)
        #expect(
            groups.lines == [
                #"{"size":3,"members":[{"index":0,"id":"a","text":"one"},{"index":2,"id":"c","text":"one, longer"},"#
                    + #"{"index":4,"id":"e","text":"1"}]}"#
            ])
        #expect(groups.messages.contains("1 groups in 5 rows; 2 rows are one too many"))

        let pairs = try run(folder, "--threshold", "0.99", "--pairs", "--max-pairs", "2")
        #expect(pairs.lines.count == 2 && pairs.messages.contains("there are more pairs"))
        #expect(pairs.lines[0].contains(#""first":{"index":2"#) || pairs.lines[0].contains(#""first":{"index":0"#))

        let text = String(decoding: try folder.read("in.jsonl"), as: UTF8.self).split(separator: "\n").map(String.init)
        for (rule, kept) in [("first", [0, 1, 3]), ("longest", [1, 2, 3]), ("newest", [1, 3, 4])] {
            let outcome = try run(folder, "--threshold", "0.99", "--keep", rule)
            #expect(outcome.lines == kept.map { text[$0] }, "\(rule)")
        }
        let newest = try run(folder, "--threshold", "0.99", "--keep", "newest", "--time-column", "day")
        #expect(newest.lines == [text[1], text[2], text[3]])
    }

    @Test func `tables keep their header, and blank lines do not shift rows`() throws {
        let folder = try TemporaryFolder()
        try folder.write("a.csv", Array("id,text\n1,x\n2,\"y\nz\"\n".utf8))
        try folder.write("b.csv", Array("id,text\n3,x\n".utf8))
        try folder.write("v.npy", Self.npy([[1, 0], [0, 1], [1, 0]]))
        let table = try Tool.run([
            "duplicates", "-i", folder.file("a.csv"), "-i", folder.file("b.csv"), "--vectors", folder.file("v.npy"),
            "--keep", "newest",
        ])
        #expect(table.text == "id,text\n2,\"y\nz\"\n3,x\n")
        try folder.write("t.txt", Array("\u{FEFF}one\n\ntwo\none\n".utf8))
        let lines = try Tool.run([
            "duplicates", "-i", folder.file("t.txt"), "--vectors", folder.file("v.npy"), "--keep", "first",
        ])
        #expect(lines.text == "one\ntwo\n")
    }

    @Test func `what of one file is in another`() throws {
        let folder = try folder()
        try folder.write("other.npy", Self.npy([[0, 2, 0.01], [5, 5, 5]]))
        let input = ["duplicates", "-i", folder.file("in.jsonl"), "--vectors", folder.file("in.npy")]
        let found = try Tool.run(input + ["--against", folder.file("other.npy")])
        #expect(found.lines.count == 1 && found.lines[0].hasPrefix(#"{"index":1,"id":7,"text":"two","score":0.99"#))
        #expect(found.text.hasSuffix(#""match":{"index":0}}"# + "\n"))
        let kept = try Tool.run(input + ["--against", folder.file("other.npy"), "--keep", "unmatched"])
        #expect(kept.lines.count == 4 && !kept.text.contains("two"))
    }

    /// q3 embed's own vectors give what embedding again gives.
    @Test func `texts and their vectors give the same`() throws {
        let folder = try TemporaryFolder()
        try folder.write("in.txt", Array("one\ntwo\none\nthree\n".utf8))
        let made = try Tool.run(["embed", "-m", Self.model, "-i", folder.file("in.txt"), "-o", folder.file("v.npy")])
        #expect(made.status == 0)
        let input = ["duplicates", "-m", Self.model, "-i", folder.file("in.txt"), "--threshold", "0.999"]
        let embedded = try Tool.run(input)
        #expect(embedded.text.contains(#"{"index":0,"text":"one"},{"index":2,"text":"one"}"#))
        #expect(try Tool.run(input + ["--vectors", folder.file("v.npy")]).text == embedded.text)
    }

    @Test func `input that cannot be used is named`() throws {
        let folder = try folder()
        let good = Self.npy([[1, 0], [0, 1]])
        for (name, bytes, said) in [
            ("nan", Self.npy([[1, 0], [.nan, 0]]), "row 1 has a value that is not a finite number"),
            ("zero", Self.npy([[0, 0], [1, 0]]), "row 0 is all zeros"),
            ("short", Array(good.dropLast(3)), "too short for them"),
            ("text", Array("hello, world".utf8), "not an .npy"),
            ("empty", Self.npy([]), "has the shape"), ("cut", Array(good.prefix(60)), "ends early"),
            (
                "type", NPY.header(type: "<i8", rowCount: 1, columnCount: 1) + [0, 0, 0, 0, 0, 0, 0, 0],
                "of the type <i8"
            ),
            ("huge", NPY.header(type: "<f4", rowCount: 1 << 60, columnCount: 1 << 10), "too short for them"),
        ] {
            try folder.write("\(name).npy", bytes)
            let outcome = try Tool.run(["duplicates", "-i", folder.file("\(name).npy")])
            #expect(outcome.status == 65 && outcome.messages.contains(said), "\(name): \(outcome.messages)")
            #expect(outcome.messages.contains("\(name).npy"))
        }
        try folder.write("good.npy", good)
        let sizes = try Tool.run(["duplicates", "-i", folder.file("in.npy"), "--against", folder.file("good.npy")])
        #expect(
            sizes.status == 65 && sizes.messages.contains("vectors of 3 values") && sizes.messages.contains("of 2;"))
        let count = try Tool.run(["duplicates", "-i", folder.file("in.jsonl"), "--vectors", folder.file("good.npy")])
        #expect(count.status == 65 && count.messages.contains("has 2 vectors, and the input 5 texts"))
        for arguments in [
            ["--threshold", "1.5"], ["--keep", "unmatched"], ["--pairs", "--keep", "first"], ["--time-column", "x"],
            ["--keep", "longest", "-i", folder.file("in.npy")],
        ] {
            let outcome = try Tool.run(
                ["duplicates"] + (arguments.count > 2 ? [] : ["-i", folder.file("good.npy")]) + arguments)
            #expect(outcome.status == 64, "\(arguments): \(outcome.messages)")
        }
        let one = try Tool.run(["duplicates", "-m", Self.model, "-i", folder.file("missing.txt")])
        #expect(one.status == 66)
    }

    #if Index
    @Test func `vectors of two models are refused, and those of an index are taken`() throws {
        let folder = try TemporaryFolder()
        try folder.write("a.txt", Array("Bread is baked in an oven from flour and water.\n".utf8))
        for (name, model) in [("x", Self.model), ("y", "q3-mini")] {
            let index = folder.file("\(name).q3i")
            #expect(try Tool.run(["index", "create", index, "--model", model, "--dimensions", "32"]).status == 0)
            #expect(try Tool.run(["index", "add", index, folder.file("a.txt")]).status == 0)
        }
        let both = try Tool.run(["duplicates", "-i", folder.file("x.q3i"), "--against", folder.file("y.q3i")])
        #expect(both.status == 65 && both.messages.contains("cannot be compared"))
        let same = try Tool.run(["duplicates", "-i", folder.file("x.q3i"), "--against", folder.file("x.q3i")])
        #expect(same.status == 0 && same.lines.count == 1 && same.text.contains("Bread"))
    }
    #endif

    @Test func `translations are mined both ways`() throws {
        let folder = try TemporaryFolder()
        try folder.write("l.txt", Array("eins\nzwei\ndrei\n".utf8))
        try folder.write("r.txt", Array("two\tII\none\nfour\n".utf8))
        try folder.write("l.npy", Self.npy([[1, 0.1, 0], [0, 1, 0.1], [0.5, 0.5, 1]]))
        try folder.write("r.npy", Self.npy([[0, 1, 0], [1, 0, 0], [0, -1, 0.2]]))
        let input = [
            "mine", "bitext", "-i", folder.file("l.txt"), "--vectors", folder.file("l.npy"), "--against",
            folder.file("r.txt"), "--against-vectors", folder.file("r.npy"), "--neighbors", "2",
        ]
        let found = try Tool.run(input + ["--margin", "absolute", "--threshold", "0.9"])
        #expect(found.status == 0)
        let cells = found.lines.map { $0.split(separator: "\t").map(String.init) }
        #expect(
            cells.map { Array($0.dropFirst()) }.sorted { $0[0] < $1[0] } == [["eins", "one"], ["zwei", "two II"]])
        let scored = try Tool.run(input + ["--score", "--json", "--margin", "distance"])
        #expect(scored.lines.count == 3 && scored.lines[0].contains(#""left":{"index":0,"text":"eins"}"#))
    }

    @Test func `hard negatives in every form`() throws {
        let folder = try TemporaryFolder()
        let pairs = [
            #"{"query":"capital of France","positive":"Paris"}"#, #"{"query":"capital of Italy","positive":"Rome"}"#,
            #"{"query":"capital of Italy","positive":"Roma \"eterna\""}"#, #"{"query":"food","positive":"bread"}"#,
        ]
        try folder.write("pairs.jsonl", Array(pairs.joined(separator: "\n").utf8))
        let input = ["mine", "negatives", "-m", Self.model, "-i", folder.file("pairs.jsonl"), "--num-negatives", "2"]
        for (form, count, part) in [
            ("triplet", 8, #""negative":"#), ("n-tuple", 4, #""negative_2":"#), ("labeled-pair", 10, #""label":0"#),
            ("labeled-list", 4, #""labels":[1, 0, 0]"#), ("swift", 4, #""negative_messages":[[{"role":"user""#),
            ("swift3", 4, #""rejected_response":["#),
        ] {
            let outcome = try Tool.run(input + ["--format", form])
            #expect(outcome.status == 0 && outcome.lines.count == count, "\(form): \(outcome.messages)")
            #expect(outcome.text.contains(part) && outcome.text.contains(#"Roma \"eterna\""#), "\(form)")
        }
        let random = ["--sampling-strategy", "random", "--range-max", "4", "--seed", "3"]
        #expect(try Tool.run(input + random).text == Tool.run(input + random).text)
        let beir = try Tool.run(input + ["--format", "beir", "-o", folder.file("beir")])
        #expect(beir.status == 0)
        let grades = String(decoding: try folder.read("beir/qrels/train.tsv"), as: UTF8.self).split(separator: "\n")
        #expect(grades.count == 1 + 4 + 6 && grades[0] == "query-id\tcorpus-id\tscore")
        let reranked = try Tool.run(
            input + ["-r", Fixture.path("tiny-rerank-Q8_0.gguf"), "--output-scores", "--format", "n-tuple"])
        #expect(reranked.status == 0 && reranked.lines.count == 4 && reranked.text.contains(#""scores":[0."#))
        let none = try Tool.run(input + ["--max-score=-2"])
        #expect(none.status == 0 && none.lines.isEmpty && none.messages.contains("3 queries have fewer than 2"))
        #expect(try Tool.run(input + ["--range-max", "1"]).status == 64)
        #expect(try Tool.run(input + ["--query-column", "anchor"]).messages.contains("\"anchor\" is missing"))
    }
}
