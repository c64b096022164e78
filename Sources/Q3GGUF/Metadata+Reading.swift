// Reads the metadata pairs of a file into a table of where their values are.
import Q3System

extension Metadata {
    /// Reads `count` pairs from the front of `cursor`.
    init(reading cursor: inout ByteCursor, count: Int) throws(GGUFError) {
        var entries: [Entry] = []
        var indexOfKey: [ExactText: Int] = [:]
        for index in 0..<count {
            let position = cursor.offset
            let key = try cursor.name(
                "metadata key number \(index + 1)", limit: HeaderLimits.keyByteCount, complaint: GGUFError.badKey)
            guard indexOfKey.updateValue(index, forKey: ExactText(key)) == nil else {
                throw .duplicateKey(key, at: position)
            }
            entries.append(try Entry(reading: &cursor, key: key))
        }
        self.init(file: cursor.file, entries: entries, indexOfKey: indexOfKey)
    }
}

extension Metadata.Entry {
    fileprivate init(reading cursor: inout ByteCursor, key: String) throws(GGUFError) {
        self.key = key
        type = try cursor.valueType(of: key)
        switch type {
        case .array:
            (array, range) = try cursor.array(of: key)
        case .string:
            (array, range) = (nil, try cursor.string("the value of \(key)"))
        case .bool:
            (array, range) = (nil, try cursor.take(1, "the value of \(key)"))
            let value: UInt8 = cursor.file.load(at: range.lowerBound)
            guard value <= 1 else { throw .badBool(key: key, at: range.lowerBound, got: value) }
        default:
            (array, range) = (nil, try cursor.take(UInt64(type.byteCount ?? 0), "the value of \(key)"))
        }
    }
}

extension ByteCursor {
    fileprivate mutating func valueType(of key: String) throws(GGUFError) -> ValueType {
        let start = offset
        let id: UInt32 = try scalar("the type of \(key)")
        guard let type = ValueType(rawValue: id) else { throw .unknownValueType(key: key, at: start, got: id) }
        return type
    }

    /// Element type, count and place of an array. Arrays of arrays are refused, not walked: no model has them, and
    /// their depth would be the file's to choose.
    fileprivate mutating func array(
        of key: String
    ) throws(GGUFError) -> (array: (elementType: ValueType, count: Int), range: Range<Int>) {
        let start = offset
        let elementType = try valueType(of: key)
        guard elementType != .array else { throw .nestedArray(key: key, at: start) }
        let count = try count("the number of elements of \(key)", limit: HeaderLimits.arrayCount(of: key))
        // A string takes eight bytes at least, so a count that the file cannot hold is refused before the walk.
        let byteCount = count.checkedMultiplied(by: elementType.byteCount ?? 8)
        guard let byteCount, byteCount <= remaining else {
            throw .truncated(
                what: "the array \(key)", at: offset, expected: UInt64(byteCount ?? .max), available: remaining)
        }
        let range =
            elementType == .string
            ? try strings(count, "a string of \(key)") : try take(UInt64(byteCount), "the array \(key)")
        return ((elementType, count), range)
    }
}

// MARK: - The two keys that the container itself obeys

extension Metadata {
    /// Alignment of tensor data in bytes.
    func alignment() throws(GGUFError) -> Int {
        guard let value = value(Self.alignmentKey) else { return Self.defaultAlignment }
        return try Self.alignment(from: value)
    }

    static let alignmentKey = "general.alignment"
    static let defaultAlignment = 32

    static func alignment(from value: MetadataValue) throws(GGUFError) -> Int {
        guard case .uint32(let alignment) = value else {
            throw .wrongType(key: alignmentKey, expected: ValueType.uint32.name, got: value.typeName)
        }
        guard alignment.nonzeroBitCount == 1, alignment <= HeaderLimits.alignment else {
            throw .badAlignment(got: alignment)
        }
        return Int(alignment)
    }
}
