// Models that change under a running process, and bytes that are no text.
import Q3GGUF
import Q3System
import TestSupport
import Testing

struct HostileTests {
    private static let fixture = Fixture.path("tiny-embed-Q8_0.gguf")

    /// q3 embed on a copy of a model: one line is answered, then `change` happens, then a second line comes.
    private func embed(
        _ options: [String] = [], change: (_ model: String, _ process: pid_t) -> Void
    ) throws -> (status: CInt, lines: [String], messages: String) {
        let folder = try TemporaryFolder()
        let model = try folder.write("model.gguf", Self.bytes())
        let (pipe, end) = try Tool.pipe(in: folder)
        let process = try Tool.start(
            ["embed", "-m", model, "--dimensions", "2"] + options, input: pipe, output: folder.file("stdout"),
            messages: folder.file("stderr"))
        #expect(unsafe write(end, "one\n", 4) == 4)
        try Tool.until { try !folder.read("stdout").isEmpty }
        change(model, process)
        #expect(unsafe write(end, "two\n", 4) == 4)
        close(end)
        let status = Tool.wait(for: process)
        let text = { (name: String) in String(decoding: try folder.read(name), as: UTF8.self) }
        return (status, try text("stdout").split(separator: "\n").map(String.init), try text("stderr"))
    }

    private static func bytes() throws -> [UInt8] {
        let descriptor = unsafe open(fixture, O_RDONLY)
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress!, $0.count) }
        return Array(bytes.prefix(count))
    }

    private struct Change: CustomTestStringConvertible {
        let testDescription: String
        /// Whether the bytes under the map may be others now.
        let harmsTheMap: Bool
        let apply: @Sendable (_ model: String) -> Bool

        init(_ description: String, harmsTheMap: Bool, _ apply: @escaping @Sendable (String) -> Bool) {
            (testDescription, self.harmsTheMap, self.apply) = (description, harmsTheMap, apply)
        }
    }

    private static let changes = [
        Change("cut to a page", harmsTheMap: true) { unsafe truncate($0, 4096) == 0 },
        Change("cut inside its last page", harmsTheMap: true) { unsafe truncate($0, 188_000) == 0 },
        Change("emptied", harmsTheMap: true) { unsafe truncate($0, 0) == 0 },
        Change("grown", harmsTheMap: true) { unsafe truncate($0, 1 << 20) == 0 },
        Change("written in place", harmsTheMap: true) { overwrite($0) },
        Change("deleted", harmsTheMap: false) { unsafe unlink($0) == 0 },
        Change("replaced", harmsTheMap: false) { model in
            let isWritten = overwrite(model + ".new", create: true)
            return unsafe isWritten && rename(model + ".new", model) == 0
        },
    ]

    private static func overwrite(_ path: String, create: Bool = false) -> Bool {
        let descriptor = unsafe open(path, create ? O_WRONLY | O_CREAT : O_WRONLY, 0o600)
        defer { close(descriptor) }
        let zeros = [UInt8](repeating: 0, count: 188_032)
        return unsafe pwrite(descriptor, zeros, zeros.count, 0) == zeros.count
    }

    /// A mapped model that may have other bytes gives no further vector; one that cannot have them goes on as if nothing
    /// had happened, and so does a model in memory whatever is done to its file.
    @Test(arguments: changes) private func `a model changes under a run`(_ change: Change) throws {
        let whole = try embed { _, _ in }
        #expect(whole.status == 0 && whole.lines.count == 2)
        let mapped = try embed { model, _ in #expect(change.apply(model)) }
        if change.harmsTheMap {
            #expect(mapped.status == 74)
            #expect(mapped.lines == [whole.lines[0]])
            #expect(mapped.messages.hasPrefix("q3: error: ") && mapped.messages.contains("changed while in use"))
            #expect(mapped.messages.filter { $0 == "\n" }.count == 1, "\(mapped.messages)")
        } else {
            #expect(mapped.status == 0)
            #expect(mapped.lines == whole.lines)
        }
        let copied = try embed(["--no-mmap"]) { model, _ in #expect(change.apply(model)) }
        #expect(copied.status == 0)
        #expect(copied.lines == whole.lines)
    }

    /// A writer who sets the time back is not noticed in a map, which is why `--no-mmap` exists.
    @Test func `a model in memory is safe from a forged time`() throws {
        let whole = try embed { _, _ in }
        let forged = try embed(["--no-mmap"]) { model, _ in
            var status = stat()
            #expect(unsafe stat(model, &status) == 0)
            #expect(Self.overwrite(model))
            #if canImport(Darwin)
            var times = [status.st_atimespec, status.st_mtimespec]
            #else
            var times = [status.st_atim, status.st_mtim]
            #endif
            #expect(unsafe utimensat(AT_FDCWD, model, &times, 0) == 0)
        }
        #expect(forged.status == 0)
        #expect(forged.lines == whole.lines)
    }

    /// The cut that comes after the last look at the file's size.
    @Test func `a lost page ends the run with a word`() throws {
        let run = try embed { _, process in kill(process, SIGBUS) }
        #expect(run.status == 74)
        #expect(run.messages.hasPrefix("q3: error: a file that q3 reads was cut"))
        #expect(run.messages.split(separator: "\n").count == 1)
    }

    @Test func `bytes that are no text are rejected or replaced`() throws {
        let base = ["tokenize", "-m", Self.fixture, "--format", "jsonl", "-i", "-"]
        let input: [UInt8] = Array("fine\na".utf8) + [0xED, 0xA0, 0x80, 0x0A]
        let rejected = try Tool.run(base, input: input)
        #expect(rejected.status == 75)
        #expect(rejected.lines.count == 1)
        #expect(rejected.messages.contains("not UTF-8 at byte 6 of the input"), "\(rejected.messages)")
        let replaced = try Tool.run(base + ["--lossy"], input: input)
        let same = try Tool.run(base, input: Array("fine\na\u{FFFD}\u{FFFD}\u{FFFD}\n".utf8))
        #expect(replaced.status == 0)
        #expect(replaced.output == same.output)
    }

    /// Bytes that are no UTF-8, where the first of them is, and how many U+FFFD stand for them: one for each maximal
    /// prefix of a character, as the Unicode Standard recommends.
    private static let invalid: [(bytes: [UInt8], offset: Int, replacements: Int)] = [
        ([0xC0, 0x80], 0, 2), ([0xC1, 0xBF], 0, 2), ([0xE0, 0x80, 0x80], 0, 3), ([0xED, 0xA0, 0x80], 0, 3),
        ([0xED, 0xBF, 0xBF], 0, 3), ([0xF4, 0x90, 0x80, 0x80], 0, 4), ([0xF5, 0x80, 0x80, 0x80], 0, 4), ([0xFF], 0, 1),
        ([0xFE], 0, 1), ([0x80], 0, 1), ([0xC3], 0, 1), ([0xE2, 0x82], 0, 1), ([0xF0, 0x9F, 0x98], 0, 1),
        ([0xC3, 0xA9, 0xA9], 2, 1), ([0xF0, 0x80, 0x80, 0xAF], 0, 4),
    ]

    @Test(arguments: invalid) func `invalid bytes are named by their offset`(
        _ test: (bytes: [UInt8], offset: Int, replacements: Int)
    ) throws {
        let base = ["tokenize", "-m", Self.fixture, "--format", "jsonl"]
        let input = Array("first\nab".utf8) + test.bytes + Array("cd\nlast\n".utf8)
        let rejected = try Tool.run(base, input: input)
        #expect(rejected.status == 75)
        #expect(rejected.lines.count == 2)
        #expect(rejected.messages.contains("not UTF-8 at byte \(8 + test.offset) of the input"), "\(rejected.messages)")
        let replaced = try Tool.run(base + ["--lossy"], input: input)
        let kept = test.bytes.prefix(test.offset) + String(repeating: "\u{FFFD}", count: test.replacements).utf8
        let same = try Tool.run(base, input: Array("first\nab".utf8) + kept + Array("cd\nlast\n".utf8))
        #expect(replaced.status == 0)
        #expect(replaced.output == same.output)
    }

    /// One text meets a NaN in the weights; the others get what they always get.
    @Test func `a broken weight costs its text only`() throws {
        let folder = try TemporaryFolder()
        var copy = try ModelCopy(of: "tiny-embed-F32")
        let tokens = try Tool.run(["tokenize", "-m", Fixture.path("tiny-embed-F32.gguf"), "Q"])
        let id = try #require(Int(tokens.text.prefix { $0 != "\t" }))
        copy.edit("token_embd.weight") { $0.bytes.store(Float.nan.bitPattern, at: id * $0.shape[0] * 4) }
        try copy.write(to: folder.file("nan.gguf"))
        let outcome = try Tool.run(["embed", "-m", folder.file("nan.gguf")], input: Array("one\nQ\ntwo\n".utf8))
        let whole = try Tool.run(
            ["embed", "-m", Fixture.path("tiny-embed-F32.gguf")], input: Array("one\nQ\ntwo\n".utf8))
        #expect(outcome.status == 75)
        #expect(outcome.lines == [whole.lines[0], whole.lines[2]])
        #expect(
            outcome.messages.hasPrefix(
                "q3: rejected stdin:2 (byte 4): the model gave a value that is not a finite number")
        )
        let alone = try Tool.run(["embed", "-m", folder.file("nan.gguf"), "Q"])
        #expect(alone.status == 70)
        #expect(alone.output.isEmpty)
    }

    /// Names in a file and in the file system may hold anything; a terminal gets none of it.
    @Test func `terminals get no control characters`() throws {
        let folder = try TemporaryFolder()
        let evil = "\u{1B}[2J\u{1B}]0;x\u{7}\r\u{202E}\u{9B}"
        var copy = try ModelCopy(of: "tiny-embed-Q8_0")
        copy["general.name"] = .string(evil + String(repeating: "x", count: 10_000_000))
        try copy.write(to: folder.file("\(evil).gguf"))
        let shown = try Tool.run(["info", "-m", folder.file("\(evil).gguf")])
        #expect(shown.status == 0)
        #expect(shown.text.contains("\\u{1b}[2J") && shown.output.count < 4096)
        copy["general.name"] = .string("reranker" + evil)
        copy["qwen3.pooling_type"] = nil
        try copy.write(to: folder.file("\(evil).gguf"))
        let refused = try Tool.run(["embed", "-m", folder.file("\(evil).gguf"), "a"])
        #expect(refused.status == 65)
        let missing = try Tool.run(["embed", "-m", folder.file("no\(evil)"), "-i", folder.file("no\(evil)")])
        #expect(missing.status == 66)
        for text in [shown.text, refused.messages, missing.messages] {
            #expect(
                !text.unicodeScalars.contains { "\u{1B}\u{7}\r\u{202E}\u{9B}".unicodeScalars.contains($0) }, "\(text)")
        }
        let json = try Tool.run(["info", "--json", "-m", folder.file("\(evil).gguf")])
        #expect(json.status == 0 && !json.output.contains(0x1B))
    }

    @Test func `an argument that is not UTF-8 is refused`() throws {
        let outcome = try Tool.shell("$Q3 tokenize -m '\(Self.fixture)' \"$(printf 'a\\377b')\"")
        #expect(outcome.status == 65)
        #expect(outcome.messages.contains("argument 4 is not UTF-8 at its byte 1"), "\(outcome.messages)")
    }
}
