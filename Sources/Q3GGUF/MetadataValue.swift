// Metadata values: scalars, strings and arrays, as the reader gives them and the writer takes them.

/// A metadata value.
public enum MetadataValue: Sendable, Equatable {
    /// "u8" in messages.
    case uint8(UInt8)
    /// "i8".
    case int8(Int8)
    /// "u16".
    case uint16(UInt16)
    /// "i16".
    case int16(Int16)
    /// "u32", the usual type of counts.
    case uint32(UInt32)
    /// "i32".
    case int32(Int32)
    /// "u64".
    case uint64(UInt64)
    /// "i64".
    case int64(Int64)
    /// "f32".
    case float32(Float)
    /// "f64".
    case float64(Double)
    /// "bool".
    case bool(Bool)
    /// Text; what a file holds that is not UTF-8 is repaired with U+FFFD here.
    case string(String)
    /// Numbers, truth values or strings of one type.
    case array(MetadataArray)

    /// The type that the value has in a file.
    public var type: ValueType {
        switch self {
        case .uint8: .uint8
        case .int8: .int8
        case .uint16: .uint16
        case .int16: .int16
        case .uint32: .uint32
        case .int32: .int32
        case .uint64: .uint64
        case .int64: .int64
        case .float32: .float32
        case .float64: .float64
        case .bool: .bool
        case .string: .string
        case .array: .array
        }
    }

    /// The type for messages, such as "u32" or "array of string".
    var typeName: String {
        if case .array(let array) = self { "array of \(array.elementType.name)" } else { type.name }
    }
}

/// An array value in its encoded form: a view into a mapped file, or bytes of its own.
public struct MetadataArray: Sendable, Equatable {
    /// The type of every element.
    public let elementType: ValueType
    /// Elements.
    public let count: Int
    let storage: Storage

    enum Storage: Sendable {
        case mapped(MappedFile, Range<Int>)
        case owned([UInt8])

        func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
            switch self {
            case .mapped(let file, let range):
                unsafe try body(file.bytes(in: range))
            case .owned(let bytes):
                unsafe try bytes.span.withUnsafeBytes { buffer throws(E) in unsafe try body(buffer) }
            }
        }
    }

    init(elementType: ValueType, count: Int, storage: Storage) {
        self.elementType = elementType
        self.count = count
        self.storage = storage
    }

    /// An array to write.
    public init<T: MetadataScalar>(_ elements: [T]) {
        let bytes = unsafe elements.withUnsafeBytes { unsafe [UInt8]($0) }
        self.init(elementType: T.valueType, count: elements.count, storage: .owned(bytes))
    }

    /// An array of strings to write.
    public init(_ strings: [String]) {
        var bytes: [UInt8] = []
        for string in strings { bytes.appendString(string) }
        self.init(elementType: .string, count: strings.count, storage: .owned(bytes))
    }

    /// Whether two arrays have the same bytes, wherever these are: a NaN equals a NaN of the same bits.
    public static func == (a: MetadataArray, b: MetadataArray) -> Bool {
        guard a.elementType == b.elementType, a.count == b.count else { return false }
        return unsafe a.storage.withBytes { left in unsafe b.storage.withBytes { unsafe left.elementsEqual($0) } }
    }

    /// The elements, nil if the array's elements are of another type.
    public func elements<T: MetadataScalar>(as type: T.Type = T.self) -> [T]? {
        guard elementType == T.valueType else { return nil }
        return unsafe storage.withBytes { bytes in
            unsafe [T](unsafeUninitializedCapacity: count) { buffer, initializedCount in
                unsafe UnsafeMutableRawBufferPointer(buffer).copyMemory(from: bytes)
                initializedCount = count
            }
        }
    }

    /// The elements as strings, nil if they are of another type.
    public var strings: StringArray? { StringArray(self) }
}

extension [UInt8] {
    /// Appends the bytes of a little-endian number.
    mutating func appendScalar<T: MetadataScalar>(_ value: T) {
        unsafe Swift.withUnsafeBytes(of: value) { unsafe append(contentsOf: $0) }
    }

    /// Appends a string as GGUF has it: eight bytes of length, then the text.
    mutating func appendString(_ string: String) {
        appendScalar(UInt64(string.utf8.count))
        append(contentsOf: string.utf8)
    }
}
