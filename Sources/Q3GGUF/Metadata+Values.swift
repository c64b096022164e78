// Metadata as Swift values: the type that is asked for is the type that the file must have.

/// A Swift type that a metadata value can be read as: numbers, `Bool`, `String`, `StringArray` and arrays of numbers.
public protocol MetadataConvertible: Sendable {
    /// The value of a key, or nil if the key is absent. Throws `GGUFError.wrongType` for a value of another type.
    static func value(_ key: String, of metadata: Metadata) throws(GGUFError) -> Self?
}

extension Metadata {
    /// The value of a key, or nil if the key is absent.
    ///
    /// Throws `GGUFError.wrongType` for a value of another type, `outOfRange` for an `i32` or `u64` that is not a `UInt32`,
    /// and `invalidUTF8` for text that is not UTF-8.
    public func value<T: MetadataConvertible>(_ key: String, as type: T.Type = T.self) throws(GGUFError) -> T? {
        try T.value(key, of: self)
    }

    /// The value of a key that must be there: throws `GGUFError.missingKey`, or what `value` throws.
    public func required<T: MetadataConvertible>(_ key: String, as type: T.Type = T.self) throws(GGUFError) -> T {
        guard let value = try T.value(key, of: self) else { throw .missingKey(key) }
        return value
    }
}

extension Metadata: Sequence {
    /// The pairs in file order. Text that is not UTF-8 is repaired with U+FFFD, as in `value(_:)`.
    public func makeIterator() -> some IteratorProtocol<(key: String, value: MetadataValue)> {
        keys.lazy.compactMap { key in value(key).map { (key: key, value: $0) } }.makeIterator()
    }
}

extension MetadataConvertible where Self: MetadataScalar {
    /// The number of a key, or nil if the key is absent. Throws `GGUFError.wrongType` for a value of another type.
    public static func value(_ key: String, of metadata: Metadata) throws(GGUFError) -> Self? {
        try metadata.scalar(key)
    }
}

extension UInt8: MetadataConvertible {}
extension Int8: MetadataConvertible {}
extension UInt16: MetadataConvertible {}
extension Int16: MetadataConvertible {}
extension Int32: MetadataConvertible {}
extension UInt64: MetadataConvertible {}
extension Int64: MetadataConvertible {}
extension Float: MetadataConvertible {}
extension Double: MetadataConvertible {}

extension UInt32: MetadataConvertible {
    /// The number of a key, also of type `i32` or `u64` if it fits; nil if there is no such key.
    public static func value(_ key: String, of metadata: Metadata) throws(GGUFError) -> UInt32? {
        try metadata.optionalUInt32(key)
    }
}

extension Bool: MetadataConvertible {
    /// The truth value of a key, or nil if the key is absent.
    public static func value(_ key: String, of metadata: Metadata) throws(GGUFError) -> Bool? {
        try metadata.optionalBool(key)
    }
}

extension String: MetadataConvertible {
    /// The text of a key, or nil if the key is absent. Throws `GGUFError.invalidUTF8` for bytes that are not UTF-8.
    public static func value(_ key: String, of metadata: Metadata) throws(GGUFError) -> String? {
        try metadata.optionalString(key)
    }
}

extension StringArray: MetadataConvertible {
    /// The strings of a key in place, nil if there is no such key.
    public static func value(_ key: String, of metadata: Metadata) throws(GGUFError) -> StringArray? {
        try metadata.optionalStringArray(key)
    }
}

extension Array: MetadataConvertible where Element: MetadataScalar {
    /// A copy of the numbers of a key, or nil if the key is absent.
    public static func value(_ key: String, of metadata: Metadata) throws(GGUFError) -> [Element]? {
        try metadata.numbers(key)
    }
}
