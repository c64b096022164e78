// Which file a path leads to.

/// The path of the file that symbolic links lead to, so that a file written in its place leaves the links as they are; `path`
/// itself where nothing is there.
package func resolvingLinks(_ path: String) -> String {
    guard let resolved = unsafe realpath(path, nil) else { return path }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
}

/// Whether the file of this status is the one at `path`, under whatever name.
package func isSameFile(_ status: stat, as path: String) -> Bool {
    var other = stat()
    return unsafe stat(path, &other) == 0 && other.st_dev == status.st_dev && other.st_ino == status.st_ino
}
