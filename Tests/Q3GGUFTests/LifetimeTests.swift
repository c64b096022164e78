// What is opened is released, what changes is noticed, and what is not a file is refused.

import FoundationEssentials
import Q3System
import TestSupport
import Testing

@testable import Q3GGUF

@Suite struct LifetimeTests {
    /// Runs in a process of its own, where no other test opens files.
    @Test func `a thousand loads leak nothing`() async {
        await #expect(processExitsWith: .success) {
            let folder = try TemporaryFolder()
            let good = try folder.write("good.gguf", RawFile.tiny.bytes)
            var badFile = RawFile.tiny
            badFile.rows[2].offset = 0
            let bad = try folder.write("bad.gguf", badFile.bytes)
            func load() {
                touchEverything(of: try! GGUFFile(path: good))
                #expect(throws: GGUFError.self) { try GGUFFile(path: bad) }
                #expect(throws: GGUFError.self) { try GGUFFile(path: folder.path) }
            }
            for _ in 0..<100 { load() }
            let (before, kilobytes) = (try openThings(), try anonymousKilobytes())
            for _ in 0..<1000 { load() }
            #expect(try openThings() == before)
            #expect(try anonymousKilobytes() - kilobytes < 512)
            #expect(try mapCount(of: folder.path) == 0)
            let file = try GGUFFile(path: good)
            #expect(try mapCount(of: folder.path) == 1)
            touchEverything(of: file)
        }
    }

    /// 4 M empty strings in 32 MiB of holes: the view costs nothing per string.
    @Test func `huge arrays cost no memory`() async {
        await #expect(processExitsWith: .success) {
            let folder = try TemporaryFolder()
            let count = 1 << 22
            var file = RawFile()
            file.pairs = [
                .init("unknown.bytes", .array, array(.uint8, 1, [1])),
                .init("unknown.strings", .array, array(.string, UInt64(count), [])),
            ]
            let path = try folder.write(file.bytes)
            let headerByteCount = file.bytes.count
            #expect(unsafe truncate(path, headerByteCount + count * 8) == 0)
            let before = try anonymousKilobytes()
            let strings = try GGUFFile(path: path).metadata.stringArray("unknown.strings")
            var visited = 0
            unsafe strings.forEachBytes { _, bytes in visited += unsafe bytes.isEmpty ? 1 : 0 }
            #expect(visited == count)
            #expect(try anonymousKilobytes() - before < 4096)
            #expect(unsafe truncate(path, headerByteCount + count * 8 - 1) == 0)
            #expect(throws: GGUFError.self) { try GGUFFile(path: path) }
        }
    }

    @Test func `string array keeps the map`() throws {
        let tokens = try { try openFile(RawFile.tiny.bytes).metadata.stringArray("tokenizer.ggml.tokens") }()
        #expect(tokens.makeStrings() == ["a", "", "Ġb"])
    }

    // MARK: - Changes behind our back

    private static let changes: [(name: String, change: @Sendable (String) throws -> Bool)] = [
        ("cut to a page", { unsafe truncate($0, 4096) == 0 }),
        ("cut by a byte", { unsafe truncate($0, RawFile.tiny.bytes.count - 1) == 0 }),
        ("grown", { unsafe truncate($0, 1 << 20) == 0 }),
        (
            "touched",
            {
                var times = [timespec(tv_sec: 1, tv_nsec: 0), timespec(tv_sec: 1, tv_nsec: 0)]
                return unsafe utimensat(AT_FDCWD, $0, &times, 0) == 0
            }
        ),
    ]

    @Test(arguments: changes.indices) func `changes are noticed`(_ index: Int) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(RawFile.tiny.bytes)
        let file = try GGUFFile(path: path)
        try file.checkUnchanged()
        #expect(try Self.changes[index].change(path))
        #expect(throws: GGUFError.changed(path: path)) { try file.checkUnchanged() }
    }

    @Test func `replaced or deleted files stay whole`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(RawFile.tiny.bytes)
        let file = try GGUFFile(path: path)
        let sum = touchEverything(of: file)
        let other = try folder.write("other", [UInt8](repeating: 9, count: 9))
        #expect(unsafe rename(other, path) == 0)
        try file.checkUnchanged()
        #expect(touchEverything(of: file) == sum)
        #expect(unsafe unlink(path) == 0)
        try file.checkUnchanged()
        #expect(touchEverything(of: file) == sum)
    }

    // MARK: - Not a file

    @Test(
        arguments: ["folder", "fifo", "/dev/zero", "/dev/random", "socket", "missing", "link to nothing"],
        [false, true])
    func `only regular files are opened`(_ kind: String, _ copying: Bool) throws {
        let folder = try TemporaryFolder()
        let path = kind.hasPrefix("/dev") ? kind : "\(folder.path)/x"
        switch kind {
        case "socket": try bindSocket(to: path)
        case "folder": #expect(unsafe mkdir(path, 0o700) == 0)
        case "fifo": #expect(unsafe mkfifo(path, 0o600) == 0)
        case "link to nothing": #expect(unsafe symlink("\(folder.path)/y", path) == 0)
        default: break
        }
        let expected: GGUFError =
            switch kind {
            case "missing", "link to nothing": .cannotOpen(path: path, code: ENOENT)
            case "socket": .cannotOpen(path: path, code: ENXIO)
            default: .notRegularFile(path: path)
            }
        #expect(throws: expected) { try GGUFFile(path: path, copying: copying) }
    }

    private func bindSocket(to path: String) throws {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        try #require(bytes.count < MemoryLayout.size(ofValue: address.sun_path))
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        #if os(Linux)
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        #else
        let descriptor = socket(AF_UNIX, SOCK_STREAM, 0)
        #endif
        defer { close(descriptor) }
        let bound = unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0)
    }

    /// Root may read everything, so there the file opens.
    @Test func `a file without permission is an error`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(RawFile.tiny.bytes)
        #expect(unsafe chmod(path, 0) == 0)
        if getuid() == 0 {
            #expect(throws: Never.self) { try GGUFFile(path: path) }
        } else {
            #expect(throws: GGUFError.cannotOpen(path: path, code: EACCES)) { try GGUFFile(path: path) }
        }
    }
}

/// Open files of this process.
private func openThings() throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/dev/fd").count
}

/// Maps of files under a path; 0 where the system has no list of them.
private func mapCount(of path: String) throws -> Int {
    #if os(Linux)
    try procFile("maps").split(separator: "\n").count { $0.contains(path) }
    #else
    0
    #endif
}

/// Memory of this process that is no file's; 0 where the system does not tell.
private func anonymousKilobytes() throws -> Int {
    #if os(Linux)
    let line = try procFile("status").split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
    return try #require(line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) })
    #else
    return 0
    #endif
}

/// Read to its end: such files have no size, and some readers stop at the first piece.
private func procFile(_ name: String) throws -> String {
    let descriptor = unsafe open("/proc/self/\(name)", O_RDONLY | O_CLOEXEC)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    var (text, piece) = ([UInt8](), [UInt8](repeating: 0, count: 4096))
    while true {
        let count = unsafe read(descriptor, &piece, piece.count)
        guard count > 0 else { return String(decoding: text, as: UTF8.self) }
        text += piece[..<count]
    }
}
