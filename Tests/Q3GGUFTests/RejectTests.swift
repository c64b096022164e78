// Files with one lying field: each is refused with the right error. Includes all reject cases of llama.cpp's test-gguf,
// under their names there.

import Testing

@testable import Q3GGUF

/// A change that makes the tiny file invalid, and the case of the error that must follow.
struct Lie: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let caseName: String
    let change: @Sendable (inout RawFile) -> Void

    init(_ description: String, _ caseName: String, _ change: @escaping @Sendable (inout RawFile) -> Void) {
        testDescription = description
        self.caseName = caseName
        self.change = change
    }

    /// A value put in place of a key's value.
    static func value(_ description: String, _ caseName: String, _ key: String, _ type: UInt32, _ value: [UInt8]) -> Lie
    {
        Lie(description, caseName) { $0.setPair(key, type, value) }
    }

    /// A pair put after the others.
    static func pair(_ description: String, _ caseName: String, _ pair: RawFile.Pair) -> Lie {
        Lie(description, caseName) { $0.pairs.append(pair) }
    }
}

@Suite struct RejectTests {
    private func check(_ lie: Lie) throws {
        var file = RawFile.tiny
        lie.change(&file)
        #expect(try errorOfOpening(file.bytes)?.caseName == lie.caseName)
    }

    // MARK: - Header

    private static let headers = [
        Lie("HEADER_BAD_MAGIC", "bigEndian") { $0.magic = Array("FUGG".utf8) },
        Lie("magic in lower case", "notGGUF") { $0.magic = Array("gguf".utf8) },
        Lie("HEADER_BAD_VERSION_0", "unsupportedVersion") { $0.version = 0 },
        Lie("HEADER_BAD_VERSION_1", "unsupportedVersion") { $0.version = 1 },
        Lie("HEADER_BAD_VERSION_FUTURE", "unsupportedVersion") { $0.version = 4 },
        Lie("version of all ones", "unsupportedVersion") { $0.version = .max },
        Lie("version 3 in big-endian", "bigEndian") { $0.version = 3 << 24 },
        Lie("HEADER_BAD_N_TENSORS", "tooMany") { $0.tensorCount = .max },
        Lie("HEADER_BAD_N_KV", "tooMany") { $0.pairCount = .max },
        Lie("2^31 tensors", "tooMany") { $0.tensorCount = 1 << 31 },
        Lie("2^62 tensors", "tooMany") { $0.tensorCount = 1 << 62 },
        Lie("2^32 pairs", "tooMany") { $0.pairCount = 1 << 32 },
        Lie("2^63 - 1 pairs", "tooMany") { $0.pairCount = UInt64(Int64.max) },
        Lie("one pair more than there are", "truncated") {
            $0.rows = []
            $0.pairCount = 9
        },
        Lie("one tensor more than there are", "truncated") {
            $0.rows = []
            $0.tensorCount = 1
        },
    ]

    @Test(arguments: headers) func `a damaged header is refused`(_ lie: Lie) throws { try check(lie) }

    // MARK: - Metadata

    private static let pairs: [Lie] = [
        Lie("KV_BAD_KEY_SIZE", "tooMany") { $0.pairs[0].keyByteCount = .max },
        Lie("key length 2^32", "tooMany") { $0.pairs[0].keyByteCount = 1 << 32 },
        Lie("key longer than the file", "truncated") { $0.pairs[0].keyByteCount = 1 << 20 },
        Lie("KV_EMPTY_KEY", "badKey") { $0.pairs[0].key = [] },
        Lie("key of 65,536 bytes", "badKey") { $0.pairs[0].key = [UInt8](repeating: 0x61, count: 65_536) },
        Lie("key with NUL", "badKey") { $0.pairs[0].key = Array("a\0b".utf8) },
        Lie("key not UTF-8", "badKey") { $0.pairs[0].key = [0xC3, 0x28] },
        Lie("KV_DUPLICATE_KEY", "duplicateKey") { $0.pairs.append($0.pairs[1]) },
        Lie("KV_BAD_TYPE", "unknownValueType") { $0.pairs[0].type = 13 },
        Lie("value type 255", "unknownValueType") { $0.pairs[0].type = 255 },
        Lie("value type -1", "unknownValueType") { $0.pairs[0].type = .max },
        .value("bool 2", "badBool", "tokenizer.ggml.add_bos_token", 7, [2]),
        .value("bool 255", "badBool", "tokenizer.ggml.add_bos_token", 7, [255]),
        .value("string length 2^63", "tooMany", "general.architecture", 8, encoded(UInt64(1) << 63)),
        .value("string length 2^32", "tooMany", "general.architecture", 8, encoded(UInt64(1) << 32)),
        .value("string longer than the file", "truncated", "general.architecture", 8, encoded(UInt64(4000))),
        .value("array of array", "nestedArray", "empty", 9, array(.array, 1, array(.array, 1, []))),
        .value("array of type 13", "unknownValueType", "empty", 9, array(13, 0, [])),
        .value("array of type -1", "unknownValueType", "empty", 9, array(.max, 0, [])),
        .value("2^61 numbers of 8 bytes", "tooMany", "empty", 9, array(.uint64, 1 << 61, [])),
        .value("2^64 - 1 strings", "tooMany", "empty", 9, array(.string, .max, [])),
        .value("2^30 numbers of 8 bytes", "truncated", "empty", 9, array(.uint64, 1 << 30, [])),
        .value("4,000 strings", "truncated", "empty", 9, array(.string, 4000, [])),
        .value("a string of an array runs out", "truncated", "empty", 9, array(.string, 1, encoded(UInt64(9999)))),
        .value("2^20 + 1 tokens", "tooMany", "tokenizer.ggml.tokens", 9, array(.string, 1 << 20 + 1, [])),
        .pair("2^21 + 1 merges", "tooMany", .init("tokenizer.ggml.merges", .array, array(.string, 1 << 21 + 1, []))),
        .pair("KV_BAD_ALIGN", "badAlignment", alignment(13)),
        .pair("KV_WRONG_TYPE_ALIGN", "wrongType", .init("general.alignment", .int32, encoded(Int32(32)))),
        .pair("alignment as u64", "wrongType", .init("general.alignment", .uint64, encoded(UInt64(32)))),
        .pair("alignment 0", "badAlignment", alignment(0)),
        .pair("alignment 3", "badAlignment", alignment(3)),
        .pair("alignment 2^21", "badAlignment", alignment(1 << 21)),
        .pair("alignment 2^31", "badAlignment", alignment(1 << 31)),
        Lie("alignment twice", "duplicateKey") { $0.pairs += [alignment(32), alignment(32)] },
        .pair("one of three parts without its number", "missingKey", .init("split.count", .uint16, encoded(UInt16(3)))),
        .pair("parts as a string", "wrongType", .init("split.count", .string, encoded("3"))),
    ]

    private static func alignment(_ value: UInt32) -> RawFile.Pair {
        .init("general.alignment", .uint32, encoded(value))
    }

    @Test(arguments: pairs) func `a damaged metadata pair is refused`(_ lie: Lie) throws { try check(lie) }

    // MARK: - Tensor table

    private static let tensors: [Lie] = [
        Lie("TENSORS_BAD_NAME_SIZE", "badTensorName") { $0.rows[0].name = [UInt8](repeating: 0x61, count: 64) },
        Lie("name length 2^63", "tooMany") { $0.rows[0].nameByteCount = 1 << 63 },
        Lie("empty name", "badTensorName") { $0.rows[0].name = [] },
        Lie("name with NUL", "badTensorName") { $0.rows[0].name = Array("a\0x".utf8) },
        Lie("name not UTF-8", "badTensorName") { $0.rows[0].name = [0xFF] },
        Lie("TENSORS_DUPLICATE_NAME", "duplicateTensor") { $0.rows[1].name = $0.rows[0].name },
        Lie("TENSORS_BAD_N_DIMS", "tooMany") { $0.rows[0].shape = [3, 2, 1, 1, 1] },
        Lie("2^32 - 1 axes", "tooMany") { $0.rows[0].axisCount = .max },
        Lie("no axis", "badShape") { $0.rows[0].shape = [] },
        Lie("ZERO_DIM", "badShape") { $0.rows[0].shape = [3, 0] },
        Lie("first extent 0", "badShape") { $0.rows[0].shape = [0, 2] },
        Lie("TENSORS_BAD_SHAPE", "shapeOverflow") { $0.rows[0].shape = [.max, 1] },
        Lie("TENSORS_NE_TOO_BIG", "shapeOverflow") { $0.rows[0].shape = [4 * UInt64(Int32.max)].repeated(4) },
        Lie("TENSORS_NBYTES_TOO_BIG", "shapeOverflow") {
            $0.rows[0].type = TensorType.i64.rawValue
            $0.rows[0].shape = [1 << 31, 1 << 31]
        },
        Lie("TENSORS_NBYTES_PAD_WRAP", "shapeOverflow") { $0.rows[0].shape = [4, 1 << 30 - 1, 1 << 30 + 1] },
        Lie("2^63 values", "shapeOverflow") { $0.rows[0].shape = [1 << 32, 1 << 31] },
        Lie("2^64 + 2^33 values", "shapeOverflow") { $0.rows[0].shape = [1 << 32, 1 << 32 + 2] },
        Lie("sum of padding wraps", "shapeOverflow") {
            $0.rows[0].type = TensorType.i8.rawValue
            $0.rows[0].shape = [UInt64(Int64.max)]
        },
        Lie("2^40 values", "outOfFile") { $0.rows[0].shape = [1, 1, 1, 1 << 40] },
        Lie("TENSORS_BAD_TYPE", "unknownTensorType") { $0.rows[0].type = 42 },
        Lie("type -1", "unknownTensorType") { $0.rows[0].type = .max },
        Lie("type 2^31", "unknownTensorType") { $0.rows[0].type = 1 << 31 },
        Lie("33 values in rows of Q8_0", "rowNotBlockAligned") { $0.rows[1].shape = [33, 2] },
        Lie("255 values in rows of Q4_K", "rowNotBlockAligned") {
            $0.rows[1].type = TensorType.q4_K.rawValue
            $0.rows[1].shape = [255]
        },
        Lie("blocks only across rows", "rowNotBlockAligned") { $0.rows[1].shape = [16, 4] },
        Lie("TENSORS_BAD_OFFSET", "badOffset") { $0.rows[0].offset = .max },
        Lie("offset not aligned", "badOffset") { $0.rows[1].offset = 24 },
        Lie("offset beyond the file", "badOffset") { $0.rows[2].offset = 1 << 20 },
        Lie("two tensors overlap", "badOffset") { $0.rows[1].offset = 0 },
        Lie("a gap", "badOffset") { $0.rows[2].offset = 160 },
        Lie("other order", "badOffset") { $0.rows.swapAt(0, 1) },
        Lie("TENSORS_BAD_ALIGN", "badAlignment") { $0.pairs.append(alignment(13)) },
        Lie("TENSORS_INCONSISTENT_ALIGN", "badOffset") { $0.pairs.append(alignment(1)) },
        Lie("DATA_NOT_ENOUGH_DATA", "outOfFile") { $0.data.removeLast() },
        Lie("DATA_BAD_ALIGN", "badAlignment") { $0.pairs.append(alignment(26)) },
        Lie("DATA_INCONSISTENT_ALIGN", "badOffset") { $0.pairs.append(alignment(64)) },
        Lie("DATA_MEM_SIZE_OVERFLOW", "outOfFile") {
            let shape: [UInt64] = [0x7FFF_FFFF_FFFF_FF80]
            $0.rows = [RawFile.Row("a", shape, .i8, offset: 0), RawFile.Row("b", shape, .i8, offset: shape[0])]
        },
        Lie("no padding before the data", "outOfFile") { $0.padding = 0 },
        Lie("no data", "outOfFile") { $0.data = [] },
    ]

    @Test(arguments: tensors) func `a damaged tensor entry is refused`(_ lie: Lie) throws { try check(lie) }

    /// Ids between the known ones were removed from the format.
    @Test(arguments: UInt32(0)...64) func `tensor types have the ids of the format`(_ id: UInt32) throws {
        var file = RawFile.tiny
        file.rows = [RawFile.Row("t", [256], .f32, offset: 0)]
        file.rows[0].type = id
        file.data = [UInt8](repeating: 1, count: 256 * 8)
        let error = try errorOfOpening(file.bytes)
        let isGap = [4, 5, 31, 32, 33, 36, 37, 38].contains(id) || id > 41
        #expect(error == (isGap ? .unknownTensorType(tensor: "t", at: file.headerBytes.count - 12, got: id) : nil))
    }
}

extension [UInt64] {
    fileprivate func repeated(_ count: Int) -> [UInt64] { (0..<count).flatMap { _ in self } }
}
