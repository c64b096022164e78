// Everything that can be wrong with a GGUF file, with the numbers that show it.

/// Why a file could not be read or written.
///
/// `at` is a byte offset in the file, existing or to be written. Strings are as they stand in the file; `description`
/// escapes what a terminal would act on. Errors about content do not name the file, since its opener knows the path.
public enum GGUFError: Error, Sendable, Equatable {
    // The file as the system sees it; `code` is the value of errno.
    /// `open`, `fstat` or `read` failed.
    case cannotOpen(path: String, code: Int32)
    /// A folder, a device or a FIFO.
    case notRegularFile(path: String)
    /// A file of no bytes.
    case empty(path: String)
    /// `mmap` failed, or there is not enough memory for a copy.
    case cannotMap(path: String, byteCount: Int, code: Int32)
    /// The file was written or cut after it was opened.
    case changed(path: String)
    /// The file cannot be made, written or renamed.
    case cannotWrite(path: String, code: Int32)

    // Header.
    /// The first four bytes are not "GGUF".
    case notGGUF(ForeignFormat)
    /// A file for big-endian machines.
    case bigEndian
    /// A version of the container other than 2 and 3.
    case unsupportedVersion(UInt32)
    /// A value that needs `expected` bytes begins where only `available` are left.
    case truncated(what: String, at: Int, expected: UInt64, available: Int)
    /// A count beyond what any model has.
    case tooMany(what: String, at: Int, got: UInt64, limit: Int)
    /// A part of a split model where only whole models can be: in memory.
    case splitUnsupported(parts: UInt16)
    /// A part of a split model that is missing, or does not belong to the others.
    case badPart(path: String, PartFault)

    // Metadata.
    /// A key that breaks the rules of the format.
    case badKey(TextFault, at: Int)
    /// A key that is there twice.
    case duplicateKey(String, at: Int)
    /// A type id that is not in the format.
    case unknownValueType(key: String, at: Int, got: UInt32)
    /// An array of arrays, which no model has.
    case nestedArray(key: String, at: Int)
    /// A truth value other than 0 and 1.
    case badBool(key: String, at: Int, got: UInt8)
    /// An alignment that is not a power of two, or larger than any file has.
    case badAlignment(got: UInt32)
    /// A key that must be there is not.
    case missingKey(String)
    /// A value of another type than was asked for.
    case wrongType(key: String, expected: String, got: String)
    /// A value outside what the key can mean.
    case outOfRange(key: String, expected: String, got: String)
    /// Text that is not UTF-8.
    case invalidUTF8(key: String)

    // Tensor table.
    /// A name that breaks the rules of the format.
    case badTensorName(TextFault, at: Int)
    /// A name that is there twice.
    case duplicateTensor(String, at: Int)
    /// A type id that is not in the format.
    case unknownTensorType(tensor: String, at: Int, got: UInt32)
    /// No axis, more than four, or an extent of 0.
    case badShape(tensor: String, at: Int, got: [UInt64])
    /// More bytes than a file can have.
    case shapeOverflow(tensor: String, at: Int, got: [UInt64])
    /// Rows whose length is not a multiple of the type's block.
    case rowNotBlockAligned(tensor: String, at: Int, type: TensorType, rowLength: Int)
    /// Offsets count from the start of the tensor data and must run on without gap or overlap.
    case badOffset(tensor: String, at: Int, expected: Int, got: UInt64)
    /// The data of the tensor would end beyond the file.
    case outOfFile(tensor: String, offset: Int, byteCount: Int, fileByteCount: Int)

    /// The writer was given other bytes than the shape asks for.
    case wrongByteCount(tensor: String, expected: Int, got: Int)

    /// What is wrong with a key or a tensor's name.
    public enum TextFault: Sendable, Equatable {
        /// No text at all.
        case empty
        /// More bytes than the format allows.
        case tooLong(byteCount: Int, limit: Int)
        /// A zero byte, which ends a C string.
        case containsNUL
        /// Bytes that are not UTF-8.
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

extension GGUFError {
    /// What is wrong with a part of a split model.
    public enum PartFault: Sendable, Equatable {
        /// It cannot be opened; the value of errno.
        case missing(code: Int32)
        /// The file's name does not end as its metadata says.
        case name(expected: String)
        /// Another part has this number, or the parts are of different models.
        case place
        /// All parts together have another number of tensors than the metadata says.
        case tensorCount(Int, expected: Int)
        /// A tensor that another part has too.
        case tensorTwice(String)
        /// The part is not a GGUF file that can be read; the error in words.
        case content(String)
    }
}
