// What the writer wrote, the reader gives back.

import TestSupport
import Testing

@testable import Q3GGUF

@Suite struct RoundTripTests {
    /// One value of each type at its extremes, and an array of each type.
    private static let values: [(key: String, value: MetadataValue)] = [
        ("u8", .uint8(.max)), ("i8", .int8(.min)), ("u16", .uint16(.max)), ("i16", .int16(.min)),
        ("u32", .uint32(.max)), ("i32", .int32(.min)), ("u64", .uint64(.max)), ("i64", .int64(.min)),
        ("f32", .float32(-0.0)), ("f64", .float64(.greatestFiniteMagnitude)), ("true", .bool(true)),
        ("false", .bool(false)), ("string", .string("naïve ✓\u{0}\n")), ("empty", .string("")),
        ("u8s", .array(MetadataArray([UInt8](0...255)))), ("i8s", .array(MetadataArray([Int8.min, 0, .max]))),
        ("u16s", .array(MetadataArray([UInt16.max]))), ("i16s", .array(MetadataArray([Int16.min]))),
        ("u32s", .array(MetadataArray([UInt32.max, 7]))), ("i32s", .array(MetadataArray([Int32.min, 7]))),
        ("u64s", .array(MetadataArray([UInt64.max]))), ("i64s", .array(MetadataArray([Int64.min]))),
        ("f32s", .array(MetadataArray([Float.infinity, 1.5]))), ("f64s", .array(MetadataArray([-2.5]))),
        ("strings", .array(MetadataArray(["", "a", "ü"]))), ("none", .array(MetadataArray([Int32]()))),
    ]

    private func description(of value: MetadataValue?) -> String {
        guard case .array(let array) = value else { return String(describing: value) }
        var bytes: [UInt8] = []
        unsafe array.storage.withBytes { unsafe bytes.append(contentsOf: $0) }
        return "\(array.elementType) \(array.count) \(bytes)"
    }

    @Test func `every type of value comes back`() throws {
        let folder = try TemporaryFolder()
        var writer = GGUFWriter()
        for (key, value) in Self.values { writer.set(key, to: value) }
        try writer.write(to: "\(folder.path)/values.gguf")
        let metadata = try GGUFFile(path: "\(folder.path)/values.gguf").metadata
        #expect(metadata.keys == Self.values.map(\.key))
        for (key, value) in Self.values {
            #expect(description(of: metadata.value(key)) == description(of: value), "\(key)")
        }
        #expect(try metadata.stringArray("strings").makeStrings() == ["", "a", "ü"])
        #expect(try metadata.int32Array("i32s") == [.min, 7])
        #expect(try metadata.string("string") == "naïve ✓\u{0}\n")
    }

    @Test(arguments: [UInt32(1), 8, 32, 4096, 1 << 20])
    func `tensors come back at every alignment`(_ alignment: UInt32) throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/tensors.gguf"
        let tensors: [(name: String, shape: [Int], type: TensorType, bytes: [UInt8])] = [
            ("one", [1], .i8, [42]), ("two", [3, 5], .f32, (0..<60).map { UInt8($0) }),
            ("three", [256, 1, 2, 1], .q4_K, (0..<288).map { UInt8(truncatingIfNeeded: $0 * 7) }),
        ]
        var writer = GGUFWriter()
        writer.set("general.alignment", to: .uint32(alignment))
        for tensor in tensors {
            writer.addTensor(tensor.name, shape: tensor.shape, type: tensor.type, bytes: tensor.bytes)
        }
        try writer.write(to: path)
        let file = try GGUFFile(path: path)
        #expect(file.version == 3)
        #expect(file.path == path)
        #expect(file.alignment == Int(alignment))
        #expect(file.tensors.map(\.name) == tensors.map(\.name))
        for tensor in tensors {
            let info = try #require(file.tensor(named: tensor.name))
            #expect(info.shape == tensor.shape)
            #expect(info.type == tensor.type)
            #expect(info.offset.isMultiple(of: Int(alignment)))
            #expect(info.elementCount == tensor.shape.reduce(1, *))
            #expect(info.rowCount == tensor.shape.dropFirst().reduce(1, *))
            #expect(info.rowByteCount * info.rowCount == info.byteCount)
            #expect(unsafe Array(file.bytes(of: info)) == tensor.bytes)
        }
        #expect(file.tensor(named: "four") == nil)
    }

    @Test func `streamed tensors come in ordered chunks`() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/streamed.gguf"
        let count = 3 << 18 | 5  // a little over three chunks of 1 MiB
        var writer = GGUFWriter()
        writer.addTensor("numbers", shape: [count], type: .i32) { chunk, offset in
            for position in stride(from: 0, to: chunk.byteCount, by: 4) {
                chunk.storeBytes(of: Int32((offset + position) / 4), toByteOffset: position, as: Int32.self)
            }
        }
        writer.addTensor("last", shape: [1], type: .i8, bytes: [9])
        try writer.write(to: path)
        let file = try GGUFFile(path: path)
        let numbers = unsafe file.bytes(of: try #require(file.tensor(named: "numbers")))
        #expect(numbers.count == count * 4)
        let wrong = (0..<count).first {
            unsafe numbers.loadUnaligned(fromByteOffset: $0 * 4, as: Int32.self) != Int32($0)
        }
        #expect(wrong == nil)
        #expect(unsafe file.bytes(of: try #require(file.tensor(named: "last")))[0] == 9)
    }

    /// A random file per seed: written, read, and its metadata written again to an equal file.
    @Test(arguments: UInt64(1)...20)
    func `random files come back`(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let folder = try TemporaryFolder()
        var writer = GGUFWriter()
        for (key, value) in Self.values.shuffled(using: &random).dropLast(5) {
            writer.set("\(key).\(random.next() % 100)", to: value)
        }
        for index in 0..<Int.random(in: 0...6, using: &random) {
            let type = TensorType.allCases.randomElement(using: &random) ?? .f32
            let rows = Int.random(in: 1...3, using: &random)
            let bytes = (0..<rows * type.bytesPerBlock).map { _ in UInt8.random(in: 0...255, using: &random) }
            writer.addTensor("t\(index)", shape: [type.itemsPerBlock, rows], type: type, bytes: bytes)
        }
        try writer.write(to: "\(folder.path)/first.gguf")
        let first = try GGUFFile(path: "\(folder.path)/first.gguf")
        var copier = GGUFWriter()
        for key in first.metadata.keys { copier.set(key, to: try #require(first.metadata.value(key))) }
        for tensor in first.tensors {
            let bytes = unsafe Array(first.bytes(of: tensor))
            copier.addTensor(tensor.name, shape: tensor.shape, type: tensor.type, bytes: bytes)
        }
        try copier.write(to: "\(folder.path)/second.gguf")
        let second = try GGUFFile(path: "\(folder.path)/second.gguf")
        #expect(second.byteCount == first.byteCount)
        #expect(second.tensors == first.tensors)
        #expect(second.metadata.keys == first.metadata.keys)
        #expect(touchEverything(of: second) == touchEverything(of: first))
    }
}
