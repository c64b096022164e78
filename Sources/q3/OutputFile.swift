// Where output goes: stdout, or a file that appears under its name only when it is complete.
import Q3System

/// Output of a command. Opening it before the model is loaded finds an unwritable place before any work is done.
final class OutputFile {
    private let descriptor: CInt
    private let path: String?
    /// The file that takes the place of `path` at the end; nil where there is nothing to replace, as with stdout and devices.
    private var file: AtomicFile?

    /// Opens a file, or takes stdout for a nil path or "-". `inputs` are files that must not be overwritten.
    init(path: String?, inputs: [String?]) throws {
        guard let path, path != "-" else {
            (descriptor, self.path) = (1, nil)
            return
        }
        try OutputPlace.check(path)
        var status = stat()
        let exists = unsafe stat(path, &status) == 0
        if exists, inputs.contains(where: { input in input.map { isSameFile(status, as: $0) } ?? false }) {
            throw Failure(.usage, "\(path) is an input of this command; give another --output")
        }
        let target = resolvingLinks(path) ?? path  // OutputPlace let it pass
        self.path = target
        guard !exists || status.st_mode & S_IFMT == S_IFREG else {
            descriptor = unsafe open(target, O_WRONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw Self.cannotCreate(path, .last) }
            return
        }
        let file = try Interruption.deferred { unfinished throws(Failure) in
            do throws(SystemError) {
                let file = try AtomicFile(path: target)
                unfinished.insert(file.partPath)
                return file
            } catch {
                throw Self.cannotCreate(path, error)
            }
        }
        self.file = file
        descriptor = file.descriptor
    }

    deinit {
        if let partPath = file?.partPath {
            Interruption.deferred { unfinished in
                file = nil
                unfinished.remove(partPath)
            }
        } else if descriptor > 1 {
            close(descriptor)
        }
    }

    /// Whether bytes already written can be replaced.
    var canPatch: Bool { file != nil }

    /// Writes all bytes; a signal waits for the last of them, so that no record is cut.
    func write(_ bytes: [UInt8]) throws {
        try check { () throws(SystemError) in
            try Interruption.deferred { _ throws(SystemError) in unsafe try writeAll(bytes.span.bytes, to: descriptor) }
        }
    }

    /// Replaces bytes at the start of the file.
    func patchStart(_ bytes: [UInt8]) throws {
        try check { () throws(SystemError) in unsafe try writeAll(bytes.span.bytes, to: descriptor, at: 0) }
    }

    /// Puts the file in its place. What it holds reaches the disk before its name does.
    func finish() throws {
        guard let file else { return }
        try check { () throws(SystemError) in
            try flush(descriptor)
            try Interruption.deferred { unfinished throws(SystemError) in
                try file.takeName()
                unfinished.remove(file.partPath)
            }
        }
        syncFolder(of: file.path)
    }

    private func check(_ body: () throws(SystemError) -> Void) throws(Failure) {
        do throws(SystemError) {
            try body()
        } catch {
            guard error.code != EPIPE else { throw Failure(.brokenPipe, nil) }
            throw Failure(.inputOutput, "cannot write \(path ?? "stdout")", errno: error.code)
        }
    }

    private static func cannotCreate(_ path: String, _ error: SystemError) -> Failure {
        Failure(.cannotCreate, "cannot create \(path)", errno: error.code)
    }
}
