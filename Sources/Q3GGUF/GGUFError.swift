// Everything that can be wrong with a GGUF file, with the numbers that show it.

/// Why a file could not be read or written.
///
/// `at` is a byte offset in the file, existing or to be written. Strings are as they stand in the file; `description`
/// escapes what a terminal would act on. Errors about content do not name the file: whoever opened it knows the path.
public enum GGUFError: Error, Sendable, Equatable {
    // The file as the system sees it; `code` is the value of errno.
    case cannotOpen(path: String, code: Int32)
    case notRegularFile(path: String)
    case empty(path: String)
    case cannotMap(path: String, byteCount: Int, code: Int32)
    case changed(path: String)
    case cannotWrite(path: String, code: Int32)

    // Header.
    case notGGUF(ForeignFormat)
    case bigEndian
    case unsupportedVersion(UInt32)
    /// A value that needs `wanted` bytes begins where only `available` are left.
    case truncated(what: String, at: Int, wanted: UInt64, available: Int)
    case tooMany(what: String, at: Int, got: UInt64, limit: Int)
    case splitUnsupported(parts: UInt16)

    // Metadata.
    case badKey(TextFault, at: Int)
    case duplicateKey(String, at: Int)
    case unknownValueType(key: String, at: Int, got: UInt32)
    case nestedArray(key: String, at: Int)
    case badBool(key: String, at: Int, got: UInt8)
    case badAlignment(got: UInt32)
    case missingKey(String)
    case wrongType(key: String, wanted: String, got: String)
    case outOfRange(key: String, wanted: String, got: String)
    case invalidUTF8(key: String)

    // Tensor table.
    case badTensorName(TextFault, at: Int)
    case duplicateTensor(String, at: Int)
    case unknownTensorType(tensor: String, at: Int, got: UInt32)
    case badShape(tensor: String, at: Int, got: [UInt64])
    case shapeOverflow(tensor: String, at: Int, got: [UInt64])
    case rowNotBlockAligned(tensor: String, at: Int, type: TensorType, rowLength: Int)
    /// Offsets count from the start of the tensor data and must run on without gap or overlap.
    case badOffset(tensor: String, at: Int, wanted: Int, got: UInt64)
    /// The data of the tensor would end beyond the file.
    case outOfFile(tensor: String, offset: Int, byteCount: Int, fileByteCount: Int)

    /// The writer was given other bytes than the shape asks for.
    case wrongByteCount(tensor: String, wanted: Int, got: Int)

    /// What is wrong with a key or a tensor's name.
    public enum TextFault: Sendable, Equatable {
        case empty
        case tooLong(byteCount: Int, limit: Int)
        case containsNUL
        case notUTF8

        /// The fault of a name of at most `limit` bytes, nil if it has none.
        init?(in name: String, limit: Int) {
            let byteCount = name.utf8.count
            if byteCount == 0 {
                self = .empty
            } else if byteCount > limit {
                self = .tooLong(byteCount: byteCount, limit: limit)
            } else if name.utf8.contains(0) {
                self = .containsNUL
            } else {
                return nil
            }
        }
    }
}
