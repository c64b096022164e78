// q3 tune adapter end to end: what it reads, writes and refuses, and where its adapters are used.
#if Training
import Q3System
import TestSupport
import Testing

@testable import q3

@Suite struct TuneTests {
    private static let subjects = [
        "bread", "keys", "threads", "soup", "maps", "letters", "trains", "clouds", "paint", "music", "ropes", "stones",
    ]

    /// A passage and two queries on each subject, with the words that tell them apart.
    private static var pairs: [String] {
        subjects.enumerated().flatMap { number, subject in
            [
                #"{"query":"tell me of \#(subject)","positive":"All that is known of \#(subject), number \#(number)."}"#,
                #"{"query":"how are \#(subject) made","positive":"Making \#(subject): a description in \#(number) steps."}"#,
            ]
        }
    }

    private func folder(_ lines: [String] = pairs) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try folder.write("pairs.jsonl", Array(lines.joined(separator: "\n").utf8))
        return folder
    }

    private func tune(_ folder: TemporaryFolder, _ arguments: String...) throws -> Outcome {
        try Tool.run(
            [
                "tune", "adapter", "-i", folder.file("pairs.jsonl"), "-o", folder.file("a.gguf"), "--rank", "4",
                "--epochs", "4",
            ]
                + arguments)
    }

    /// Whether the run wrote an adapter, or said that there was no gain.
    private func isDone(_ outcome: Outcome, _ folder: TemporaryFolder) throws -> Bool {
        let names = try folder.names()
        return outcome.status == 0 && names.contains("a.gguf") && names.contains("a.md")
            || outcome.status == 1 && !names.contains("a.gguf") && outcome.messages.contains("no gain")
    }

    @Test func `figures, card and plot come with an adapter`() throws {
        let folder = try folder()
        let outcome = try tune(folder, "--validation", "0", "--plot", folder.file("loss.svg"))
        #expect(outcome.status == 0, "\(outcome.messages)")
        #expect(outcome.messages.contains("nDCG@10 before") && outcome.messages.contains("held-out queries"))
        let card = String(decoding: try folder.read("a.md"), as: UTF8.self)
        #expect(card.contains("nDCG@10 after") && card.contains("| rank | 4 |") && card.contains("pairs.jsonl"))
        #expect(String(decoding: try folder.read("loss.svg"), as: UTF8.self).contains("<polyline"))
        #expect(try folder.names() == ["a.gguf", "a.md", "loss.svg", "pairs.jsonl"])

        let plain = try Tool.run(["embed", "--query", "tell me of bread"])
        let adapted = try Tool.run(["embed", "--query", "--adapter", folder.file("a.gguf"), "tell me of bread"])
        #expect(adapted.status == 0 && adapted.text != plain.text)
        let document = try Tool.run(["embed", "--adapter", folder.file("a.gguf"), "a document"])
        #expect(document.status == 64 && document.messages.contains("changes queries alone"))
        try folder.write("docs.txt", Array("bread and butter\nkeys and locks\n".utf8))
        let search = try Tool.run(
            ["search", "bread", "-i", folder.file("docs.txt"), "--adapter", folder.file("a.gguf"), "--format", "jsonl"])
        #expect(search.status == 0 && search.lines.count == 2)
        let other = try Tool.run(
            ["embed", "-m", Fixture.path("tiny-embed-Q8_0.gguf"), "--query", "--adapter", folder.file("a.gguf"), "a"])
        #expect(other.status == 65 && other.messages.contains("was made for the model"), "\(other.messages)")
        let none = try Tool.run(["embed", "--query", "--adapter", Fixture.path("tiny-embed-Q8_0.gguf"), "a"])
        #expect(none.status == 65 && none.messages.contains("no adapter"), "\(none.messages)")
    }

    @Test func `threads and interruptions change no bit`() throws {
        let (one, two) = (try folder(), try folder())
        #expect(try isDone(tune(one, "--threads", "1", "--validation", "0"), one))
        // A run that is stopped after its first state, and one that goes on.
        let process = try Tool.start(
            [
                "tune", "adapter", "-i", two.file("pairs.jsonl"), "-o", two.file("a.gguf"), "--rank", "4", "--epochs",
                "4",
            ]
                + ["--validation", "0", "--threads", "2"],
            input: two.file("pairs.jsonl"), output: two.file("out"), messages: two.file("err"))
        try Tool.until { try two.names().contains { $0 == "a.gguf.q3-tune" || $0 == "a.gguf" } }
        kill(process, SIGTERM)
        _ = Tool.wait(for: process)
        let resumed = try tune(two, "--resume", "--threads", "2", "--validation", "0")
        #expect(resumed.status == 0, "\(resumed.messages)")
        #expect(try one.read("a.gguf") == two.read("a.gguf"))
        #expect(try !two.names().contains("a.gguf.q3-tune"))
    }

    @Test func `another job is not resumed`() throws {
        let folder = try folder()
        let process = try Tool.start(
            ["tune", "adapter", "-i", folder.file("pairs.jsonl"), "-o", folder.file("a.gguf"), "--epochs", "5000"],
            input: folder.file("pairs.jsonl"), output: folder.file("out"), messages: folder.file("err"))
        try Tool.until { try folder.names().contains("a.gguf.q3-tune") }
        kill(process, SIGINT)
        #expect(Tool.wait(for: process) == 130)
        #expect(String(decoding: try folder.read("err"), as: UTF8.self).contains("--resume continues"))
        let other = try tune(folder, "--resume")
        #expect(other.status == 64 && other.messages.contains("cannot resume"), "\(other.messages)")
        // The vectors are the same whatever the training's options are, so none is computed again.
        #expect(other.messages.contains("48 vectors of the earlier run"), "\(other.messages)")
    }

    @Test func `vectors are kept in their order, and those of other texts are not taken`() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("a.q3-vectors")
        var key = SHA256()
        key.update([1])
        func open(_ key: SHA256, resumes: Bool = true) throws -> KeptVectors {
            try KeptVectors(path: path, key: key, dimensions: 2, resumes: resumes)
        }
        var kept = try open(key)
        #expect(kept.next(3) == [])
        for row in [[1, 2], [3, 4], [5, 6]] as [[Float]] { try kept.append(row) }
        try kept.flush()
        // Rows that never reached the disk, as after a power cut.
        try kept.append([7, 8])
        kept = try open(key)
        #expect(kept.next(2) == [[1, 2], [3, 4]] && kept.next(2) == [[5, 6]] && kept.next(1) == [])
        try kept.append([9, 10])
        try kept.flush()
        #expect(try open(key).next(9) == [[1, 2], [3, 4], [5, 6], [9, 10]])
        // A count that says more than the file holds.
        var bytes = try folder.read("a.q3-vectors")
        bytes[48] = 200
        try folder.write("a.q3-vectors", bytes)
        #expect(try open(key).next(9).count == 4)
        var other = SHA256()
        other.update([2])
        #expect(try open(other).next(9) == [])
        #expect(try open(key, resumes: false).next(9) == [])
        try folder.write("a.q3-vectors", Array("something else that someone may need".utf8))
        #expect(throws: Failure.self) { try open(key) }
    }

    private static let forms: [[String]] = [
        [#"{"anchor":"tell me of X","positive":"Known of X.","negative":"Not of X."}"#],
        [#"{"query":"tell me of X","positive":["Known of X.","More of X."],"negative":["Not of X."]}"#],
        [#"{"anchor":"tell me of X","positive":"Known of X.","negative_1":"Not of X.","negative_2":"Nor that of X."}"#],
        [
            #"{"anchor":"tell me of X","positive":"Known of X.","label":1}"#,
            #"{"anchor":"tell me of X","positive":"Not of X.","label":0}"#,
        ],
        [#"{"anchor":"tell me of X","positive":["Known of X.","Not of X."],"labels":[1,0]}"#],
        [#"{"query":"tell me of X","response":"Known of X.","rejected_response":["Not of X."]}"#],
        [
            #"{"messages":[{"role":"user","content":"tell me of X"}],"positive_messages":[[{"role":"user","content":"Known of X."}]],"#
                + #""negative_messages":[[{"role":"user","content":"Not of X."}]]}"#
        ],
    ]

    @Test(arguments: 0..<7) func `pairs are read in every form that trainers have`(_ form: Int) throws {
        let folder = try folder(
            Self.subjects.flatMap { subject in Self.forms[form].map { $0.replacing("X", with: subject) } })
        let outcome = try tune(folder, "--validation", "0")
        #expect(try isDone(outcome, folder), "\(outcome.messages)")
        let passages = [1, 2].contains(form) ? 36 : 24
        #expect(outcome.messages.contains("\(passages) passages"), "\(outcome.messages)")
    }

    private static let faults: [(lines: [String], status: CInt, reason: String)] = [
        ([#"{"query":"a","positive":"b"}"#], 65, "nothing to tell apart"),
        (["not json"], 65, "there are no queries"),
        ((0..<20).map { #"{"query":"q\#($0)","positive":"the same"}"# }, 65, "all queries have the same answer"),
        (
            (0..<20).map { #"{"query":"q\#($0)","positive":"p\#($0)","negative":"p\#($0)"}"# }, 65,
            "is given as an answer and as none"
        ),
        ((0..<3).map { #"{"query":"q\#($0)","positive":"p\#($0)"}"# }, 65, "too few"),
        ((0..<20).map { #"{"query":"q\#($0)","positive":[1]}"# }, 65, "has an element that is not a string"),
        ((0..<20).map { #"{"query":"q\#($0)","positive":["a","b"],"labels":[1]}"# }, 65, "1 labels for 2 passages"),
        ((0..<20).map { #"{"query":"q\#($0)"}"# }, 65, "there is no \"positive\""),
    ]

    @Test(arguments: faults) func `data that nothing can be learned from ends with the reason`(
        _ fault: (lines: [String], status: CInt, reason: String)
    ) throws {
        let folder = try folder(fault.lines)
        let outcome = try tune(folder)
        #expect(outcome.status == fault.status && outcome.messages.contains(fault.reason), "\(outcome.messages)")
        #expect(try folder.names() == ["pairs.jsonl"])
    }

    @Test func `a leak between training and test stops with its places`() throws {
        let folder = try folder()
        try folder.write("test.jsonl", Array(#"{"query":"Tell me of BREAD!","positive":"x"}"#.utf8))
        let outcome = try tune(folder, "--test", folder.file("test.jsonl"))
        #expect(outcome.status == 65 && outcome.messages.contains("learned by heart"), "\(outcome.messages)")
    }

    @Test func `vectors that another model made are refused`() throws {
        let folder = try folder()
        try folder.write("docs.txt", Array((0..<24).map { "text \($0)\n" }.joined().utf8))
        let lines = (0..<24).map { #"{"query":"question \#($0)","positive":"text \#($0)"}"# }
        try folder.write("pairs.jsonl", Array(lines.joined(separator: "\n").utf8))
        let made = try Tool.run(
            [
                "embed", "-m", Fixture.path("tiny-embed-Q8_0.gguf"), "-i", folder.file("docs.txt"), "-o",
                folder.file("v.npy"),
            ])
        #expect(made.status == 0)
        let arguments = ["--corpus", folder.file("docs.txt"), "--vectors", folder.file("v.npy")]
        let wrong = try Tool.run(
            ["tune", "adapter", "-i", folder.file("pairs.jsonl"), "-o", folder.file("a.gguf")] + arguments)
        #expect(wrong.status == 65 && wrong.messages.contains("is not the vector"), "\(wrong.messages)")
        let right = try Tool.run(
            ["tune", "adapter", "-m", Fixture.path("tiny-embed-Q8_0.gguf"), "-i", folder.file("pairs.jsonl")]
                + ["-o", folder.file("a.gguf"), "--rank", "4", "--epochs", "2"] + arguments)
        #expect(try isDone(right, folder), "\(right.messages)")
    }

    #if Index
    @Test func `an index is tuned for without new vectors, and searched with the adapter`() throws {
        let folder = try TemporaryFolder()
        let records = Self.subjects.flatMap { subject in
            ["All that is known of \(subject) is written here.", "The making of \(subject), step after step."].map {
                #"{"text":"\#($0)"}"#
            }
        }
        try folder.write("docs.jsonl", Array(records.joined(separator: "\n").utf8))
        let index = folder.file("docs.q3i")
        #expect(try Tool.run(["index", "create", index]).status == 0)
        #expect(try Tool.run(["index", "add", index, folder.file("docs.jsonl")]).status == 0)
        let pairs = Self.subjects.flatMap { subject in
            [
                #"{"query":"tell me of \#(subject)","positive":"All that is known of \#(subject) is written here."}"#,
                #"{"query":"how are \#(subject) made","positive":"The making of \#(subject), step after step."}"#,
            ]
        }
        try folder.write("pairs.jsonl", Array(pairs.joined(separator: "\n").utf8))
        let outcome = try tune(folder, "--index", index, "--validation", "0")
        #expect(outcome.status == 0 && outcome.messages.contains("24 passages"), "\(outcome.messages)")
        let search = try Tool.run(["search", "tell me of soup", "--index", index, "--adapter", folder.file("a.gguf")])
        #expect(search.status == 0, "\(search.messages)")

        let both = try Tool.run(
            ["tune", "adapter", "-i", folder.file("pairs.jsonl"), "-o", folder.file("b.gguf"), "--documents"]
                + ["--validation", "0", "--epochs", "2"])
        #expect(both.status == 0, "\(both.messages)")
        let refused = try Tool.run(["search", "soup", "--index", index, "--adapter", folder.file("b.gguf")])
        #expect(refused.status == 65, "\(refused.messages)")
        let changed = folder.file("changed.q3i")
        #expect(try Tool.run(["index", "create", changed, "--adapter", folder.file("b.gguf")]).status == 0)
        #expect(
            try Tool.run(["index", "add", changed, folder.file("docs.jsonl"), "--adapter", folder.file("b.gguf")])
                .status == 0)
        #expect(try Tool.run(["search", "soup", "--index", changed, "--adapter", folder.file("b.gguf")]).status == 0)
        #expect(try Tool.run(["search", "soup", "--index", changed]).status == 65)
    }
    #endif

    @Test func `adapters are merged, those of two models are not`() throws {
        let folder = try folder()
        #expect(try tune(folder, "--validation", "0").status == 0)
        let second = try Tool.run(
            [
                "tune", "adapter", "-i", folder.file("pairs.jsonl"), "-o", folder.file("b.gguf"), "--rank", "2",
                "--seed", "7",
            ]
                + ["--validation", "0", "--epochs", "2"])
        #expect(second.status == 0, "\(second.messages)")
        let merged = try Tool.run(
            ["merge", folder.file("a.gguf"), folder.file("b.gguf"), "-o", folder.file("m.gguf"), "--weights", "2,1"])
        #expect(merged.status == 0 && merged.messages.contains("rank 6"), "\(merged.messages)")
        let outcome = try Tool.run(["embed", "--query", "--adapter", folder.file("m.gguf"), "bread"])
        #expect(outcome.status == 0)
        let mixed = try Tool.run(
            ["merge", folder.file("a.gguf"), Fixture.path("tiny-embed-Q8_0.gguf"), "-o", folder.file("m.gguf")])
        #expect(mixed.status == 64 && mixed.messages.contains("adapters and models"), "\(mixed.messages)")
    }
}
#endif
