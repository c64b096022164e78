// The metadata of a file: keys in file order, typed getters that refuse a value of another type.
import Q3System

/// Key-value pairs of a GGUF file. Values stay in the map and are decoded when asked for.
///
///     let layers = try metadata.required("qwen3.block_count", as: UInt32.self)
///     let name: String? = try metadata.value("general.name")
///     for (key, value) in metadata { print(key, value.type.name) }
///
/// A value of another type is an error and is not converted. The one exception is `UInt32`, which also takes an `i32` or
/// `u64` whose value fits, because converters differ there.
public struct Metadata: Sendable {
    /// One pair, with the place of its value.
    struct Entry: Sendable {
        let key: String
        let type: ValueType
        /// Element type and count, if the value is an array.
        let array: (elementType: ValueType, count: Int)?
        /// Bytes of the value: a scalar, the text of a string, the elements of an array.
        let range: Range<Int>

        /// The type for messages, such as "u32" or "array of string".
        var typeName: String { array.map { "array of \($0.elementType.name)" } ?? type.name }
    }

    private let file: MappedFile
    private let entries: [Entry]
    private let indexOfKey: [ExactText: Int]

    init(file: MappedFile, entries: [Entry], indexOfKey: [ExactText: Int]) {
        self.file = file
        self.entries = entries
        self.indexOfKey = indexOfKey
    }

    /// All keys, in file order.
    public var keys: [String] { entries.map(\.key) }

    /// The value of a key, nil if there is no such key. Text that is not UTF-8 is repaired with U+FFFD: to be shown.
    public func value(_ key: String) -> MetadataValue? {
        guard let index = indexOfKey[ExactText(key)] else { return nil }
        let entry = entries[index]
        let offset = entry.range.lowerBound
        return switch entry.type {
        case .uint8: .uint8(file.load(at: offset))
        case .int8: .int8(file.load(at: offset))
        case .uint16: .uint16(file.load(at: offset))
        case .int16: .int16(file.load(at: offset))
        case .uint32: .uint32(file.load(at: offset))
        case .int32: .int32(file.load(at: offset))
        case .uint64: .uint64(file.load(at: offset))
        case .int64: .int64(file.load(at: offset))
        case .float32: .float32(file.load(at: offset))
        case .float64: .float64(file.load(at: offset))
        case .bool: .bool(file.load(at: offset, as: UInt8.self) != 0)
        case .string: .string(unsafe String(decoding: file.bytes(in: entry.range), as: UTF8.self))
        case .array:
            entry.array.map { array in
                .array(
                    MetadataArray(
                        elementType: array.elementType, count: array.count, storage: .mapped(file, entry.range)))
            }
        }
    }

    // MARK: - Values that may be absent

    package func optionalString(_ key: String) throws(GGUFError) -> String? {
        guard let index = indexOfKey[ExactText(key)] else { return nil }
        guard entries[index].type == .string else { throw wrongType(key, expected: "string") }
        guard let text = file.text(in: entries[index].range) else { throw .invalidUTF8(key: key) }
        return text
    }

    package func optionalUInt32(_ key: String) throws(GGUFError) -> UInt32? {
        let fitting: UInt32?
        let got: String
        switch value(key) {
        case nil: return nil
        case .uint32(let value): return value
        case .int32(let value): (fitting, got) = (UInt32(exactly: value), "\(value)")
        case .uint64(let value): (fitting, got) = (UInt32(exactly: value), "\(value)")
        default: throw wrongType(key, expected: "u32")
        }
        guard let fitting else { throw .outOfRange(key: key, expected: "0 to \(UInt32.max)", got: got) }
        return fitting
    }

    package func optionalFloat32(_ key: String) throws(GGUFError) -> Float? {
        switch value(key) {
        case nil: nil
        case .float32(let value): value
        default: throw wrongType(key, expected: "f32")
        }
    }

    package func optionalBool(_ key: String) throws(GGUFError) -> Bool? {
        switch value(key) {
        case nil: nil
        case .bool(let value): value
        default: throw wrongType(key, expected: "bool")
        }
    }

    package func optionalStringArray(_ key: String) throws(GGUFError) -> StringArray? {
        guard let value = value(key) else { return nil }
        guard case .array(let array) = value, let strings = array.strings else {
            throw wrongType(key, expected: "array of string")
        }
        return strings
    }

    package func optionalInt32Array(_ key: String) throws(GGUFError) -> [Int32]? {
        try numbers(key)
    }

    func numbers<T: MetadataScalar>(_ key: String) throws(GGUFError) -> [T]? {
        guard let value = value(key) else { return nil }
        guard case .array(let array) = value, let elements = array.elements(as: T.self) else {
            throw wrongType(key, expected: "array of \(T.valueType.name)")
        }
        return elements
    }

    func scalar<T: MetadataScalar>(_ key: String) throws(GGUFError) -> T? {
        guard let index = indexOfKey[ExactText(key)] else { return nil }
        guard entries[index].type == T.valueType else { throw wrongType(key, expected: T.valueType.name) }
        let value: T = file.load(at: entries[index].range.lowerBound)  // not T?, which would be read with its tag
        return value
    }

    // MARK: - Values that must be there

    package func string(_ key: String) throws(GGUFError) -> String {
        try require(optionalString(key), key)
    }

    package func uint32(_ key: String) throws(GGUFError) -> UInt32 {
        try require(optionalUInt32(key), key)
    }

    package func float32(_ key: String) throws(GGUFError) -> Float {
        try require(optionalFloat32(key), key)
    }

    package func bool(_ key: String) throws(GGUFError) -> Bool {
        try require(optionalBool(key), key)
    }

    package func stringArray(_ key: String) throws(GGUFError) -> StringArray {
        try require(optionalStringArray(key), key)
    }

    package func int32Array(_ key: String) throws(GGUFError) -> [Int32] {
        try require(optionalInt32Array(key), key)
    }

    private func require<T>(_ value: T?, _ key: String) throws(GGUFError) -> T {
        guard let value else { throw .missingKey(key) }
        return value
    }

    func wrongType(_ key: String, expected: String) -> GGUFError {
        .wrongType(
            key: key, expected: expected, got: indexOfKey[ExactText(key)].map { entries[$0].typeName } ?? "absent")
    }
}
