// Which file a path leads to.

/// The path of the file that symbolic links lead to, so that a file written in its place leaves the links as they are; `path`
/// itself where nothing is there, and where a folder above has a name that is not UTF-8, which a `String` cannot hold. Nil for a
/// link to a file of such a name.
package func resolvingLinks(_ path: String) -> String? {
    guard let resolved = unsafe realpath(path, nil) else { return path }
    defer { unsafe free(resolved) }
    if let resolved = unsafe String(validatingCString: resolved) { return resolved }
    var status = stat()
    return unsafe lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK ? nil : path
}

/// Whether the file of this status is the one at `path`, under whatever name.
package func isSameFile(_ status: stat, as path: String) -> Bool {
    var other = stat()
    return unsafe stat(path, &other) == 0 && other.st_dev == status.st_dev && other.st_ino == status.st_ino
}
