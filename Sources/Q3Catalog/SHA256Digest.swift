// A SHA-256 as people write it, and that of a file.
public import Q3GGUF
public import Q3Kernels

/// The hash of a file.
public struct SHA256Digest: Sendable, Hashable, CustomStringConvertible {
    /// 64 hexadecimal digits in lower case.
    public let hex: String

    /// nil if these are not 64 hexadecimal digits, as when a hub gives the 40 of a Git object.
    public init?(hex: String) {
        let digits = hex.lowercased()
        guard digits.utf8.count == 64, digits.utf8.allSatisfy({ 0x30...0x39 ~= $0 || 0x61...0x66 ~= $0 }) else {
            return nil
        }
        self.hex = digits
    }

    /// The hash of what was hashed so far.
    public init(_ hash: SHA256) {
        hex = hash.finish().map { $0 < 16 ? "0\(String($0, radix: 16))" : String($0, radix: 16) }.joined()
    }

    /// Reads an open model file, whatever has its name meanwhile; `progress` is told of the bytes read.
    public init(of file: GGUFFile, progress: (_ byteCount: Int) -> Void) throws(GGUFError) {
        var hash = SHA256()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
        defer { unsafe buffer.deallocate() }
        var offset = 0
        while offset < file.byteCount {
            let count = min(buffer.count, file.byteCount - offset)
            let piece = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
            unsafe try file.read(at: offset, into: piece)
            unsafe hash.update(UnsafeRawBufferPointer(piece))
            offset += count
            progress(offset)
        }
        self.init(hash)
    }

    public var description: String { hex }
}
