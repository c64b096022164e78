// Files that are in memory already: read like mapped ones, at any address, and checked as strictly.
import FoundationEssentials
import TestSupport
import Testing

@testable import Q3GGUF

@Suite struct MemoryTests {
    /// Memory that stays, as the initializer wants it, at `shift` bytes after a multiple of 64.
    private func immortal(_ bytes: [UInt8], shift: Int = 0) -> UnsafeRawBufferPointer {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count + shift, alignment: 64)
        unsafe UnsafeMutableRawBufferPointer(rebasing: memory[shift...]).copyBytes(from: bytes)
        return unsafe UnsafeRawBufferPointer(rebasing: memory[shift...])
    }

    @Test(arguments: [0, 1, 2, 31]) func `a file in memory reads like the one on disk`(shift: Int) throws {
        let mapped = try Fixture.model("tiny-embed-Q8_0")
        let bytes = try [UInt8](Data(contentsOf: URL(filePath: Fixture.path("tiny-embed-Q8_0.gguf"))))
        let file = try unsafe GGUFFile(immortal: immortal(bytes, shift: shift), name: "tiny (in memory)")
        #expect(file.path == "tiny (in memory)")
        #expect(file.byteCount == mapped.byteCount && file.alignment == mapped.alignment)
        #expect(file.metadata.keys == mapped.metadata.keys)
        #expect(
            try file.metadata.stringArray("tokenizer.ggml.tokens").makeStrings()
                == mapped.metadata.stringArray("tokenizer.ggml.tokens").makeStrings())
        #expect(file.tensors.map(\.name) == mapped.tensors.map(\.name))
        for (tensor, other) in zip(file.tensors, mapped.tensors) {
            #expect(unsafe file.bytes(of: tensor).elementsEqual(mapped.bytes(of: other)), "\(tensor.name)")
        }
        let tensor = try #require(file.tensors.first { $0.byteCount > 8 })
        func part(at offset: Int) throws -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: 5)
            try unsafe bytes.withUnsafeMutableBytes { try unsafe file.read(tensor, at: offset, into: $0) }
            return bytes
        }
        let expected = unsafe Array(mapped.bytes(of: tensor)[3..<8])
        #expect(try part(at: 3) == expected)
        #expect(throws: GGUFError.self) { try part(at: tensor.byteCount - 4) }
        try file.checkUnchanged()
    }

    /// The same errors as for a file, and no byte after the end is read.
    @Test func `damaged bytes are refused`() throws {
        let bytes = RawFile.tiny.bytes
        #expect(throws: GGUFError.empty(path: "none")) {
            try unsafe GGUFFile(immortal: UnsafeRawBufferPointer(start: nil, count: 0), name: "none")
        }
        for count in 1..<bytes.count {
            let cut = Array(bytes.prefix(count))
            let expected = try #require(try errorOfOpening(cut))
            #expect(throws: expected) { try unsafe GGUFFile(immortal: immortal(cut), name: "cut") }
        }
    }
}
