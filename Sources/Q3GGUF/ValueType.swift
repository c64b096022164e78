// The types of metadata values.

/// The type of a metadata value; raw values are the ids in the file.
public enum ValueType: UInt32, Sendable, CaseIterable {
    case uint8 = 0
    case int8 = 1
    case uint16 = 2
    case int16 = 3
    case uint32 = 4
    case int32 = 5
    case float32 = 6
    case bool = 7
    case string = 8
    case array = 9
    case uint64 = 10
    case int64 = 11
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
    static var valueType: ValueType { get }
}

extension UInt8: MetadataScalar { public static var valueType: ValueType { .uint8 } }
extension Int8: MetadataScalar { public static var valueType: ValueType { .int8 } }
extension UInt16: MetadataScalar { public static var valueType: ValueType { .uint16 } }
extension Int16: MetadataScalar { public static var valueType: ValueType { .int16 } }
extension UInt32: MetadataScalar { public static var valueType: ValueType { .uint32 } }
extension Int32: MetadataScalar { public static var valueType: ValueType { .int32 } }
extension Float: MetadataScalar { public static var valueType: ValueType { .float32 } }
extension UInt64: MetadataScalar { public static var valueType: ValueType { .uint64 } }
extension Int64: MetadataScalar { public static var valueType: ValueType { .int64 } }
extension Double: MetadataScalar { public static var valueType: ValueType { .float64 } }

#if _endian(big)
    #error("GGUF files are read in place, which needs a little-endian machine")
#endif
