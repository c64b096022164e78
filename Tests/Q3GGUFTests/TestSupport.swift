// Temporary files, and reading all that a file offers.

import FoundationEssentials
import Q3System
import TestSupport
import Testing

@testable import Q3GGUF

extension TemporaryFolder {
    func write(_ bytes: [UInt8]) throws -> String { try write("model.gguf", bytes) }
}

extension ScratchFile {
    /// The error that opening a file of these bytes throws, nil if it opens.
    func errorOfOpening(_ bytes: [UInt8]) -> GGUFError? {
        replace(with: bytes)
        do throws(GGUFError) {
            touchEverything(of: try GGUFFile(path: path))
            return nil
        } catch {
            return error
        }
    }
}

/// Opens a file of these bytes; the file itself is deleted at once, its map lives on.
func openFile(_ bytes: [UInt8]) throws -> GGUFFile {
    let folder = try TemporaryFolder()
    return try GGUFFile(path: folder.write(bytes))
}

/// The error that opening such a file throws, nil if it opens.
func errorOfOpening(_ bytes: [UInt8]) throws -> GGUFError? {
    try ScratchFile().errorOfOpening(bytes)
}

/// Reads every value and every tensor byte, so that a wrong place shows up as a crash; returns a sum of the bytes.
@discardableResult
func touchEverything(of file: GGUFFile) -> Int {
    var sum = 0
    for key in file.metadata.keys {
        guard case .array(let array) = file.metadata.value(key) else { continue }
        unsafe array.strings?.forEachBytes { _, bytes in sum &+= unsafe byteSum(bytes) }
        sum &+= array.elements(as: UInt8.self)?.count ?? 0
    }
    for tensor in file.tensors { sum &+= unsafe byteSum(file.bytes(of: tensor)) }
    return sum
}

private func byteSum(_ bytes: UnsafeRawBufferPointer) -> Int {
    unsafe bytes.reduce(0) { $0 &+ Int($1) }
}

extension GGUFError {
    /// The name of the case, such as "badShape".
    var caseName: String {
        Mirror(reflecting: self).children.first?.label ?? "bigEndian"  // the one case without values
    }
}
