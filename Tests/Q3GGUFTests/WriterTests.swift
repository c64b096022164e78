// What the writer refuses, and that a failed write leaves nothing behind.

import FoundationEssentials
import TestSupport
import Testing

@testable import Q3GGUF

@Suite struct WriterTests {
    private static let refusals: [(caseName: String, change: @Sendable (inout GGUFWriter) -> Void)] = [
        ("badKey", { $0.set("", to: .bool(true)) }),
        ("badKey", { $0.set("a\0b", to: .bool(true)) }),
        ("badKey", { $0.set(String(repeating: "k", count: 65_536), to: .bool(true)) }),
        ("badAlignment", { $0.set("general.alignment", to: .uint32(13)) }),
        ("wrongType", { $0.set("general.alignment", to: .int32(32)) }),
        ("badTensorName", { $0.addTensor("", shape: [1], type: .i8, bytes: [0]) }),
        ("badTensorName", { $0.addTensor(String(repeating: "n", count: 64), shape: [1], type: .i8, bytes: [0]) }),
        ("duplicateTensor", { $0.addTensor("t", shape: [1], type: .i8, bytes: [0]) }),
        ("badShape", { $0.addTensor("x", shape: [], type: .i8, bytes: [0]) }),
        ("badShape", { $0.addTensor("x", shape: [1, 0], type: .i8, bytes: []) }),
        ("badShape", { $0.addTensor("x", shape: [1, 1, 1, 1, 1], type: .i8, bytes: [0]) }),
        ("shapeOverflow", { $0.addTensor("x", shape: [-1], type: .i8, bytes: [0]) }),
        ("rowNotBlockAligned", { $0.addTensor("x", shape: [33], type: .q8_0, bytes: [0]) }),
        ("wrongByteCount", { $0.addTensor("x", shape: [2], type: .f16, bytes: [0, 0, 0]) }),
        // Each fits in 63 bits, their padded sum does not.
        (
            "shapeOverflow",
            {
                $0.addTensor("x", shape: [1 << 62], type: .i8) { _, _ in }
                $0.addTensor("y", shape: [1 << 62], type: .i8) { _, _ in }
            }
        ),
    ]

    @Test(arguments: refusals.indices)
    func `faulty metadata and tensors are not written`(_ index: Int) throws {
        let folder = try TemporaryFolder()
        var writer = GGUFWriter()
        writer.addTensor("t", shape: [1], type: .i8, bytes: [0])
        Self.refusals[index].change(&writer)
        let error = #expect(throws: GGUFError.self) { try writer.write(to: "\(folder.path)/x.gguf") }
        #expect(error?.caseName == Self.refusals[index].caseName)
        #expect(try folder.names().isEmpty)
    }

    @Test func `a key set again keeps its place`() throws {
        let folder = try TemporaryFolder()
        var writer = GGUFWriter()
        writer.set("a", to: .uint32(1))
        writer.set("b", to: .uint32(2))
        writer.set("a", to: .uint32(3))
        try writer.write(to: "\(folder.path)/x.gguf")
        let metadata = try GGUFFile(path: "\(folder.path)/x.gguf").metadata
        #expect(metadata.keys == ["a", "b"])
        #expect(try metadata.uint32("a") == 3)
    }

    @Test func `an old file is replaced only when the new one is done`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(RawFile.tiny.bytes)
        let old = try GGUFFile(path: path)
        var writer = GGUFWriter()
        writer.set("new", to: .bool(true))
        try writer.write(to: path)
        #expect(try folder.names() == ["model.gguf"])
        #expect(try GGUFFile(path: path).metadata.keys == ["new"])
        // The old map stays whole.
        #expect(try old.metadata.string("general.architecture") == "qwen3")
        try old.checkUnchanged()
    }

    @Test func `failed rename leaves nothing`() throws {
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: "\(folder.path)/taken", withIntermediateDirectories: false)
        #expect(throws: GGUFError.self) { try GGUFWriter().write(to: "\(folder.path)/taken") }
        #expect(try folder.names() == ["taken"])
    }

    @Test func `a missing folder is an error`() throws {
        let folder = try TemporaryFolder()
        let error = #expect(throws: GGUFError.self) { try GGUFWriter().write(to: "\(folder.path)/no/x.gguf") }
        #expect(error?.description == "cannot write \(folder.path)/no/x.gguf: No such file or directory")
    }
}
