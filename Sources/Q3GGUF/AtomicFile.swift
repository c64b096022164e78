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
    /// The new file's name until then.
    let partPath: String
    private let descriptor: CInt
    private var isCommitted = false

    /// The new file has `byteCount` zeros.
    init(path: String, byteCount: Int, announcing: (_ partPath: String) -> Void) throws(GGUFError) {
        // A name of its own for each writer: two that write the same file do not mix their bytes.
        let partPath = "\(path).\(String(UInt64.random(in: 0...UInt64.max), radix: 36)).part"
        announcing(partPath)
        let descriptor = unsafe open(partPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw .cannotWrite(path: path, code: errno) }
        self.path = path
        self.partPath = partPath
        self.descriptor = descriptor
        guard ftruncate(descriptor, off_t(byteCount)) == 0 else { throw .cannotWrite(path: path, code: errno) }
    }

    deinit {
        if !isCommitted {
            close(descriptor)
            unsafe unlink(partPath)
        }
    }

    /// Writes bytes from `offset` on. Threads may write different places at the same time.
    func write(_ bytes: RawSpan, at offset: Int) throws(GGUFError) {
        var written = 0
        while written < bytes.byteCount {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[written...])
                return unsafe pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + written))
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw .cannotWrite(path: path, code: count < 0 ? errno : EIO) }
            written += count
        }
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
