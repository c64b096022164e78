// Files that look unusual and are fine, and the getters' policy on types.

import TestSupport
import Testing

@testable import Q3GGUF

@Suite struct AcceptTests {
    private static let changes: [Lie] = [
        Lie("nothing at all", "") { $0 = RawFile() },
        Lie("KV_SUCCESS: no tensors", "") { $0.rows = [] },
        Lie("TENSORS_SUCCESS: no metadata", "") { $0.pairs = [] },
        Lie("DATA_SUCCESS", "") { _ in },
        Lie("CUSTOM_ALIGN 1", "") {
            $0.pairs.append(.init("general.alignment", .uint32, encoded(UInt32(1))))
            $0.alignment = 1
            for (index, offset) in [0, 24, 92].enumerated() { $0.rows[index].offset = UInt64(offset) }
        },
        Lie("version 2", "") { $0.version = 2 },
        Lie("one part of one", "") { $0.pairs.append(.init("split.count", .uint16, encoded(UInt16(1)))) },
        Lie("key of 65,535 bytes", "") { $0.pairs[0].key = [UInt8](repeating: 0x61, count: 65_535) },
        Lie("name of 63 bytes", "") { $0.rows[0].name = [UInt8](repeating: 0x61, count: 63) },
        Lie("value that is not UTF-8", "") { $0.setPair("general.architecture", 8, encoded(UInt64(1)) + [0xFF]) },
        Lie("keys that look the same and differ in bytes", "") {
            $0.pairs.append(.init("k\u{E9}", .uint32, encoded(UInt32(1))))
            $0.pairs.append(.init("ke\u{301}", .uint32, encoded(UInt32(2))))
        },
        Lie("tensors that look the same and differ in bytes", "") {
            $0.rows[0].name = Array("k\u{E9}".utf8)
            $0.rows[2].name = Array("ke\u{301}".utf8)
        },
        Lie("1 KiB behind the data", "") { $0.data += [UInt8](repeating: 7, count: 1024) },
        Lie("1 MiB behind the data", "") { $0.data += [UInt8](repeating: 7, count: 1 << 20) },
        Lie("padding behind the last tensor", "") { $0.data += [UInt8](repeating: 0, count: 20) },
    ]

    @Test(arguments: changes) func `files that keep the rules are accepted`(_ change: Lie) throws {
        var file = RawFile.tiny
        change.change(&file)
        #expect(try errorOfOpening(file.bytes) == nil)
    }

    @Test func `tiny file reads as built`() throws {
        let file = try openFile(RawFile.tiny.bytes)
        let headerByteCount = RawFile.tiny.headerBytes.count
        let dataStart = (headerByteCount + 31) / 32 * 32
        #expect(file.byteCount == dataStart + 140)
        #expect(file.alignment == 32)
        #expect(file.tensors.map(\.offset) == [dataStart, dataStart + 32, dataStart + 128])
        #expect(file.tensors.map(\.byteCount) == [24, 68, 12])
        #expect(file.tensors.map(\.rowByteCount) == [12, 34, 4])
        #expect(file.tensors.map(\.rowCount) == [2, 2, 3])
        let last = try #require(file.tensors.last)
        #expect(unsafe Array(file.bytes(of: last)) == Array(128..<140))
    }

    @Test func `names are found by their bytes`() throws {
        var raw = RawFile.tiny
        raw.pairs.append(.init("k\u{E9}", .uint32, encoded(UInt32(1))))
        raw.pairs.append(.init("ke\u{301}", .uint32, encoded(UInt32(2))))
        raw.pairs.append(.init("\u{212A}", .uint32, encoded(UInt32(3))))
        raw.rows[0].name = Array("k\u{E9}".utf8)
        raw.rows[2].name = Array("ke\u{301}".utf8)
        let file = try openFile(raw.bytes)
        #expect(try file.metadata.required("k\u{E9}", as: UInt32.self) == 1)
        #expect(try file.metadata.required("ke\u{301}", as: UInt32.self) == 2)
        #expect(file.metadata.value("K") == nil)
        #expect(file.tensor(named: "k\u{E9}")?.type == .f32)
        #expect(file.tensor(named: "ke\u{301}")?.type == .f16)
        var writer = GGUFWriter()
        writer.set("k\u{E9}", to: .uint32(1))
        writer.set("ke\u{301}", to: .uint32(2))
        let folder = try TemporaryFolder()
        try writer.write(to: folder.file("two.gguf"))
        #expect(try GGUFFile(path: folder.file("two.gguf")).metadata.keys.count == 2)
    }

    @Test func `string array visits bytes in order`() throws {
        let tokens = try openFile(RawFile.tiny.bytes).metadata.stringArray("tokenizer.ggml.tokens")
        #expect(tokens.count == 3)
        var seen: [String] = []
        unsafe tokens.forEachBytes { index, bytes in
            seen.append("\(index):\(unsafe String(decoding: bytes, as: UTF8.self))")
        }
        #expect(seen == ["0:a", "1:", "2:Ġb"])
        #expect(StringArray(["x", ""]).makeStrings() == ["x", ""])
    }

    @Test func `string array passes errors on`() throws {
        struct Stop: Error, Equatable { let index: Int }
        let tokens = try openFile(RawFile.tiny.bytes).metadata.stringArray("tokenizer.ggml.tokens")
        #expect(throws: Stop(index: 1)) {
            unsafe try tokens.forEachBytes { index, _ throws(Stop) in if index == 1 { throw Stop(index: index) } }
        }
    }

    // MARK: - Getters

    private static let key = "k"

    private func metadata(_ value: MetadataValue) throws -> Metadata {
        let folder = try TemporaryFolder()
        var writer = GGUFWriter()
        writer.set(Self.key, to: value)
        try writer.write(to: "\(folder.path)/x.gguf")
        return try GGUFFile(path: "\(folder.path)/x.gguf").metadata
    }

    private static let integers: [(value: MetadataValue, expected: UInt32?, caseName: String?)] = [
        (.uint32(.max), .max, nil), (.int32(.max), UInt32(Int32.max), nil), (.uint64(7), 7, nil),
        (.int32(-1), nil, "outOfRange"), (.uint64(1 << 32), nil, "outOfRange"), (.int64(7), nil, "wrongType"),
        (.uint16(7), nil, "wrongType"), (.float32(7), nil, "wrongType"), (.string("7"), nil, "wrongType"),
    ]

    @Test(arguments: integers.indices) func `uint32 takes other integers that fit`(_ index: Int) throws {
        let (value, expected, caseName) = Self.integers[index]
        let metadata = try metadata(value)
        do throws(GGUFError) {
            let got = try metadata.uint32(Self.key)
            #expect(got == expected)
        } catch {
            #expect(error.caseName == caseName)
        }
    }

    /// Every getter with the one type that it takes.
    private static let getters: [(type: String, get: @Sendable (Metadata) throws(GGUFError) -> Bool)] = [
        ("u32", { metadata throws(GGUFError) in try metadata.optionalUInt32(key) != nil }),
        ("f32", { metadata throws(GGUFError) in try metadata.optionalFloat32(key) != nil }),
        ("bool", { metadata throws(GGUFError) in try metadata.optionalBool(key) != nil }),
        ("string", { metadata throws(GGUFError) in try metadata.optionalString(key) != nil }),
        ("array of string", { metadata throws(GGUFError) in try metadata.optionalStringArray(key) != nil }),
        ("array of i32", { metadata throws(GGUFError) in try metadata.optionalInt32Array(key) != nil }),
    ]

    private static let values: [MetadataValue] = [
        .uint32(1), .float32(1), .bool(true), .string("x"), .array(MetadataArray(["x"])),
        .array(MetadataArray([Int32(1)])), .array(MetadataArray([UInt32(1)])), .float64(1),
    ]

    @Test(arguments: getters.indices) func `getters refuse other types`(_ index: Int) throws {
        let (type, get) = Self.getters[index]
        for value in Self.values {
            let metadata = try metadata(value)
            if value.typeName == type {
                #expect(try get(metadata))
            } else {
                #expect(throws: GGUFError.wrongType(key: Self.key, expected: type, got: value.typeName)) {
                    try get(metadata)
                }
            }
        }
        #expect(try !get(openFile(RawFile.tiny.bytes).metadata))
    }

    @Test func `an absent key is nil or an error`() throws {
        let metadata = try openFile(RawFile.tiny.bytes).metadata
        let missing = GGUFError.missingKey(Self.key)
        #expect(metadata.value(Self.key) == nil)
        #expect(throws: missing) { try metadata.string(Self.key) }
        #expect(throws: missing) { try metadata.uint32(Self.key) }
        #expect(throws: missing) { try metadata.float32(Self.key) }
        #expect(throws: missing) { try metadata.bool(Self.key) }
        #expect(throws: missing) { try metadata.stringArray(Self.key) }
        #expect(throws: missing) { try metadata.int32Array(Self.key) }
    }

    @Test func `text that is not UTF-8 is an error or is repaired`() throws {
        var file = RawFile.tiny
        file.setPair("general.architecture", 8, encoded(UInt64(2)) + [0x61, 0xFF])
        let metadata = try openFile(file.bytes).metadata
        #expect(throws: GGUFError.invalidUTF8(key: "general.architecture")) {
            try metadata.string("general.architecture")
        }
        guard case .string("a\u{FFFD}") = metadata.value("general.architecture") else {
            Issue.record("not repaired for display")
            return
        }
    }
}
