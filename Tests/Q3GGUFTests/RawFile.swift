// Builds the bytes of a small GGUF file field by field, so that a test can make any one of them lie.

@testable import Q3GGUF

/// A file as its fields stand on disk. `tiny` is valid; every byte of it matters, so each cut of it must be refused.
struct RawFile {
    var magic: [UInt8] = Array("GGUF".utf8)
    var version: UInt32 = 3
    /// What the header claims; nil tells the truth.
    var tensorCount: UInt64?
    var pairCount: UInt64?
    var pairs: [Pair] = []
    var rows: [Row] = []
    var alignment = 32
    /// Zeros between the header and the data; nil pads to the alignment.
    var padding: Int?
    var data: [UInt8] = []

    struct Pair {
        var key: [UInt8]
        /// The length that stands before the key; nil tells the truth.
        var keyByteCount: UInt64?
        var type: UInt32
        var value: [UInt8]

        init(_ key: [UInt8], _ type: UInt32, _ value: [UInt8]) {
            self.key = key
            self.type = type
            self.value = value
        }

        init(_ key: String, _ type: ValueType, _ value: [UInt8]) {
            self.init(Array(key.utf8), type.rawValue, value)
        }
    }

    struct Row {
        var name: [UInt8]
        var nameByteCount: UInt64?
        var axisCount: UInt32?
        var shape: [UInt64]
        var type: UInt32
        var offset: UInt64

        init(_ name: String, _ shape: [UInt64], _ type: TensorType, offset: UInt64) {
            self.name = Array(name.utf8)
            self.shape = shape
            self.type = type.rawValue
            self.offset = offset
        }
    }

    /// Eight pairs and three tensors: 24 bytes of F32, 68 of Q8_0 and 12 of F16, each at a multiple of 32.
    static var tiny: RawFile {
        var file = RawFile()
        file.pairs = [
            Pair("general.architecture", .string, encoded("qwen3")),
            Pair("qwen3.block_count", .uint32, encoded(UInt32(28))),
            Pair("qwen3.rope.freq_base", .float32, encoded(Float(1_000_000))),
            Pair("tokenizer.ggml.add_bos_token", .bool, [0]),
            Pair("tokenizer.ggml.tokens", .array, array(.string, 3, encoded("a") + encoded("") + encoded("Ġb"))),
            Pair("tokenizer.ggml.token_type", .array, array(.int32, 3, [1, -1, 3].flatMap { encoded(Int32($0)) })),
            Pair("ünknown Key 2", .uint64, encoded(UInt64.max)),
            Pair("empty", .array, array(.float64, 0, [])),
        ]
        file.rows = [
            Row("a", [3, 2], .f32, offset: 0),
            Row("b.weight", [32, 2], .q8_0, offset: 32),
            Row("c", [2, 1, 3], .f16, offset: 128),
        ]
        file.data = (0..<140).map { UInt8($0) }
        return file
    }

    var headerBytes: [UInt8] {
        var bytes = magic + encoded(version)
        bytes += encoded(tensorCount ?? UInt64(rows.count)) + encoded(pairCount ?? UInt64(pairs.count))
        for pair in pairs {
            bytes += encoded(pair.keyByteCount ?? UInt64(pair.key.count)) + pair.key
            bytes += encoded(pair.type) + pair.value
        }
        for row in rows {
            bytes += encoded(row.nameByteCount ?? UInt64(row.name.count)) + row.name
            bytes += encoded(row.axisCount ?? UInt32(row.shape.count)) + row.shape.flatMap { encoded($0) }
            bytes += encoded(row.type) + encoded(row.offset)
        }
        return bytes
    }

    var bytes: [UInt8] {
        let header = headerBytes
        if rows.isEmpty { return header }
        let padding = padding ?? (alignment - header.count % alignment) % alignment
        return header + [UInt8](repeating: 0, count: padding) + data
    }

    /// Replaces the value of a pair of `tiny`.
    mutating func setPair(_ key: String, _ type: UInt32, _ value: [UInt8]) {
        pairs = pairs.map { $0.key == Array(key.utf8) ? Pair($0.key, type, value) : $0 }
    }
}

func encoded<T: MetadataScalar>(_ value: T) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.appendScalar(value)
    return bytes
}

func encoded(_ text: String) -> [UInt8] {
    encoded(UInt64(text.utf8.count)) + Array(text.utf8)
}

/// The value of an array pair; `count` is what the file claims.
func array(_ elementType: ValueType, _ count: UInt64, _ elements: [UInt8]) -> [UInt8] {
    array(elementType.rawValue, count, elements)
}

func array(_ elementType: UInt32, _ count: UInt64, _ elements: [UInt8]) -> [UInt8] {
    encoded(elementType) + encoded(count) + elements
}
