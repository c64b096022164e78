// The model folder, held open so that nothing that happens to its path can lead a write elsewhere.
internal import Q3Catalog
import Q3System

/// A folder in which files are made, renamed and deleted by name. Links in it are never followed.
final class PullFolder: Sendable {
    let path: String
    private let descriptor: CInt

    /// Opens the folder; `creating` makes it and those above it.
    init(_ folder: ModelFolder, creating: Bool) throws(PullError) {
        path = folder.path
        if creating { try Self.make(folder.path) }
        descriptor = unsafe open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw creating ? .cannotCreate(path: folder.path, code: errno) : .absent(path: folder.path)
        }
    }

    deinit { close(descriptor) }

    func file(_ name: String) -> String { ModelFolder(path: path).file(name) }

    private static func make(_ path: String) throws(PullError) {
        var end = path.startIndex
        while end < path.endIndex {
            end = path[path.index(after: end)...].firstIndex(of: "/") ?? path.endIndex
            guard unsafe mkdir(String(path[..<end]), 0o755) != 0, errno != EEXIST else { continue }
            // A folder above that may not be written, or is on a read-only system, may be there all the same.
            let code = errno
            var status = stat()
            guard unsafe stat(String(path[..<end]), &status) == 0 else { throw .cannotCreate(path: path, code: code) }
        }
    }

    /// Whether anybody on this machine may replace files in the folder.
    var isOpenToAll: Bool {
        var status = stat()
        return unsafe fstat(descriptor, &status) == 0 && status.st_mode & 0o002 != 0 && status.st_mode & 0o1000 == 0
    }

    var freeBytes: Int {
        var status = statvfs()
        guard unsafe fstatvfs(descriptor, &status) == 0 else { return .max }
        let (bytes, overflow) = Int(clamping: status.f_bavail).multipliedReportingOverflow(
            by: Int(clamping: status.f_frsize))
        return overflow ? .max : bytes
    }

    /// Whether there is a file of that name. Throws for a link and for anything that is not a file.
    func contains(_ name: String) throws(PullError) -> Bool {
        guard let status = status(of: name) else { return false }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw .notPlain(path: file(name), what: status.st_mode & S_IFMT == S_IFLNK ? "a symbolic link" : "no file")
        }
        return true
    }

    func byteCount(of name: String) -> Int { Int(status(of: name)?.st_size ?? 0) }

    func status(of name: String) -> stat? {
        var status = stat()
        return unsafe fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 ? status : nil
    }

    /// A descriptor of a file, or minus one with errno.
    func opened(_ name: String, _ flags: CInt) -> CInt {
        unsafe openat(descriptor, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0o666)
    }

    func remove(_ name: String) { unsafe unlinkat(descriptor, name, 0) }

    func rename(_ name: String, to newName: String) throws(PullError) {
        do throws(SystemError) {
            try Q3System.rename(name, to: newName, in: descriptor)
        } catch {
            throw .cannotWrite(path: file(newName), code: error.code)
        }
    }

    /// Makes names last through a power cut, where the file system can.
    func sync() { fsync(descriptor) }

    /// Writes a small file, which appears when it is whole.
    func write(_ bytes: [UInt8], to name: String) throws(PullError) {
        let new: AtomicFile
        do throws(SystemError) {
            new = try AtomicFile(path: name, in: descriptor)
        } catch {
            throw .cannotCreate(path: file(name), code: error.code)
        }
        do throws(SystemError) {
            unsafe try new.write(bytes.span.bytes)
            try new.commit()
        } catch {
            throw .cannotWrite(path: file(name), code: error.code)
        }
    }
}

extension SHA256Digest {
    /// Reads a file of the folder.
    init(ofFile name: String, in folder: PullFolder) throws {
        let descriptor = folder.opened(name, O_RDONLY)
        guard descriptor >= 0 else { throw PullError.cannotRead(path: folder.file(name), code: errno) }
        defer { close(descriptor) }
        try self.init(ofDescriptor: descriptor, path: folder.file(name))
    }

    init(ofDescriptor descriptor: CInt, path: String) throws {
        var hash = SHA256()
        unsafe try forEachPiece(of: descriptor, path: path) { unsafe hash.update($0) }
        self.init(hash)
    }
}
