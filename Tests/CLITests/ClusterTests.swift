// q3 cluster and q3 classify end to end.
import Q3System
import TestSupport
import Testing

@testable import q3

@Suite struct ClusterTests {
    /// Six texts in two groups, with their vectors and labels.
    private func folder() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        let texts = ["red apple", "green apple", "sweet apple", "fast car", "old car", "blue <car>"]
        let lines = texts.enumerated().map { index, text in
            #"{"id":"\#(index)","text":"\#(text)","label":"\#(index < 3 ? "fruit\\u001b" : "car")"}"#
        }
        try folder.write("in.jsonl", Array(lines.joined(separator: "\n").utf8))
        let rows: [[Float]] = [[1, 0.1, 0], [1, 0, 0.1], [1, 0, 0], [0, 1, 0.1], [0.1, 1, 0], [0, 1, 0]]
        try folder.write("in.npy", DuplicatesTests.npy(rows))
        return folder
    }

    @Test func `clusters, their labels, their tree and their map`() throws {
        let folder = try folder()
        let input = ["cluster", "-i", folder.file("in.jsonl"), "--vectors", folder.file("in.npy")]
        let table = try Tool.run(input + ["--clusters", "2", "--map", folder.file("map.html")])
        #expect(table.status == 0 && table.lines.count == 2, "\(table.messages)")
        #expect(table.text.contains("3\tapple") && table.text.contains("3\tcar"))
        let map = String(decoding: try folder.read("map.html"), as: UTF8.self)
        #expect(map.contains("blue &lt;car&gt;") && map.contains("<svg") && map.hasPrefix("<!doctype html>"))
        let json = try Tool.run(input + ["--clusters", "3", "--json"])
        #expect(json.lines.count == 5 && json.lines[4].contains(#""merge":4"#) && json.lines[4].contains(#""size":6"#))

        #expect(try Tool.run(input + ["--clusters", "2", "-o", folder.file("rows.jsonl")]).status == 0)
        let rows = String(decoding: try folder.read("rows.jsonl"), as: UTF8.self).split(separator: "\n")
        #expect(rows.count == 6 && rows[5].hasPrefix(#"{"index":5,"id":"5","cluster":"#))
        let dense = try Tool.run(input + ["--density", "--min-size", "3", "--threshold", "0.9"])
        #expect(dense.lines.count == 2 && dense.messages.contains("2 clusters of 6 rows, 0 outliers"))
        let none = try Tool.run(input + ["--density", "--min-size", "5"])
        #expect(none.status == 0 && none.lines.isEmpty && none.messages.contains("6 outliers"))
        for bad in [["--clusters", "0"], ["--density", "--clusters", "2"], ["--min-size", "3"], ["--map", "x.png"]] {
            #expect(try Tool.run(input + bad).status == 64)
        }
    }

    @Test(arguments: [1, 2, 60])
    func `vectors that are all equal, and one alone`(_ count: Int) throws {
        let folder = try TemporaryFolder()
        try folder.write("v.npy", DuplicatesTests.npy([[Float]](repeating: [3, -4, 0], count: count)))
        let lines = (0..<count).map { #"{"text":"t","label":"\#($0 % 2)"}"# }
        try folder.write("t.jsonl", Array(lines.joined(separator: "\n").utf8))
        let given = ["-i", folder.file("t.jsonl"), "--vectors", folder.file("v.npy")]
        let groups = try Tool.run(["duplicates", "--threshold", "1"] + given)
        #expect(groups.status == 0 && groups.lines.count == (count > 1 ? 1 : 0), "\(groups.messages)")
        let map = ["--map", folder.file("map.svg")]
        let clusters = try Tool.run(["cluster", "--clusters", "5", "-o", folder.file("rows")] + map + given)
        #expect(clusters.status == 0, "\(clusters.messages)")
        let rows = String(decoding: try folder.read("rows"), as: UTF8.self).split(separator: "\n")
        #expect(rows.count == count && rows.allSatisfy { $0.contains("\"similarity\":1.0") || $0.contains("0.99999") })
        #expect(!String(decoding: try folder.read("map.svg"), as: UTF8.self).contains("nan"))
        #expect(try Tool.run(["cluster", "--density", "--min-size", "1"] + given).status == 0)
        let bitext = try Tool.run(["mine", "bitext", "--against", folder.file("v.npy"), "--json"] + given)
        // The first row is the best of all on both sides, and each row is in one pair at most.
        #expect(bitext.status == 0 && bitext.lines.count == 1, "\(bitext.messages)")
        let head = folder.file("head.json")
        let trained = try Tool.run(["classify", "train", "-o", head] + given)
        #expect(trained.status == (count > 1 ? 0 : 65), "\(trained.messages)")
        guard count > 1 else { return }
        let found = try Tool.run(["classify", "predict", head, "--all"] + given)
        #expect(found.lines.count == count && found.lines[0].contains(#""probability":0.5"#), "\(found.text)")
    }

    @Test func `labels are learned and given`() throws {
        let folder = try folder()
        let (texts, head) = (folder.file("in.jsonl"), folder.file("head.json"))
        let given = ["-i", texts, "--vectors", folder.file("in.npy")]
        for method in ["neighbors", "logistic"] {
            let trained = try Tool.run(["classify", "train", "--method", method, "-o", head, "--folds", "3"] + given)
            #expect(trained.status == 0 && trained.messages.contains("accuracy 1.0000"), "\(trained.messages)")
            let found = try Tool.run(["classify", "predict", head, "--all"] + given)
            #expect(found.status == 0 && found.lines.count == 6, "\(found.messages)")
            #expect(found.lines[0].contains(#""label":"fruit\u001b""#) && found.lines[5].contains(#""label":"car""#))
        }
        try folder.write("middle.npy", DuplicatesTests.npy([[1, 1, 0.05], [0, 1, 0]]))
        let unsure = try Tool.run(["classify", "predict", head, "--unsure", "0.9", "-i", folder.file("middle.npy")])
        #expect(unsure.messages.contains("2 rows, 1 of them unsure"), "\(unsure.messages)")
        #expect(unsure.lines.count == 2 && unsure.lines[0].contains(#""unsure":true"#))
        #expect(unsure.lines[1].contains(#""label":"car""#) && unsure.lines[1].contains(#""unsure":false"#))

        // Embedded here, the file knows its model, and another one's vectors are refused.
        let model = Fixture.path("tiny-embed-Q8_0.gguf")
        #expect(try Tool.run(["classify", "train", "-m", model, "-i", texts, "-o", head]).status == 0)
        #expect(try Tool.run(["classify", "predict", head, "-i", texts]).lines.count == 6)
        let other = try Tool.run(["classify", "predict", head, "-m", Fixture.path("tiny-embed-F32.gguf"), "-i", texts])
        #expect(other.status == 65 && other.messages.contains("was made for the model"))

        try folder.write("one.jsonl", Array(#"{"text":"a","label":"x"}"#.utf8))
        let one = try Tool.run(["classify", "train", "-m", model, "-i", folder.file("one.jsonl"), "-o", head])
        #expect(one.status == 65 && one.messages.contains("all rows have the label x"))
        let damaged = try Tool.run(["classify", "predict", folder.file("in.npy"), "-i", texts])
        #expect(damaged.status == 65 && damaged.messages.contains("is not a classifier"))
        let missing = try Tool.run(
            ["classify", "train", "-m", model, "--label-column", "kind", "--strict", "-i", texts, "-o", head])
        #expect(missing.status == 65 && missing.messages.contains("\"kind\" is missing"))
    }
}
