// The types of metadata values.

/// The type of a metadata value; raw values are the ids in the file.
public enum ValueType: UInt32, Sendable, CaseIterable {
    /// An 8-bit number without sign.
    case uint8 = 0
    /// An 8-bit number.
    case int8 = 1
    /// A 16-bit number without sign.
    case uint16 = 2
    /// A 16-bit number.
    case int16 = 3
    /// A 32-bit number without sign.
    case uint32 = 4
    /// A 32-bit number.
    case int32 = 5
    /// A 32-bit IEEE 754 number.
    case float32 = 6
    /// One byte, 0 or 1.
    case bool = 7
    /// Eight bytes of length, then the text, UTF-8.
    case string = 8
    /// The type and the number of elements, then these.
    case array = 9
    /// A 64-bit number without sign.
    case uint64 = 10
    /// A 64-bit number.
    case int64 = 11
    /// A 64-bit IEEE 754 number.
    case float64 = 12

    /// Bytes of one value, nil where each value has its own length.
    var byteCount: Int? {
        switch self {
        case .uint8, .int8, .bool: 1
        case .uint16, .int16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64: 8
        case .string, .array: nil
        }
    }

    /// Short name for messages, such as "u32".
    public var name: String {
        switch self {
        case .uint8: "u8"
        case .int8: "i8"
        case .uint16: "u16"
        case .int16: "i16"
        case .uint32: "u32"
        case .int32: "i32"
        case .float32: "f32"
        case .bool: "bool"
        case .string: "string"
        case .array: "array"
        case .uint64: "u64"
        case .int64: "i64"
        case .float64: "f64"
        }
    }
}

/// A Swift type whose bytes in memory are a metadata value's bytes in the file (both little-endian).
public protocol MetadataScalar: BitwiseCopyable, Sendable {
    /// The type that such a value has in a file.
    static var valueType: ValueType { get }
}

extension UInt8: MetadataScalar {
    /// "u8" in messages.
    public static var valueType: ValueType { .uint8 }
}

extension Int8: MetadataScalar {
    /// "i8" in messages.
    public static var valueType: ValueType { .int8 }
}

extension UInt16: MetadataScalar {
    /// "u16" in messages.
    public static var valueType: ValueType { .uint16 }
}

extension Int16: MetadataScalar {
    /// "i16" in messages.
    public static var valueType: ValueType { .int16 }
}

extension UInt32: MetadataScalar {
    /// "u32" in messages.
    public static var valueType: ValueType { .uint32 }
}

extension Int32: MetadataScalar {
    /// "i32" in messages.
    public static var valueType: ValueType { .int32 }
}

extension Float: MetadataScalar {
    /// "f32" in messages.
    public static var valueType: ValueType { .float32 }
}

extension UInt64: MetadataScalar {
    /// "u64" in messages.
    public static var valueType: ValueType { .uint64 }
}

extension Int64: MetadataScalar {
    /// "i64" in messages.
    public static var valueType: ValueType { .int64 }
}

extension Double: MetadataScalar {
    /// "f64" in messages.
    public static var valueType: ValueType { .float64 }
}

#if _endian(big)
#error("GGUF files are read in place, which needs a little-endian machine")
#endif
