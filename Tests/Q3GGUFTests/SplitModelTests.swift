// Models in several files: opened as one from any part, and refused by the name of the part that is wrong.
import Q3GGUF
import TestSupport
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

struct SplitModelTests {
    private let folder: TemporaryFolder
    private let whole: GGUFFile

    init() throws {
        folder = try TemporaryFolder()
        whole = try Fixture.model("tiny-embed-Q8_0")
    }

    private func path(_ number: Int, of count: Int = 3) -> String {
        folder.file("tiny-0000\(number)-of-0000\(count).gguf")
    }

    /// Writes the parts as gguf-split does: all metadata in the first, every tensor in one of them.
    private func split(change: (Int, inout GGUFWriter) -> Void = { _, _ in }, tensorCount: Int? = nil) throws {
        let count = 3
        let share = (whole.tensors.count + count - 1) / count
        for number in 0..<count {
            var writer = GGUFWriter()
            if number == 0 {
                for key in whole.metadata.keys {
                    if let value = whole.metadata.value(key) { writer.set(key, to: value) }
                }
            }
            writer.set("split.no", to: .uint16(UInt16(number)))
            writer.set("split.count", to: .uint16(UInt16(count)))
            writer.set("split.tensors.count", to: .int32(Int32(tensorCount ?? whole.tensors.count)))
            for tensor in whole.tensors.dropFirst(number * share).prefix(share) {
                writer.addTensor(
                    tensor.name, shape: tensor.shape, type: tensor.type, bytes: unsafe Array(whole.bytes(of: tensor)))
            }
            change(number, &writer)
            try writer.write(to: path(number + 1))
        }
    }

    @Test(arguments: [1, 2, 3], [false, true])
    func `a split model opens as one from any part`(_ number: Int, _ copying: Bool) throws {
        try split()
        let file = try GGUFFile(path: path(number), copying: copying)
        #expect(file.tensors.map(\.name) == whole.tensors.map(\.name))
        #expect(try file.metadata.string("general.architecture") == "qwen3")
        for tensor in file.tensors {
            let original = try #require(whole.tensor(named: tensor.name))
            #expect(unsafe Array(file.bytes(of: tensor)) == Array(whole.bytes(of: original)), "\(tensor.name)")
            var copy = [UInt8](repeating: 0, count: tensor.byteCount)
            try unsafe copy.withUnsafeMutableBytes { unsafe try file.read(tensor, at: 0, into: $0) }
            #expect(unsafe copy == Array(whole.bytes(of: original)), "\(tensor.name)")
        }
        let sizes = try (1...3).map { try FileManager.default.attributesOfItem(atPath: path($0))[.size] as? Int ?? 0 }
        #expect(file.byteCount == sizes.reduce(0, +))
        try file.checkUnchanged()
    }

    @Test func `a missing part is named`() throws {
        try split()
        try FileManager.default.removeItem(atPath: path(2))
        for number in [1, 3] {
            let error = #expect(throws: GGUFError.badPart(path: path(2), .missing(code: 2))) {
                try GGUFFile(path: path(number))
            }
            #expect(error?.description.contains("tiny-00002-of-00003.gguf") == true)
        }
    }

    @Test func `a part under another name is refused`() throws {
        try split()
        try FileManager.default.moveItem(atPath: path(1), toPath: folder.file("model.gguf"))
        #expect(
            throws: GGUFError.badPart(path: folder.file("model.gguf"), .name(expected: "-00001-of-00003.gguf"))
        ) { try GGUFFile(path: folder.file("model.gguf")) }
    }

    @Test func `a part in another's place is refused`() throws {
        try split()
        try FileManager.default.removeItem(atPath: path(2))
        try FileManager.default.copyItem(atPath: path(3), toPath: path(2))
        #expect(throws: GGUFError.badPart(path: path(2), .place)) { try GGUFFile(path: path(1)) }
    }

    @Test func `parts with too few tensors are refused`() throws {
        try split(tensorCount: 99)
        #expect(
            throws: GGUFError.badPart(path: path(1), .tensorCount(whole.tensors.count, expected: 99))
        ) { try GGUFFile(path: path(1)) }
    }

    @Test func `a tensor in two parts is refused`() throws {
        let name = whole.tensors[0].name
        try split(
            change: { number, writer in
                if number == 2 { writer.addTensor(name, shape: [1], type: .f32, bytes: [0, 0, 0, 0]) }
            }, tensorCount: whole.tensors.count + 1)
        let error = #expect(throws: GGUFError.self) { try GGUFFile(path: path(1)) }
        #expect(error?.description.contains(name) == true)
    }

    @Test func `damage in a part names the part`() throws {
        try split()
        try Data("no model".utf8).write(to: URL(filePath: path(3)))
        let error = #expect(throws: GGUFError.self) { try GGUFFile(path: path(1)) }
        #expect(error?.description.contains("tiny-00003-of-00003.gguf") == true)
    }

    @Test func `a part that changes is noticed`() throws {
        try split()
        let file = try GGUFFile(path: path(1))
        try Data("changed".utf8).write(to: URL(filePath: path(2)))
        #expect(throws: GGUFError.changed(path: path(2))) { try file.checkUnchanged() }
    }
}
