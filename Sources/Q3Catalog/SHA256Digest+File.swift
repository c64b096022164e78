// The hash of an open model file.
package import Q3GGUF
package import Q3Model
package import Q3System

extension SHA256Digest {
    /// Hashes an open model file, even if its path now names another one. `progress` counts bytes.
    package init(of file: GGUFFile, progress: (Progress) -> Void) throws(GGUFError) {
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
            progress(Progress(completed: offset, total: file.byteCount))
        }
        self.init(hash)
    }
}
