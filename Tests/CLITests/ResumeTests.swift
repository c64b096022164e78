// q3 embed --resume: killed, interrupted and changed jobs, the short form of Tests/EndToEnd/Resume/resume_test.py.
import Q3System
import TestSupport
import Testing

@Suite struct ResumeTests {
    private let model = Fixture.path("tiny-embed-Q8_0.gguf")
    private let folder: TemporaryFolder
    private let input: String

    init() throws {
        folder = try TemporaryFolder()
        let lines = (0..<1500).map { "{\"id\": \"\($0)\", \"text\": \"text \($0 * $0)\"}\n" }.joined()
        input = try folder.write("in.jsonl", lines.utf8)
    }

    private func arguments(_ output: String, _ more: [String] = []) -> [String] {
        ["embed", "-m", model, "-i", input, "-o", output] + more
    }

    /// Starts a job, and sends it a signal once some of its rows are in the part.
    private func interrupt(_ arguments: [String], part: String, beyond size: Int, by number: CInt) throws -> CInt {
        let process = try Tool.start(
            arguments, input: "/dev/null", output: folder.file("stdout"), messages: folder.file("stderr"))
        for _ in 0..<60_000 {
            var status = stat()
            if unsafe stat(part, &status) == 0, status.st_size > size { break }
            usleep(200)
        }
        kill(process, number)
        return Tool.wait(for: process)
    }

    @Test(arguments: ["jsonl", "npy", "raw", "csv"])
    func `a killed job goes on and ends with the bytes of an undisturbed run`(_ form: String) throws {
        #expect(try Tool.run(arguments(folder.file("whole.\(form)"))).status == 0)
        let output = folder.file("out.\(form)")
        let resumed = arguments(output, ["--resume"])
        for size in [200, 100_000] {
            let status = try interrupt(resumed, part: "\(output).q3-part", beyond: size, by: SIGKILL)
            #expect(status == 137)
        }
        #expect(!(try folder.names().contains("out.\(form)")))
        // A row that was cut by the end of the process, as far as a test can make one.
        var part = try folder.read("out.\(form).q3-part")
        part.removeLast(3)
        try folder.write("out.\(form).q3-part", part)
        let outcome = try Tool.run(resumed)
        #expect(outcome.status == 0)
        #expect(outcome.messages.contains("resuming after"))
        #expect(try folder.read("out.\(form)") == folder.read("whole.\(form)"))
        if form == "npy" { #expect(try folder.read("out.ids.txt") == folder.read("whole.ids.txt")) }
        #expect(!(try folder.names().contains { $0.contains("q3-") }))
    }

    @Test func `an interruption says how to resume`() throws {
        let output = folder.file("out.jsonl")
        let status = try interrupt(
            arguments(output, ["--resume"]), part: "\(output).q3-part", beyond: 100_000, by: SIGINT)
        #expect(status == 130)
        let messages = String(decoding: try folder.read("stderr"), as: UTF8.self)
        #expect(messages.contains("interrupted; ") && messages.contains("the same command resumes"), "\(messages)")
    }

    @Test func `another input or option is refused by name`() throws {
        let output = folder.file("out.jsonl")
        _ = try interrupt(arguments(output, ["--resume"]), part: "\(output).q3-part", beyond: 1000, by: SIGKILL)
        for (more, reason) in [
            (["--dimensions", "8"], "--dimensions was 64, and is 8 now"), (["--query"], "the prompt"),
            (["--truncate"], "--truncate"), (["--shard", "1/2"], "--shard"), (["--precision", "exact"], "fingerprint"),
        ] {
            let outcome = try Tool.run(arguments(output, ["--resume"] + more))
            #expect(outcome.status == 64)
            #expect(outcome.messages.contains(reason), "\(outcome.messages)")
        }
        let before = try folder.read("in.jsonl")
        try folder.write("in.jsonl", before.dropLast(3) + Array("x\"}".utf8))
        let changed = try Tool.run(arguments(output, ["--resume"]))
        #expect(changed.status == 64 && changed.messages.contains("in.jsonl has changed"), "\(changed.messages)")
    }

    @Test func `records that an earlier run rejected still count`() throws {
        try folder.write("bad.jsonl", "{\n".utf8 + (try folder.read("in.jsonl")))
        let base = ["embed", "-m", model, "-i", folder.file("bad.jsonl"), "--resume", "-o"]
        let output = folder.file("out.jsonl")
        _ = try interrupt(base + [output], part: "\(output).q3-part", beyond: 100_000, by: SIGKILL)
        let outcome = try Tool.run(base + [output])
        #expect(outcome.status == 75)
        #expect(outcome.messages.contains("1 record was rejected"))
        #expect(
            try Tool.run(["embed", "-m", model, "-i", folder.file("bad.jsonl"), "-o", folder.file("w.jsonl")]).status
                == 75)
        #expect(try folder.read("out.jsonl") == folder.read("w.jsonl"))
    }

    private static let misuses: [(arguments: [String], word: String)] = [
        (["a", "--resume"], "--output"), (["a", "--resume", "-o", "x.json"], "jsonl, csv, npy and raw"),
        (["--resume", "-i", "-", "-o", "x.jsonl"], "pipe"),
        (["a", "--resume", "--type", "int8", "-o", "x.npy"], "int8"),
    ]

    @Test(arguments: misuses) func `what cannot be resumed is refused at once`(
        _ test: (arguments: [String], word: String)
    ) throws {
        let outcome = try Tool.run(["embed", "-m", model] + test.arguments)
        #expect(outcome.status == 64 && outcome.messages.contains(test.word), "\(outcome.messages)")
    }
}
