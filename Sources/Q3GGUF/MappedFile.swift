// A model's bytes read-only in memory: a file mapped or copied, or what is there already. The only place that opens a model file.
import Q3System

/// A file's bytes: mapped, they are paged in on first touch and shared with every process that maps the same file; copied,
/// nothing that happens to the file touches them.
@safe package final class MappedFile: Sendable {
    package let path: String
    package let byteCount: Int
    private let source: Source?
    private nonisolated(unsafe) let base: UnsafeRawPointer

    /// The open file that the bytes come from.
    private struct Source {
        let descriptor: CInt
        let identity: Identity
        let isCopy: Bool
    }

    /// What shows that a file is still the one that was opened.
    private struct Identity: Equatable {
        let device: UInt64
        let inode: UInt64
        let byteCount: Int
        let modifiedSeconds: Int
        let modifiedNanoseconds: Int

        init(_ status: stat) {
            device = UInt64(truncatingIfNeeded: status.st_dev)
            inode = UInt64(status.st_ino)
            byteCount = Int(status.st_size)
            #if canImport(Darwin)
            let modified = status.st_mtimespec
            #else
            let modified = status.st_mtim
            #endif
            modifiedSeconds = Int(modified.tv_sec)
            modifiedNanoseconds = Int(modified.tv_nsec)
        }
    }

    /// Opens a regular file that is not empty, and maps it or reads all of it. Without O_NONBLOCK opening a FIFO would wait
    /// for a writer.
    package init(path: String, copying: Bool) throws(GGUFError) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .cannotOpen(path: path, code: errno) }
        var isKept = false
        defer { if !isKept { close(descriptor) } }

        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw .cannotOpen(path: path, code: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegularFile(path: path) }
        let identity = Identity(status)
        guard identity.byteCount > 0 else { throw .empty(path: path) }
        let mapping =
            copying
            ? unsafe mmap(nil, identity.byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0)
            : unsafe mmap(nil, identity.byteCount, PROT_READ, MAP_PRIVATE, descriptor, 0)
        guard let base = unsafe mapping, unsafe base != MAP_FAILED else {
            throw .cannotMap(path: path, byteCount: identity.byteCount, code: errno)
        }
        defer { if !isKept { unsafe munmap(base, identity.byteCount) } }
        if copying {
            let memory = unsafe UnsafeMutableRawBufferPointer(start: base, count: identity.byteCount)
            unsafe try Self.read(descriptor, at: 0, into: memory, path: path)
            guard unsafe fstat(descriptor, &status) == 0, Identity(status) == identity else {
                throw .changed(path: path)
            }
        }
        isKept = true
        self.path = path
        self.byteCount = identity.byteCount
        source = Source(descriptor: descriptor, identity: identity, isCopy: copying)
        unsafe self.base = UnsafeRawPointer(base)
    }

    /// Uses bytes that stay as they are while the process lives; `name` stands where a file has its path.
    @unsafe init(immortal bytes: UnsafeRawBufferPointer, name: String) throws(GGUFError) {
        guard let base = bytes.baseAddress, unsafe !bytes.isEmpty else { throw .empty(path: name) }
        path = name
        byteCount = bytes.count
        source = nil
        unsafe self.base = unsafe base
    }

    private static func read(
        _ descriptor: CInt, at offset: Int, into memory: UnsafeMutableRawBufferPointer, path: String
    ) throws(GGUFError) {
        var done = 0
        while done < memory.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[done...])
            let count = unsafe pread(descriptor, rest.baseAddress, min(rest.count, 1 << 30), off_t(offset + done))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .cannotOpen(path: path, code: errno) }
            guard count > 0 else { throw .changed(path: path) }
            done += count
        }
    }

    /// Copies the bytes from `offset` on. Unlike the map that costs no memory but the copy's, however large the file.
    @unsafe package func read(at offset: Int, into memory: UnsafeMutableRawBufferPointer) throws(GGUFError) {
        if let source {
            unsafe try Self.read(source.descriptor, at: offset, into: memory, path: path)
        } else {
            unsafe memory.copyMemory(from: bytes(in: offset..<offset + memory.count))
        }
    }

    deinit {
        guard let source else { return }
        unsafe munmap(UnsafeMutableRawPointer(mutating: base), byteCount)
        close(source.descriptor)
    }

    /// All bytes; valid while the file lives.
    @unsafe package var bytes: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(start: base, count: byteCount) }

    /// The bytes of a range inside the file; valid while the file lives.
    @unsafe package func bytes(in range: Range<Int>) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(rebasing: bytes[range])
    }

    /// A value at any offset inside the file, aligned or not.
    func load<T: BitwiseCopyable>(at offset: Int, as type: T.Type = T.self) -> T {
        unsafe bytes.loadUnaligned(fromByteOffset: offset, as: type)
    }

    /// The text in a range inside the file, nil if it is not UTF-8.
    func text(in range: Range<Int>) -> String? {
        unsafe String(validating: bytes(in: range), as: UTF8.self)
    }

    /// Throws `changed` when the file was cut, grown or written since it was opened: pages past a new end raise SIGBUS,
    /// the rest of the last page reads as zeros. A file that was replaced or deleted by name stays whole under its map.
    package func checkUnchanged() throws(GGUFError) {
        guard let source, !source.isCopy else { return }
        var status = stat()
        guard unsafe fstat(source.descriptor, &status) == 0 else { throw .cannotOpen(path: path, code: errno) }
        guard Identity(status) == source.identity else { throw .changed(path: path) }
    }
}
