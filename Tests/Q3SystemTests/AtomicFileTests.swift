// A file appears whole or not at all, and what killed writers leave is cleared away.
import Q3System
import TestSupport
import Testing

@Suite struct AtomicFileTests {
    private let folder: TemporaryFolder
    private var path: String { folder.file("out.bin") }

    init() throws { folder = try TemporaryFolder() }

    private func write(_ bytes: [UInt8], to file: AtomicFile, at offset: Int? = nil) throws {
        unsafe try file.write(bytes.span.bytes, at: offset)
    }

    @Test func `a file has its name after commit and not before`() throws {
        let file = try AtomicFile(path: path)
        try write([1, 2, 3], to: file)
        #expect(try folder.names() == [String(file.partPath.dropFirst(folder.path.count + 1))])
        try file.commit()
        #expect(try folder.names() == ["out.bin"])
        #expect(try folder.read("out.bin") == [1, 2, 3])
    }

    @Test func `a file that is not committed leaves the old one as it was`() throws {
        try folder.write("out.bin", [7])
        do {
            let file = try AtomicFile(path: path)
            try write([1], to: file)
        }
        #expect(try folder.names() == ["out.bin"])
        #expect(try folder.read("out.bin") == [7])
    }

    @Test func `two writers of one file do not mix their bytes`() throws {
        let (first, second) = (try AtomicFile(path: path), try AtomicFile(path: path))
        try write([1, 1, 1], to: first)
        try write([2, 2], to: second)
        try first.commit()
        #expect(try folder.read("out.bin") == [1, 1, 1])
        try second.commit()
        #expect(try folder.read("out.bin") == [2, 2])
        #expect(try folder.names() == ["out.bin"])
    }

    @Test func `what a killed writer left is deleted by the next writer of that file alone`() throws {
        let abandoned = "out.bin.q3-0123456789abcdef.part"
        let others = [
            "out.bin.part", "out.bin.q3-0123456789abcdef", "out.bin.q3-1.part", "other.bin.q3-0123456789abcdef.part",
        ]
        for name in [abandoned] + others { try folder.write(name, [9]) }
        let living = try AtomicFile(path: path)
        try write([5], to: living)
        try AtomicFile(path: path).commit()
        let name = String(living.partPath.dropFirst(folder.path.count + 1))
        #expect(try folder.names() == (others + ["out.bin", name]).sorted())
        try living.commit()
        #expect(try folder.read("out.bin") == [5])
    }

    @Test func `a name relative to an open folder stays in that folder`() throws {
        let descriptor = unsafe open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        try folder.write("out.bin.q3-0123456789abcdef.part", [9])
        let file = try AtomicFile(path: "out.bin", in: descriptor)
        try write([1], to: file)
        try file.commit()
        #expect(try folder.names() == ["out.bin"])
    }

    @Test(arguments: [255, 254, 240, 230]) func `a name as long as file systems allow can be written`(_ length: Int)
        throws
    {
        let name = String(repeating: "n", count: length)
        let file = try AtomicFile(path: folder.file(name))
        try file.commit()
        #expect(try folder.names() == [name])
    }

    @Test func `places are written in any order and the rest is zero`() throws {
        let file = try AtomicFile(path: path)
        try file.resize(to: 6)
        try write([3, 4], to: file, at: 3)
        try write([1], to: file, at: 0)
        try file.commit()
        #expect(try folder.read("out.bin") == [1, 0, 0, 3, 4, 0])
    }

    @Test func `the unfinished file is announced before it exists`() throws {
        var announced: [String] = []
        let file = try AtomicFile(path: path) { name in
            #expect((try? folder.names()) == [])
            announced.append(name)
        }
        #expect(announced == [file.partPath])
    }

    @Test func `a folder that is not there is an error with the system's words`() {
        #expect(throws: SystemError(code: ENOENT)) { try AtomicFile(path: folder.file("no/out.bin")) }
        #expect(SystemError(code: ENOENT).description == "No such file or directory")
    }
}
