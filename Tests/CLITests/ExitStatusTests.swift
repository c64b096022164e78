// How commands end: one line of message, an exit status that says which kind, and nothing left lying about.
import Q3GGUF
import Q3System
import TestSupport
import Testing

@Suite struct ExitStatusTests {
    private static let model = Fixture.path("tiny-embed-Q8_0.gguf")

    private static let failures: [(arguments: [String], status: CInt)] = [
        (["nonsense"], 64),
        (["rerank"], 64),
        (["embed", "--model", model, "--format", "xml", "a"], 64),
        (["embed", "--model", model, "--threads", "0", "a"], 64),
        (["embed", "--model", model, "--dimensions", "0", "a"], 64),
        (["embed", "--model", model, "--dimensions", "65", "a"], 64),
        (["embed", "--model", model, "--dimensions", "9", "--type", "binary", "a"], 64),
        (["embed", "--model", model, "--input", "x.txt", "a"], 64),
        (["embed", "--model", model, "--output", model, "a"], 64),
        (["info", "--model", model, "--context", "40000"], 64),
        (["embed", "--model", Fixture.path("make.py"), "a"], 65),
        (["embed", "--model", Fixture.path("tiny-rerank-Q8_0.gguf"), "a"], 65),
        (["rerank", "--model", model, "--query", "q", "a"], 65),
        (["embed", "--model", "/nonexistent.gguf", "a"], 66),
        (["embed", "--model", "/tmp", "a"], 66),
        (["embed", "--model", model, "--input", "/nonexistent.txt"], 66),
        (["embed", "--model", model, "--output", "/nonexistent/out", "a"], 73),
        (["embed", "--model", model, "--output", "/tmp", "a"], 73),
        (["embed", "--model", model, "--output", "", "a"], 73),
        (["embed", "--model", model, "--resume", "--output", "/nonexistent/out", "a"], 73),
        (["quantize", model, "", "q4_0"], 73),
        (["quantize", model, "/nonexistent/out.gguf", "q4_0"], 73),
        (["convert", Fixture.path("checkpoints/tiny-embedding"), "--output", ""], 73),
        (["convert", Fixture.path("checkpoints/tiny-embedding"), "--output", "/nonexistent/out.gguf"], 73),
        (["bench", "--case", "tokens:4611686018427387904"], 64),
        (["bench", "--case", "tokens:1048577"], 64),
    ]

    @Test(arguments: failures) func `failures are one line`(_ test: (arguments: [String], status: CInt)) throws {
        let outcome = try Tool.run(test.arguments)
        #expect(outcome.status == test.status, "\(outcome.messages)")
        #expect(outcome.output.isEmpty)
        #expect(outcome.messages.hasPrefix("q3: error: "))
        #expect(outcome.messages.filter { $0 == "\n" }.count == 1, "\(outcome.messages)")
    }

    private static let helps = [
        ["--help"], ["help"], [], ["embed", "--help"], ["rerank", "-h"], ["help", "tokenize"], ["info", "--help"],
        ["eval", "--help"], ["eval", "retrieval", "--help"], ["eval", "sts", "-h"], ["help", "eval", "clustering"],
        ["eval", "classification", "--help"], ["eval", "bitext", "--help"], ["eval"],
    ]

    @Test(arguments: helps) func `help has examples`(_ arguments: [String]) throws {
        let outcome = try Tool.run(arguments)
        #expect(outcome.status == 0)
        #expect(outcome.messages == "")
        #expect(outcome.text.contains("EXAMPLES\n  q3 "))
        #expect(outcome.lines.allSatisfy { $0.count <= 80 })
    }

    private static let commands: [String] =
        [
            "embed", "rerank", "search", "list", "verify", "convert", "quantize", "tokenize", "info", "bench", "eval",
            "eval retrieval", "eval sts", "eval classification", "eval clustering", "eval bitext", "merge",
        ] + servers + indexes + trainings
    #if Training
    private static let trainings = ["tune", "tune adapter", "tune lora"]
    #else
    private static let trainings: [String] = []
    #endif
    #if Server
    private static let servers = ["serve"]
    #else
    private static let servers: [String] = []
    #endif
    #if Index
    private static let indexes = [
        "index", "index create", "index add", "index update", "index remove", "index status", "index audit",
        "index compact", "index export", "index bench", "mcp",
    ]
    #else
    private static let indexes: [String] = []
    #endif

    /// A line that the parser had to break leaves a short one in the middle of a paragraph.
    @Test(arguments: commands) func `help fits a terminal, and no line of it is broken`(_ command: String) throws {
        let outcome = try Tool.run(command.split(separator: " ").map(String.init) + ["--help"])
        #expect(outcome.status == 0)
        let lines = outcome.text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        #expect(lines.allSatisfy { $0.count <= 80 })
        for (line, next) in zip(lines, lines.dropFirst()) where line.first?.isLetter == true {
            let firstWord = next.prefix { $0 != " " }
            #expect(firstWord.isEmpty || line.count + firstWord.count >= 66, "\(line)")
        }
        #expect(lines.allSatisfy { $0.ranges(of: "(default:").count <= 1 })
    }

    @Test func `a model that is refused is named`() throws {
        let folder = try TemporaryFolder()
        var copy = try ModelCopy(of: "tiny-embed-F32")
        copy["qwen3.pooling_type"] = .uint32(1)
        try copy.write(to: folder.file("mean.gguf"))
        let outcome = try Tool.run(["embed", "-m", folder.file("mean.gguf"), "a"])
        #expect(outcome.status == 65)
        #expect(outcome.messages.contains(folder.file("mean.gguf")), "\(outcome.messages)")
    }

    /// An unwritable place is found before the model is even looked at.
    @Test func `output is checked first`() throws {
        let outcome = try Tool.run(["embed", "--model", "/nonexistent.gguf", "--output", "/nonexistent/out", "a"])
        #expect(outcome.status == 73)
        #if Index
        #expect(try Tool.run(["index", "create", "/nonexistent/x.q3i"]).status == 73)
        #endif
    }

    @Test func `a failure leaves no part of the output`() throws {
        let folder = try TemporaryFolder()
        try folder.write("out", "old".utf8)
        let outcome = try Tool.run(["embed", "--model", "/nonexistent.gguf", "--output", folder.file("out"), "a"])
        #expect(outcome.status == 66)
        #expect(try folder.names() == ["out"])
        #expect(try folder.read("out") == Array("old".utf8))
    }

    @Test func `output replaces what a link points to`() throws {
        let folder = try TemporaryFolder()
        try folder.write("real", "old".utf8)
        #expect(unsafe symlink(folder.file("real"), folder.file("link")) == 0)
        let outcome = try Tool.run(["embed", "--model", Self.model, "--output", folder.file("link"), "a"])
        #expect(outcome.status == 0)
        #expect(try folder.names() == ["link", "real"])
        #expect(try folder.read("real").starts(with: "{\"index\":0".utf8))
    }

    @Test func `output into a device is written as it is`() throws {
        #expect(try Tool.run(["embed", "--model", Self.model, "--output", "/dev/null", "a"]).status == 0)
    }

    #if os(Linux)
    @Test func `a full disk is an input output error`() throws {
        for script in ["$Q3 embed -m '\(Self.model)' a > /dev/full", "$Q3 embed -m '\(Self.model)' -o /dev/full a"] {
            let outcome = try Tool.shell(script)
            #expect(outcome.status == 74)
            #expect(outcome.messages.hasPrefix("q3: error: cannot write "))
        }
    }

    @Test(arguments: ["--help", "--version", "embed --help"]) func `help on a full disk is an error too`(
        _ arguments: String
    ) throws {
        let outcome = try Tool.shell("$Q3 \(arguments) > /dev/full")
        #expect(outcome.status == 74)
        #expect(outcome.messages.hasPrefix("q3: error: cannot write stdout"))
    }
    #endif

    @Test func `a reader that leaves ends the run quietly`() throws {
        let folder = try TemporaryFolder()
        try folder.write("in.txt", (0..<3000).map { "line \($0)\n" }.joined().utf8)
        let outcome = try Tool.shell(
            "{ $Q3 tokenize -m '\(Self.model)' -i '\(folder.file("in.txt"))'; echo $? > '\(folder.file("status"))'; } | head -n 1"
        )
        #expect(outcome.messages == "")
        #expect(try folder.read("status") == Array("141\n".utf8))
    }

    @Test(arguments: [(SIGINT, 130), (SIGTERM, 143), (SIGHUP, 129), (SIGQUIT, 131)] as [(CInt, CInt)])
    func `signals end a run and its unfinished file`(_ signal: CInt, _ status: CInt) throws {
        let folder = try TemporaryFolder()
        // Nothing ever comes through the pipe, so the run waits for its input.
        let (pipe, end) = try Tool.pipe(in: folder)
        defer { close(end) }
        let process = try Tool.start(
            ["tokenize", "-m", Self.model, "-o", folder.file("out")], input: pipe, output: folder.file("stdout"),
            messages: folder.file("stderr"))
        try Tool.until { try folder.names().contains { $0.hasSuffix(".part") } }
        kill(process, signal)
        #expect(Tool.wait(for: process) == status)
        #expect(try folder.names() == ["pipe", "stderr", "stdout"])
        #expect(try folder.read("stderr").isEmpty)
    }

    /// Answers come for what was written, before the pipe is closed.
    @Test func `a slow writer is answered`() throws {
        let folder = try TemporaryFolder()
        let (pipe, end) = try Tool.pipe(in: folder)
        let process = try Tool.start(
            ["tokenize", "-m", Self.model, "--format", "jsonl"], input: pipe, output: folder.file("stdout"),
            messages: folder.file("stderr"))
        #expect(unsafe write(end, "one\n", 4) == 4)
        try Tool.until { try !folder.read("stdout").isEmpty }
        #expect(try folder.read("stdout").starts(with: "{\"index\":0".utf8))
        close(end)
        #expect(Tool.wait(for: process) == 0)
    }
}
