// Writes that are whole and last: short and interrupted writes are continued, names survive a power cut.

/// Writes all bytes at the descriptor's position, or at `offset` of the file. Threads may write different places at the same
/// time where `offset` is given.
package func writeAll(_ bytes: RawSpan, to descriptor: CInt, at offset: Int? = nil) throws(SystemError) {
    var written = 0
    while written < bytes.byteCount {
        let count = unsafe bytes.withUnsafeBytes { buffer in
            let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[written...])
            guard let offset else { return unsafe write(descriptor, rest.baseAddress, rest.count) }
            return unsafe pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + written))
        }
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { throw count < 0 ? .last : SystemError(code: EIO) }
        written += count
    }
}

/// Flushes a file to disk.
package func flush(_ descriptor: CInt) throws(SystemError) {
    guard fsync(descriptor) == 0 else { throw .last }
}

/// Gives a file its new name, replacing an older file. Both names are relative to `folder`, a descriptor.
package func rename(_ name: String, to newName: String, in folder: CInt) throws(SystemError) {
    guard unsafe renameat(folder, name, folder, newName) == 0 else { throw .last }
}

/// Makes the names in the folder of `path` survive a power cut. Not every file system can, and a folder that may be written but
/// not read stays as it is: files in it are whole either way. A relative path starts at `folder`, a descriptor.
package func syncFolder(of path: String, in folder: CInt = AT_FDCWD) {
    let descriptor = unsafe openat(folder, folderPath(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    _ = fsync(descriptor)
    close(descriptor)
}

/// The folder that a path names a file of: "." for a name alone.
func folderPath(of path: String) -> String {
    path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[...$0]) } ?? "."
}
