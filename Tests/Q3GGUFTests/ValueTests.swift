// Metadata by the Swift type that is asked for, and the bytes of tensors as spans.
import Q3GGUF
import TestSupport
import Testing

@Suite struct ValueTests {
    private let folder: TemporaryFolder
    private let file: GGUFFile

    init() throws {
        folder = try TemporaryFolder()
        var writer = GGUFWriter()
        writer.set("text", to: .string("ünï"))
        writer.set("small", to: .uint8(7))
        writer.set("count", to: .int32(12))
        writer.set("negative", to: .int32(-1))
        writer.set("yes", to: .bool(true))
        writer.set("ratio", to: .float64(0.25))
        writer.set("numbers", to: .array(MetadataArray([Int16(3), -4])))
        writer.set("words", to: .array(MetadataArray(["a", "", "bc"])))
        writer.addTensor("t", shape: [4, 2], type: .i8, bytes: [1, 2, 3, 4, 5, 6, 7, 8])
        try writer.write(to: folder.file("values.gguf"))
        file = try GGUFFile(path: folder.file("values.gguf"))
    }

    @Test func `a value has the type that is asked for`() throws {
        let metadata = file.metadata
        #expect(try metadata.value("text", as: String.self) == "ünï")
        #expect(try metadata.required("small", as: UInt8.self) == 7)
        #expect(try metadata.required("ratio", as: Double.self) == 0.25)
        #expect(try metadata.required("yes", as: Bool.self))
        #expect(try metadata.required("numbers", as: [Int16].self) == [3, -4])
        #expect(try metadata.required("words", as: StringArray.self).makeStrings() == ["a", "", "bc"])
        let absent: Float? = try metadata.value("nothing")
        #expect(absent == nil)
    }

    @Test func `a count may be stored as a signed number if it fits`() throws {
        #expect(try file.metadata.required("count", as: UInt32.self) == 12)
        #expect(throws: GGUFError.outOfRange(key: "negative", expected: "0 to 4294967295", got: "-1")) {
            try file.metadata.required("negative", as: UInt32.self)
        }
    }

    @Test func `a value of another type is an error and is not converted`() {
        #expect(throws: GGUFError.wrongType(key: "small", expected: "u16", got: "u8")) {
            try file.metadata.value("small", as: UInt16.self)
        }
        #expect(throws: GGUFError.wrongType(key: "numbers", expected: "array of i32", got: "array of i16")) {
            try file.metadata.value("numbers", as: [Int32].self)
        }
        #expect(throws: GGUFError.missingKey("nothing")) { try file.metadata.required("nothing", as: Bool.self) }
    }

    @Test func `pairs come in file order and equal what was written`() {
        let pairs = Array(file.metadata)
        #expect(
            pairs.map(\.key) == ["text", "small", "count", "negative", "yes", "ratio", "numbers", "words"])
        #expect(pairs[6].value == .array(MetadataArray([Int16(3), -4])))
        #expect(pairs[6].value != .array(MetadataArray([Int16(3), -5])))
        #expect(pairs[7].value == .array(MetadataArray(["a", "", "bc"])))
        #expect(pairs[0].value != .uint8(7))
    }

    @Test func `strings are visited as spans`() throws {
        var lengths: [Int] = []
        try file.metadata.required("words", as: StringArray.self).forEach { index, bytes in
            #expect(index == lengths.count)
            lengths.append(bytes.byteCount)
        }
        #expect(lengths == [1, 0, 2])
    }

    @Test func `a tensor is read in place or copied, and no byte outside it`() throws {
        let tensor = try #require(file.tensor(named: "t"))
        let sum = file.withBytes(of: tensor) { bytes in
            (0..<bytes.byteCount).reduce(0) { $0 + Int(unsafe bytes.unsafeLoad(fromByteOffset: $1, as: UInt8.self)) }
        }
        #expect(sum == 36)
        var copy = [UInt8](repeating: 0, count: 3)
        var elements = copy.mutableSpan
        var bytes = unsafe elements.mutableBytes
        try file.read(tensor, at: 2, into: &bytes)
        #expect(copy == [3, 4, 5])
        #expect(throws: GGUFError.self) {
            var elements = copy.mutableSpan
            var bytes = unsafe elements.mutableBytes
            try file.read(tensor, at: 6, into: &bytes)
        }
    }
}
