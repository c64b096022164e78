// A file that appears under its name only when it is whole.
import Synchronization

/// Writes to a new file beside `path`; `commit` gives that its name. Without `commit` the new file is deleted.
///
/// Each writer's unfinished file has its own name, so that two who write the same file do not mix their bytes, and is locked as
/// long as the writer lives. One that nobody has locked was left by a killed process: the next writer of that file deletes it.
package final class AtomicFile: Sendable {
    package let path: String
    /// The new file's name until it is committed.
    package let partPath: String
    package let descriptor: CInt
    /// The descriptor of the folder that relative paths start at.
    private let folder: CInt
    private let hasItsName = Atomic(false)

    /// Makes an empty file. A relative path starts at `folder`, a descriptor that must stay open. `announcing` is called
    /// with the unfinished file's name before it exists.
    package init(
        path: String, in folder: CInt = AT_FDCWD, announcing: (_ partPath: String) -> Void = { _ in }
    ) throws(SystemError) {
        let names = PartNames(path)
        names.deleteAbandoned(in: folder)
        while true {
            let partPath = names.unique()
            announcing(partPath)
            let descriptor = unsafe openat(
                folder, partPath, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o666)
            if descriptor < 0, errno == EEXIST { continue }
            guard descriptor >= 0 else { throw .last }
            // Where files cannot be locked nobody can take this one for abandoned.
            let isTaken = flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK
            var status = stat()
            // Before it was locked, another writer may have deleted it as abandoned.
            let isNameless = unsafe fstat(descriptor, &status) == 0 && status.st_nlink == 0
            if isTaken || isNameless {
                close(descriptor)
                continue
            }
            self.path = path
            self.partPath = partPath
            self.descriptor = descriptor
            self.folder = folder
            return
        }
    }

    deinit {
        if !hasItsName.load(ordering: .relaxed) { unsafe unlinkat(folder, partPath, 0) }
        close(descriptor)
    }

    /// Cuts the file, or appends zeros.
    package func resize(to byteCount: Int) throws(SystemError) {
        guard ftruncate(descriptor, off_t(byteCount)) == 0 else { throw .last }
    }

    /// Writes bytes after those written so far, or at `offset`. Threads may write different places at the same time.
    package func write(_ bytes: RawSpan, at offset: Int? = nil) throws(SystemError) {
        try writeAll(bytes, to: descriptor, at: offset)
    }

    /// Flushes the bytes to disk, then gives the file its name, replacing an older one, and makes that last.
    package func commit() throws(SystemError) {
        try flush(descriptor)
        try takeName()
        syncFolder(of: path, in: folder)
    }

    /// The middle of `commit`, for a caller who must not be interrupted there; `flush` comes before it and `syncFolder` after.
    package func takeName() throws(SystemError) {
        try rename(partPath, to: path, in: folder)
        hasItsName.store(true, ordering: .relaxed)
    }
}

/// The names of one file's unfinished versions, "model.gguf.q3-93bd5f0a1c2e4d77.part".
private struct PartNames {
    private let folderPath: String
    private let prefix: String
    private static let digitCount = 16
    private static let suffix = ".part"

    init(_ path: String) {
        var name = path.lastPathPart
        folderPath = String(decoding: path.utf8.dropLast(name.utf8.count), as: UTF8.self)
        // File systems take names of 255 bytes: a long name is cut, not refused.
        while name.utf8.count > 255 - ".q3-".utf8.count - Self.digitCount - Self.suffix.utf8.count { name.removeLast() }
        prefix = "\(name).q3-"
    }

    func unique() -> String {
        let number = UInt64.random(in: 1 << 60...UInt64.max)  // 16 digits
        return "\(folderPath)\(prefix)\(String(number, radix: 16))\(Self.suffix)"
    }

    private func contains(_ name: String) -> Bool {
        name.utf8.starts(with: prefix.utf8) && name.hasSuffix(Self.suffix)
            && name.utf8.count == prefix.utf8.count + Self.digitCount + Self.suffix.utf8.count
    }

    /// Deletes the files of processes that were killed before they could.
    func deleteAbandoned(in folder: CInt) {
        let listed = unsafe openat(folder, folderPath.isEmpty ? "." : folderPath, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard listed >= 0 else { return }
        guard let list = unsafe fdopendir(listed) else {
            close(listed)
            return
        }
        defer { unsafe closedir(list) }
        while let entry = unsafe readdir(list) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard contains(name) else { continue }
            let part = unsafe openat(listed, name, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)
            guard part >= 0 else { continue }
            if flock(part, LOCK_EX | LOCK_NB) == 0 { unsafe unlinkat(listed, name, 0) }
            close(part)
        }
    }
}
