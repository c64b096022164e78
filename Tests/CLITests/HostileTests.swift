// Models that change under a running process, and bytes that are no text.
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

struct HostileTests {
    private static let fixture = Fixture.path("tiny-embed-Q8_0.gguf")

    /// q3 embed on a copy of a model: one line is answered, then `change` happens, then a second line comes.
    private func embed(
        _ options: [String] = [], change: (_ model: String, _ process: pid_t) -> Void
    ) async throws -> (status: CInt, lines: [String], messages: String) {
        let folder = try TemporaryFolder()
        let model = try folder.write("model.gguf", Self.bytes())
        let (pipe, end) = try Tool.pipe(in: folder)
        let process = try Tool.start(
            ["embed", "-m", model, "--dimensions", "2"] + options, input: pipe, output: folder.file("stdout"),
            messages: folder.file("stderr"))
        #expect(unsafe write(end, "one\n", 4) == 4)
        try await until { try !folder.read("stdout").isEmpty }
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

    @Test func aModelThatIsCutEndsTheRun() async throws {
        let run = try await embed { model, _ in #expect(unsafe truncate(model, 4096) == 0) }
        #expect(run.status == 74)
        #expect(run.lines.count == 1)
        #expect(run.messages.hasPrefix("q3: error: ") && run.messages.contains("changed"), "\(run.messages)")
    }

    @Test func aModelInMemoryIsOutOfReach() async throws {
        let whole = try await embed { _, _ in }
        #expect(whole.status == 0 && whole.lines.count == 2)
        let cut = try await embed(["--no-mmap"]) { model, _ in #expect(unsafe truncate(model, 0) == 0) }
        #expect(cut.status == 0)
        #expect(cut.lines == whole.lines)
    }

    @Test func aModelThatIsReplacedOrDeletedStaysWhole() async throws {
        let whole = try await embed { _, _ in }
        let deleted = try await embed { model, _ in #expect(unsafe unlink(model) == 0) }
        #expect(deleted.status == 0)
        #expect(deleted.lines == whole.lines)
    }

    /// The cut that comes after the last look at the file's size.
    @Test func aLostPageEndsTheRunWithAWord() async throws {
        let run = try await embed { _, process in kill(process, SIGBUS) }
        #expect(run.status == 74)
        #expect(run.messages.hasPrefix("q3: error: a file that q3 reads was cut"))
        #expect(run.messages.split(separator: "\n").count == 1)
    }

    @Test func bytesThatAreNoTextAreRejectedOrReplaced() throws {
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

    @Test func anArgumentThatIsNoTextIsRefused() throws {
        let outcome = try Tool.shell("$Q3 tokenize -m '\(Self.fixture)' \"$(printf 'a\\377b')\"")
        #expect(outcome.status == 65)
        #expect(outcome.messages.contains("argument 4 is not UTF-8 at its byte 1"), "\(outcome.messages)")
    }

    /// Waits up to ten seconds for something to come true.
    private func until(_ condition: () throws -> Bool) async throws {
        for _ in 0..<1000 where try !condition() { try await Task.sleep(for: .milliseconds(10)) }
        #expect(try condition())
    }
}
