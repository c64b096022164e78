// q3 tune lora end to end: what it writes, says and refuses, its interruptions, and what its folders are good for.
#if Training
import Q3System
import TestSupport
import Testing

@testable import q3

@Suite struct TuneLoRATests {
    private let folder: TemporaryFolder
    private static let embedder = Fixture.path("tiny-embed-Q8_0.gguf")
    private static let reranker = Fixture.path("tiny-rerank-Q8_0.gguf")
    private static let topics = [
        "bread", "keys", "threads", "soup", "maps", "letters", "trains", "clouds", "paint", "music", "ropes", "stones",
    ]

    /// A passage and two questions on each topic, with a wrong passage for each.
    private static var pairs: [String] {
        topics.enumerated().flatMap { number, topic in
            let wrong = topics[(number + 5) % topics.count]
            return [
                #"{"query":"tell me of \#(topic)","positive":"All that is known of \#(topic), number \#(number).","negative":"Not of \#(wrong)."}"#,
                #"{"query":"how are \#(topic) made","positive":"Making \#(topic): it takes \#(number) steps.","negative":"Nor of \#(wrong)."}"#,
            ]
        }
    }

    init() throws {
        folder = try TemporaryFolder()
        try write(Self.pairs)
    }

    private func write(_ lines: [String]) throws {
        try folder.write("pairs.jsonl", Array(lines.joined(separator: "\n").utf8))
    }

    private func arguments(_ output: String, _ model: String = embedder) -> [String] {
        [
            "tune", "lora", "-i", folder.file("pairs.jsonl"), "-m", model, "-o", folder.file(output), "--layers", "1",
            "--rank", "4", "--epochs", "4", "--batch-size", "4", "--learning-rate", "2e-3", "--negatives", "1",
        ]
    }

    private func tune(_ output: String, _ more: String...) throws -> Outcome {
        try Tool.run(arguments(output) + ["--validation", "0"] + more)
    }

    private func weights(_ output: String) throws -> [UInt8] {
        try folder.read("\(output)/adapter_model.safetensors")
    }

    @Test func `an adapter comes with figures, card and plot, and makes another model`() throws {
        let outcome = try tune("a", "--plot", folder.file("loss.svg"), "--log", folder.file("log.jsonl"))
        #expect(outcome.status == 0, "\(outcome.messages)")
        for words in [
            "nDCG@10 before", "held-out queries, 95 % intervals", "the 2 layers below", "tokens/s, peak memory",
        ] {
            #expect(outcome.messages.contains(words), "\(outcome.messages)")
        }
        let card = String(decoding: try folder.read("a/README.md"), as: UTF8.self)
        #expect(card.contains("| --rank | 4 |") && card.contains("nDCG@10 after") && card.contains("pairs.jsonl"))
        #expect(String(decoding: try folder.read("loss.svg"), as: UTF8.self).contains("<polyline"))
        #expect(String(decoding: try folder.read("log.jsonl"), as: UTF8.self).contains("backward_seconds"))
        // Neither the state nor the states of the layers below are left.
        #expect(try folder.names() == ["a", "log.jsonl", "loss.svg", "pairs.jsonl"])

        let tuned = folder.file("tuned.gguf")
        let made = try Tool.run(["quantize", Self.embedder, tuned, "f32", "--lora", folder.file("a")])
        #expect(made.status == 0, "\(made.messages)")
        let vectors = try [Self.embedder, tuned].map { try Tool.run(["embed", "-m", $0, "tell me of bread"]) }
        #expect(vectors[1].status == 0 && vectors[0].text != vectors[1].text)

        let other = try Tool.run(arguments("b") + ["--validation", "0", "--seed", "7"])
        #expect(other.status == 0, "\(other.messages)")
        let merged = try Tool.run(["merge", folder.file("a"), folder.file("b"), "-o", folder.file("ab")])
        #expect(merged.status == 0 && merged.messages.contains("by slerp, rank 8, 7 matrices"), "\(merged.messages)")
        let both = try Tool.run(["quantize", Self.embedder, tuned, "f32", "--lora", folder.file("ab")])
        #expect(both.status == 0, "\(both.messages)")
    }

    @Test func `merges of two kinds, and options of another, are refused`() throws {
        #expect(try tune("a", "--epochs", "1").status == 0)
        let a = folder.file("a")
        for (arguments, reason) in [
            ([a, Self.embedder], "are of two kinds"), ([a, a, "--type", "q8_0"], "--type is for models"),
            ([a, a, "--least-cosine", "0"], "--least-cosine is for models"),
            ([Self.embedder, Self.embedder, "--any-base"], "--any-base is for LoRA folders"),
            ([a, a, "-o", folder.file("pairs.jsonl")], "is a file; --output is a folder"),
        ] {
            let output = arguments.contains("-o") ? [] : ["-o", folder.file("merged")]
            let outcome = try Tool.run(["merge"] + arguments + output)
            #expect([64, 73].contains(outcome.status) && outcome.messages.contains(reason), "\(outcome.messages)")
        }
        let same = try Tool.run(["merge", a, a, "-o", a])
        #expect(same.status == 64 && same.messages.contains("another name for the output"), "\(same.messages)")
        #expect(try folder.names() == ["a", "pairs.jsonl"])
    }

    @Test func `a reranker is tuned by the same command`() throws {
        let outcome = try Tool.run(arguments("a", Self.reranker) + ["--validation", "0"])
        #expect(outcome.status == 0, "\(outcome.messages)")
        let config = String(decoding: try folder.read("a/adapter_config.json"), as: UTF8.self)
        #expect(config.contains("CAUSAL_LM"))
    }

    @Test(arguments: [SIGTERM, SIGKILL])
    func `a training that is stopped and goes on gives the same bytes`(_ signal: CInt) throws {
        let long = ["--validation", "0.1", "--epochs", "12"]
        let whole = try Tool.run(arguments("whole") + long + ["--threads", "1"])
        let process = try Tool.start(
            arguments("parts") + long + ["--threads", "2"], input: folder.file("pairs.jsonl"),
            output: folder.file("out"), messages: folder.file("err"))
        try Tool.until { try folder.names().contains { ["parts", "parts.q3-tune"].contains($0) } }
        kill(process, signal)
        let status = Tool.wait(for: process)
        let resumed = try Tool.run(arguments("parts") + long + ["--resume", "--threads", "2"])
        #expect(resumed.status == whole.status, "\(status), \(resumed.messages)")
        #expect(whole.status == 0 || whole.messages.contains("no gain"), "\(whole.messages)")
        if whole.status == 0 {
            #expect(try weights("parts") == weights("whole"))
            #expect(try folder.read("parts/adapter_config.json") == folder.read("whole/adapter_config.json"))
        }
        #expect(try !folder.names().contains { $0.hasPrefix("parts.q3-") })
    }

    /// Every step is kept here: without --validation the last values are the result, whatever they are good for.
    @Test func `a stopped training without validation gives the same bytes`() throws {
        #expect(try tune("whole").status == 0)
        let process = try Tool.start(
            arguments("parts") + ["--validation", "0"], input: folder.file("pairs.jsonl"), output: folder.file("out"),
            messages: folder.file("err"))
        try Tool.until { try folder.names().contains { ["parts", "parts.q3-tune"].contains($0) } }
        kill(process, SIGINT)
        _ = Tool.wait(for: process)
        let resumed = try tune("parts", "--resume")
        #expect(resumed.status == 0, "\(resumed.messages)")
        #expect(try weights("parts") == weights("whole"))
    }

    @Test func `another training is not resumed`() throws {
        let process = try Tool.start(
            arguments("a") + ["--epochs", "5000"], input: folder.file("pairs.jsonl"), output: folder.file("out"),
            messages: folder.file("err"))
        try Tool.until { try folder.names().contains("a.q3-tune") }
        kill(process, SIGINT)
        #expect(Tool.wait(for: process) == 130)
        #expect(String(decoding: try folder.read("err"), as: UTF8.self).contains("--resume continues"))
        let other = try Tool.run(arguments("a") + ["--resume", "--rank", "2"])
        #expect(other.status == 64 && other.messages.contains("cannot resume"), "\(other.messages)")
    }

    @Test func `no gain is said, and nothing is written`() throws {
        let outcome = try Tool.run(arguments("a") + ["--validation", "0.2", "--learning-rate", "1e-20"])
        #expect(outcome.status == 1 && outcome.messages.contains("no gain: no step was better"), "\(outcome.messages)")
        #expect(try folder.names() == ["pairs.jsonl"])
    }

    @Test func `an adapter that changes nothing ends with the reason`() throws {
        let outcome = try tune("a", "--learning-rate", "1e-20")
        #expect(outcome.status == 70 && outcome.messages.contains("changes nothing"), "\(outcome.messages)")
        #expect(try !folder.names().contains("a"))
    }

    @Test func `a loss that is not a number ends with the reason`() throws {
        let outcome = try tune("a", "--learning-rate", "1e30", "--warmup", "0", "--max-grad-norm", "none")
        #expect(outcome.status == 70 && outcome.messages.contains("is not a finite number"), "\(outcome.messages)")
        #expect(try !folder.names().contains("a"))
    }

    private static let faults: [(model: String, lines: [String], reason: String)] = [
        (embedder, (0..<20).map { #"{"query":"q\#($0)","positive":"the same"}"# }, "all queries have the same answer"),
        (reranker, (0..<20).map { #"{"query":"q\#($0)","positive":"the same"}"# }, "all pairs are answers"),
        (
            reranker, (0..<20).map { #"{"query":"q\#($0)","positive":"p\#($0)","negative":"p\#($0)"}"# },
            "is given as an answer and as none"
        ),
        (embedder, (0..<3).map { #"{"query":"q\#($0)","positive":"p\#($0)"}"# }, "too few"),
        (embedder, ["not json"], "there are no queries"),
    ]

    @Test(arguments: faults) func `data that nothing can be learned from ends with the reason`(
        _ fault: (model: String, lines: [String], reason: String)
    ) throws {
        try write(fault.lines)
        let outcome = try Tool.run(arguments("a", fault.model))
        #expect(outcome.status == 65 && outcome.messages.contains(fault.reason), "\(outcome.messages)")
        #expect(try folder.names() == ["pairs.jsonl"])
    }

    @Test func `a leak between training and test stops with its places`() throws {
        try folder.write("test.jsonl", Array(#"{"query":"Tell me of BREAD!","positive":"x"}"#.utf8))
        let outcome = try Tool.run(arguments("a") + ["--test", folder.file("test.jsonl")])
        #expect(outcome.status == 65 && outcome.messages.contains("learned by heart"), "\(outcome.messages)")
    }

    @Test func `a small model has all layers trained unless it is told otherwise`() throws {
        var given = arguments("a")
        let index = try #require(given.firstIndex(of: "--layers"))
        given.removeSubrange(index...index + 1)
        let outcome = try Tool.run(given + ["--validation", "0", "--epochs", "1"])
        #expect(outcome.status == 0, "\(outcome.messages)")
        let card = String(decoding: try folder.read("a/README.md"), as: UTF8.self)
        #expect(card.contains("| --layers | all |"), "\(card)")
        let none = try Tool.run(given + ["--layers", "4"])
        #expect(none.status == 64 && none.messages.contains("must be 1 to 3, not 4"), "\(none.messages)")
    }
}
#endif
