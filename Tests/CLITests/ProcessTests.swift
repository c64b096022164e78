// q3 as a process among others: limits of the system, signals at any moment, shared pages, no helpers.
import Q3GGUF
import Q3System
import TestSupport
import Testing

#if os(Linux)
@Suite struct ProcessTests {
    private static let model = Fixture.path("tiny-embed-Q8_0.gguf")
    private static let embed = "$Q3 embed -m '\(model)' --dimensions 2"

    private static func has(_ program: String) -> Bool {
        ["/usr/bin", "/bin", "/usr/sbin", "/sbin"].contains { unsafe access("\($0)/\(program)", X_OK) == 0 }
    }

    // MARK: - Limits

    /// A file of eight gigabytes where half as much address space is left.
    @Test(arguments: ["", "--no-mmap"]) func `address space too small`(_ option: String) throws {
        let folder = try TemporaryFolder()
        try ModelCopy(of: "tiny-embed-Q8_0").write(to: folder.file("huge.gguf"))
        #expect(unsafe truncate(folder.file("huge.gguf"), 8 << 30) == 0)
        let outcome = try Tool.shell("ulimit -v 4000000; $Q3 embed \(option) -m '\(folder.file("huge.gguf"))' a")
        #expect(outcome.status == 71)
        #expect(outcome.messages.contains("cannot map the 8589934592 bytes of "), "\(outcome.messages)")
        #expect(outcome.messages.filter { $0 == "\n" }.count == 1)
    }

    /// Whatever number of threads the system allows: the answer, or an error; never an abort, never waiting for ever.
    @Test(.enabled(if: getuid() != 0 || has("setpriv"))) func `too few threads`() throws {
        let folder = try TemporaryFolder()
        // Root has no such limit, so the tool runs as nobody there, who must be able to reach it.
        let nobody = getuid() == 0 ? "setpriv --reuid=65534 --regid=65534 --clear-groups" : ""
        let (tool, model) = (folder.file("q3"), folder.file("model.gguf"))
        let copied = try Tool.shell(
            "cp \"$Q3\" '\(tool)' && cp '\(Self.model)' '\(model)' && chmod 755 '\(folder.path)' '\(tool)' '\(model)'"
        )
        try #require(copied.status == 0)
        for limit in 2...12 {
            let run = "ulimit -u \(limit); exec \"\(tool)\" embed -m \"\(model)\" --threads 3 a"
            let outcome = try Tool.shell("exec \(nobody) sh -c '\(run)'")
            #expect([0, 71].contains(outcome.status), "limit \(limit): \(outcome.status), \(outcome.messages)")
            #expect((outcome.status == 0) == (outcome.lines.count == 1), "limit \(limit)")
            if outcome.status == 71 {
                #expect(outcome.messages.hasPrefix("q3: error: ") && outcome.messages.contains("(ulimit -u)"))
            }
        }
    }

    @Test(arguments: ["0", "-1", "513", "1000", "99999999999999999999", "two"])
    func `thread counts out of range`(_ count: String) throws {
        let outcome = try Tool.shell("\(Self.embed) --threads \(count) a")
        #expect(outcome.status == 64, "\(outcome.messages)")
    }

    @Test func `as many threads as there may be`() throws {
        let outcome = try Tool.shell("\(Self.embed) --threads 512 a")
        #expect(outcome.status == 0)
        #expect(try outcome.output == Tool.shell("\(Self.embed) --threads 1 a").output)
    }

    // MARK: - Signals

    /// SIGINT at any moment from the start of the process on: the same status, and no part of the output.
    @Test func `interruption while loading`() throws {
        let folder = try TemporaryFolder()
        let (pipe, end) = try Tool.pipe(in: folder)
        defer { close(end) }
        for step in 0..<20 {
            let process = try Tool.start(
                ["embed", "-m", Self.model, "-o", folder.file("out")], input: pipe, output: folder.file("stdout"),
                messages: folder.file("stderr"))
            usleep(useconds_t(step * 4000))
            kill(process, SIGINT)
            #expect(Tool.wait(for: process) == 130, "after \(step * 4) ms")
            #expect(try folder.names() == ["pipe", "stderr", "stdout"])
            #expect(try folder.read("stdout").isEmpty)
        }
    }

    // MARK: - The file and other processes

    /// Two processes share the pages of the file and write to none.
    @Test func `two processes share the model`() throws {
        let folder = try TemporaryFolder()
        try ModelCopy(of: "tiny-embed-Q8_0").write(to: folder.file("model.gguf"))
        var processes: [(id: pid_t, end: CInt)] = []
        for name in ["one", "two"] {
            let path = folder.file("\(name).pipe")
            try #require(unsafe mkfifo(path, 0o600) == 0)
            let end = unsafe open(path, O_RDWR | O_CLOEXEC)
            processes.append(
                (
                    try Tool.start(
                        ["embed", "-m", folder.file("model.gguf")], input: path, output: folder.file("\(name).out"),
                        messages: folder.file("\(name).err")), end
                ))
            #expect(unsafe write(end, "text\n", 5) == 5)
        }
        for name in ["one", "two"] {
            try Tool.until { try !folder.read("\(name).out").isEmpty }
        }
        for process in processes {
            let pages = try Self.pages(of: process.id, mapping: "model.gguf")
            #expect(pages["Rss"] ?? 0 > 0 && pages["Pss"] == (pages["Rss"] ?? 0) / 2, "\(pages)")
            #expect(pages["Private_Dirty"] == 0, "\(pages)")
        }
        for process in processes {
            close(process.end)
            #expect(Tool.wait(for: process.id) == 0)
        }
        #expect(try folder.read("one.out") == folder.read("two.out"))
    }

    /// Kilobytes of one mapped file in a process, by the names of /proc's smaps.
    private static func pages(of process: pid_t, mapping name: String) throws -> [String: Int] {
        let text = try Tool.shell("cat /proc/\(process)/smaps").text
        var pages: [String: Int] = [:]
        var isInside = false
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words[0].hasSuffix(":") {
                if isInside, let value = Int(words[1]) { pages[String(words[0].dropLast()), default: 0] += value }
            } else {
                isInside = line.hasSuffix(name)
            }
        }
        return pages
    }

    /// A read-only file system without execution, where the machine lets a test mount one.
    @Test(.enabled(if: getuid() == 0 && has("unshare"))) func `a read only file system`() throws {
        let folder = try TemporaryFolder()
        try folder.write(
            "run",
            """
            cd / && mount -t tmpfs none '\(folder.path)' && cp '\(Self.model)' '\(folder.file("m.gguf"))' || exit 99
            mount -o remount,ro,noexec '\(folder.path)' || exit 99
            '\(Tool.path)' embed -m '\(folder.file("m.gguf"))' a
            """.utf8)
        let outcome = try Tool.shell("unshare -m sh '\(folder.file("run"))' || exit $?")
        if outcome.status == 99 || outcome.messages.contains("unshare") { return }  // not allowed here
        #expect(outcome.status == 0, "\(outcome.messages)")
        #expect(try outcome.output == Tool.run(["embed", "-m", Self.model, "a"]).output)
    }

    /// Nothing is written beside the model, whatever is done with it.
    @Test func `nothing is written beside the model`() throws {
        let folder = try TemporaryFolder()
        try ModelCopy(of: "tiny-causal-Q8_0").write(to: folder.file("model.gguf"))
        let before = try folder.read("model.gguf")
        #expect(unsafe chmod(folder.file("model.gguf"), 0o400) == 0 && chmod(folder.path, 0o500) == 0)
        defer { unsafe chmod(folder.path, 0o700) }
        for arguments in [["info"], ["tokenize", "a"], ["rerank", "--query", "q", "d"]] {
            let outcome = try Tool.run([arguments[0], "-m", folder.file("model.gguf")] + arguments.dropFirst())
            #expect(outcome.status == 0, "\(outcome.messages)")
        }
        #expect(try folder.names() == ["model.gguf"])
        #expect(try folder.read("model.gguf") == before)
    }

    // MARK: - The processor and the process

    /// A processor without AVX: the plain kernels, and the same bits.
    @Test(.enabled(if: has("qemu-x86_64"))) func `an old processor`() throws {
        let arguments = "embed -m '\(Self.model)' --threads 1 --dimensions 4 'The old mill.' b"
        let old = try Tool.shell("qemu-x86_64 -cpu Nehalem $Q3 \(arguments)")
        #expect(old.status == 0, "\(old.messages)")
        #expect(try old.output == Tool.shell("$Q3 \(arguments)").output)
    }

    /// Threads are all that is ever started.
    @Test(.enabled(if: has("strace"))) func `no helpers are started`() throws {
        let folder = try TemporaryFolder()
        let outcome = try Tool.shell(
            "strace -f -qq -e trace=process -o '\(folder.file("trace"))' \(Self.embed) --threads 3 a")
        if outcome.messages.contains("strace: ") { return }  // not allowed here
        #expect(outcome.status == 0)
        let calls = String(decoding: try folder.read("trace"), as: UTF8.self).split(separator: "\n")
        #expect(calls.count { $0.contains("execve(") } == 1)
        #expect(!calls.contains { $0.contains(" fork(") || $0.contains("vfork(") })
        let clones = calls.filter { $0.contains("clone(") || $0.contains("clone3(") }
        #expect(!clones.isEmpty && clones.allSatisfy { $0.contains("CLONE_THREAD") })
    }
}
#endif
