// Says in one line what is wrong with a file, where, and what to do about it.
import Q3System

extension GGUFError {
    /// Whether the description says which file it is.
    package var namesItsFile: Bool {
        switch self {
        case .cannotOpen, .notRegularFile, .empty, .cannotMap, .changed, .cannotWrite, .badPart: true
        default: false
        }
    }
}

extension GGUFError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .cannotOpen(let path, let code):
            "cannot open \(path.escapedForTerminal): \(SystemError(code: code))"
        case .notRegularFile(let path):
            "\(path.escapedForTerminal) is not a regular file; give the path of a .gguf file"
        case .empty(let path):
            "\(path.escapedForTerminal) is empty; download it again"
        case .cannotMap(let path, let byteCount, let code):
            "cannot map the \(byteCount) bytes of \(path.escapedForTerminal): \(SystemError(code: code)); "
                + "raise the address space limit (ulimit -v)"
        case .changed(let path):
            "\(path.escapedForTerminal) was changed while in use; load it again"
        case .cannotWrite(let path, let code):
            "cannot write \(path.escapedForTerminal): \(SystemError(code: code))"
        case .notGGUF(let format):
            "not a GGUF file: \(format.rawValue)"
        case .bigEndian:
            "a big-endian GGUF file; only little-endian files are supported, convert the model again without --bigendian"
        case .unsupportedVersion(let version):
            "GGUF version \(version) is not supported, only 2 and 3 are; convert the model again"
        case .truncated(let what, let at, let expected, let available):
            "byte \(at): \(what.escapedForTerminal) needs \(expected) bytes, but the file has \(available) left; "
                + "download it again"
        case .tooMany(let what, let at, let got, let limit):
            "byte \(at): \(what.escapedForTerminal): \(got), but at most \(limit) are supported; the file is damaged"
        case .splitUnsupported(let parts):
            "one of \(parts) parts of a split model, which cannot be used from memory; open it by its path"
        case .badPart(let path, let fault):
            switch fault {
            case .missing(let code):
                "\(path.escapedForTerminal), a part of the model, cannot be opened: \(SystemError(code: code)); "
                    + "put all parts into one folder"
            case .name(let expected):
                "\(path.escapedForTerminal) is a part of a split model, whose other parts are found by name: expected a "
                    + "name that ends in \(expected)"
            case .place:
                "\(path.escapedForTerminal) is not the part that its name says; download it again"
            case .tensorCount(let count, let expected):
                "the parts of \(path.escapedForTerminal) have \(count) tensors, expected \(expected); they do not belong "
                    + "together, download them again"
            case .tensorTwice(let name):
                "\(path.escapedForTerminal) has tensor \(name.escapedForTerminal), which another part has too"
            case .content(let fault):
                "\(path.escapedForTerminal), a part of the model: \(fault)"
            }
        case .badKey(let fault, let at):
            "byte \(at): a metadata key \(fault); the file is damaged"
        case .duplicateKey(let key, let at):
            "byte \(at): metadata key \(key.escapedForTerminal) is there twice; convert the model again"
        case .unknownValueType(let key, let at, let got):
            "byte \(at): metadata key \(key.escapedForTerminal) has unknown type \(got), expected 0 to 12; "
                + "the file is damaged or newer than this program"
        case .nestedArray(let key, let at):
            "byte \(at): metadata key \(key.escapedForTerminal) is an array of arrays, which is not supported"
        case .badBool(let key, let at, let got):
            "byte \(at): metadata key \(key.escapedForTerminal) is a bool with value \(got), expected 0 or 1"
        case .badAlignment(let got):
            "general.alignment is \(got), expected a power of two up to \(HeaderLimits.alignment)"
        case .missingKey(let key):
            "metadata key \(key.escapedForTerminal) is missing; convert the model again with a current converter"
        case .wrongType(let key, let expected, let got):
            "metadata key \(key.escapedForTerminal) is \(got), expected \(expected); convert the model again"
        case .outOfRange(let key, let expected, let got):
            "metadata key \(key.escapedForTerminal) is \(got), expected \(expected); convert the model again"
        case .invalidUTF8(let key):
            "metadata key \(key.escapedForTerminal) holds text that is not UTF-8; convert the model again"
        case .badTensorName(let fault, let at):
            "byte \(at): a tensor name \(fault); the file is damaged"
        case .duplicateTensor(let name, let at):
            "byte \(at): tensor \(name.escapedForTerminal) is there twice; convert the model again"
        case .unknownTensorType(let tensor, let at, let got):
            "byte \(at): tensor \(tensor.escapedForTerminal) has unknown type \(got); "
                + "the file is damaged or newer than this program"
        case .badShape(let tensor, let at, let got):
            "byte \(at): tensor \(tensor.escapedForTerminal) has shape \(got), "
                + "expected 1 to \(TensorInfo.axisLimit) extents above 0"
        case .shapeOverflow(let tensor, let at, let got):
            "byte \(at): tensor \(tensor.escapedForTerminal) has shape \(got), more bytes than a file can have"
        case .rowNotBlockAligned(let tensor, let at, let type, let rowLength):
            "byte \(at): tensor \(tensor.escapedForTerminal) has rows of \(rowLength) values, "
                + "but \(type.name) needs a multiple of \(type.itemsPerBlock)"
        case .badOffset(let tensor, let at, let expected, let got):
            "byte \(at): tensor \(tensor.escapedForTerminal) has data offset \(got), expected \(expected); "
                + "the file is damaged"
        case .outOfFile(let tensor, let offset, let byteCount, let fileByteCount):
            "tensor \(tensor.escapedForTerminal) needs \(byteCount) bytes at byte \(offset), "
                + "but the file ends at \(fileByteCount); download it again"
        case .wrongByteCount(let tensor, let expected, let got):
            "tensor \(tensor.escapedForTerminal) was given \(got) bytes, its shape and type need \(expected)"
        }
    }
}

extension GGUFError.TextFault: CustomStringConvertible {
    public var description: String {
        switch self {
        case .empty: "is empty"
        case .tooLong(let byteCount, let limit): "is \(byteCount) bytes long, at most \(limit) are allowed"
        case .containsNUL: "contains a NUL byte"
        case .notUTF8: "is not UTF-8"
        }
    }
}
