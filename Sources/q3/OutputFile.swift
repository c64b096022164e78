// Where output goes: stdout, or a file that appears under its name only when it is complete.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Output of a command. Opening it before the model is loaded finds an unwritable place before any work is done.
final class OutputFile {
    private let descriptor: CInt
    private let path: String?
    /// The file being written, which takes the place of `path` at the end; nil where there is nothing to replace, as
    /// with stdout and devices.
    private let temporaryPath: String?

    /// Opens a file, or takes stdout for a nil path or "-". `inputs` are files that must not be overwritten.
    init(path: String?, inputs: [String?]) throws {
        guard let path, path != "-" else {
            (descriptor, self.path, temporaryPath) = (1, nil, nil)
            return
        }
        var status = stat()
        let exists = unsafe stat(path, &status) == 0
        let isRegular = status.st_mode & S_IFMT == S_IFREG
        if exists {
            for input in inputs.compactMap({ $0 }) {
                var other = stat()
                if unsafe stat(input, &other) == 0, other.st_dev == status.st_dev, other.st_ino == status.st_ino {
                    throw Failure(.usage, "\(path) is an input of this command; give another --output")
                }
            }
        }
        let target = exists ? Self.resolved(path) : path
        let temporary = exists && !isRegular ? nil : "\(target).\(getpid()).part"
        self.path = target
        temporaryPath = temporary
        descriptor = try Interruption.deferred { unfinished throws(Failure) in
            let flags = temporary == nil ? O_WRONLY : O_WRONLY | O_CREAT | O_EXCL
            let descriptor = unsafe open(temporary ?? target, flags | O_CLOEXEC, 0o666)
            guard descriptor >= 0 else { throw Failure(.cannotCreate, "cannot create \(path)", errno: errno) }
            unfinished = temporary
            return descriptor
        }
    }

    deinit {
        if let temporaryPath {
            Interruption.deferred { unfinished in
                if unfinished != nil { unsafe unlink(temporaryPath) }
                unfinished = nil
            }
        }
        if descriptor > 1 { close(descriptor) }
    }

    /// Whether bytes already written can be replaced.
    var canPatch: Bool { temporaryPath != nil }

    /// Writes all bytes; a signal waits for the last of them, so that no record is cut.
    func write(_ bytes: [UInt8]) throws {
        try check(Interruption.deferred { _ in Terminal.writeAll(bytes, to: descriptor) })
    }

    /// Replaces bytes at the start of the file.
    func patchStart(_ bytes: [UInt8]) throws {
        let count = unsafe bytes.withUnsafeBytes { unsafe pwrite(descriptor, $0.baseAddress, $0.count, 0) }
        try check(count == bytes.count ? 0 : count < 0 ? errno : EIO)
    }

    /// Puts the file in its place. What it holds reaches the disk before its name does.
    func finish() throws {
        guard let temporaryPath, let path else { return }
        try check(fsync(descriptor) == 0 ? 0 : errno)
        try check(
            Interruption.deferred { unfinished in
                guard unsafe rename(temporaryPath, path) == 0 else { return errno }
                unfinished = nil
                return 0
            })
        let directory = unsafe open(Self.directory(of: path), O_RDONLY | O_CLOEXEC)
        guard directory >= 0 else { return }  // a folder that may be written but not read keeps its entry all the same
        fsync(directory)
        close(directory)
    }

    private func check(_ code: CInt) throws {
        guard code != 0 else { return }
        guard code != EPIPE else { throw Failure(.brokenPipe, nil) }
        throw Failure(.inputOutput, "cannot write \(path ?? "stdout")", errno: code)
    }

    /// The file behind symbolic links, which stay links to the new content.
    private static func resolved(_ path: String) -> String {
        guard let resolved = unsafe realpath(path, nil) else { return path }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }

    private static func directory(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
