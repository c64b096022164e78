// A file that appears under its name only when it is whole.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Writes to a new file beside `path`; `commit` puts it there. Without `commit` the new file is deleted.
final class AtomicFile {
    private let path: String
    private let partPath: String
    private let descriptor: CInt
    private var byteCount = 0
    private var isCommitted = false

    init(path: String) throws(GGUFError) {
        // A name of its own for each writer: two that write the same file do not mix their bytes.
        let partPath = "\(path).\(String(UInt64.random(in: 0...UInt64.max), radix: 36)).part"
        let descriptor = unsafe open(partPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw .cannotWrite(path: path, code: errno) }
        self.path = path
        self.partPath = partPath
        self.descriptor = descriptor
    }

    deinit {
        if !isCommitted {
            close(descriptor)
            unsafe unlink(partPath)
        }
    }

    func write(_ bytes: [UInt8]) throws(GGUFError) {
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe posixWrite(descriptor, UnsafeRawBufferPointer(rebasing: buffer[written...]))
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw .cannotWrite(path: path, code: count < 0 ? errno : EIO) }
            written += count
        }
        byteCount += written
    }

    /// Writes zeros up to the next multiple of `alignment`, a power of two.
    func pad(to alignment: Int) throws(GGUFError) {
        try write([UInt8](repeating: 0, count: -byteCount & (alignment - 1)))
    }

    /// Brings the bytes to disk, then gives the file its name, replacing an older one.
    func commit() throws(GGUFError) {
        guard fsync(descriptor) == 0 else { throw .cannotWrite(path: path, code: errno) }
        guard unsafe rename(partPath, path) == 0 else { throw .cannotWrite(path: path, code: errno) }
        isCommitted = true
        let closeCode = close(descriptor) == 0 ? 0 : errno
        guard closeCode == 0 else { throw .cannotWrite(path: path, code: closeCode) }
        syncFolder()
    }

    /// Makes the new name last through a power cut. Not every file system can; the file itself is whole either way.
    private func syncFolder() {
        let folder = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[...$0]) } ?? "."
        let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        _ = fsync(descriptor)
        close(descriptor)
    }
}

private func posixWrite(_ descriptor: CInt, _ bytes: UnsafeRawBufferPointer) -> Int {
    unsafe write(descriptor, bytes.baseAddress, bytes.count)
}
