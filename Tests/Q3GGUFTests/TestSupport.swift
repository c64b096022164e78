// Temporary files, and reading all that a file offers.

import FoundationEssentials
import Testing

@testable import Q3GGUF

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A folder that is deleted with its last reference.
final class TemporaryFolder {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "q3-gguf-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path(percentEncoded: false)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Writes a file and returns its path.
    func write(_ bytes: [UInt8], to name: String = "model.gguf") throws -> String {
        let file = "\(path)/\(name)"
        try Data(bytes).write(to: URL(filePath: file))
        return file
    }

    var fileNames: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
    }
}

/// One file whose content a test replaces thousands of times; rewriting in place is a hundred times as fast as new files.
final class ScratchFile {
    private let folder: TemporaryFolder
    private let path: String
    private let handle: CInt

    init() throws {
        folder = try TemporaryFolder()
        path = try folder.write([])
        handle = unsafe open(path, O_RDWR | O_CLOEXEC)
    }

    deinit {
        close(handle)
    }

    /// The error that opening a file of these bytes throws, nil if it opens.
    func errorOfOpening(_ bytes: [UInt8]) throws -> GGUFError? {
        try #require(ftruncate(handle, off_t(bytes.count)) == 0)
        try #require(unsafe pwrite(handle, bytes, bytes.count, 0) == bytes.count)
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
        unsafe array.strings?.forEach { _, bytes in sum &+= unsafe byteSum(bytes) }
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

/// A small generator with a seed (xorshift64*), so that a failure can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    }

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }
}
