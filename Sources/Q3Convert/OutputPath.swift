// Where a model may be written to.
import Q3GGUF

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The path that a file is renamed to: the file behind a symbolic link, so that the link stays one. Throws where that is one of the
/// `inputs`, or no file at all.
func outputPath(_ path: String, inputs: [String]) throws(ConvertError) -> String {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return path }
    for input in inputs {
        var other = stat()
        if unsafe stat(input, &other) == 0, other.st_dev == status.st_dev, other.st_ino == status.st_ino {
            throw .outputIsInput(path: path)
        }
    }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notReplaceable(path: path) }
    guard let resolved = unsafe realpath(path, nil) else { return path }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
}
