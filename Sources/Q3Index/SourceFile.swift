// A file's bytes as text, read at one moment: binary files, other encodings and files that change are detected.
import Q3System

/// Why a file cannot be read now, for people.
struct Unreadable: Error, Equatable {
    let reason: String
}

enum SourceFile {
    /// What a file holds.
    struct Content {
        /// Without a byte order mark; empty where there is a problem.
        var bytes: [UInt8]
        let state: FileState
        /// SHA-256 of the file; empty for a file that is too large to be read.
        let hash: [UInt8]
        /// Why it is not text; nil for text.
        var problem: String?
    }

    /// The bytes of a regular file and what it was like. A file that changes while it is read is read again, three times.
    /// Throws for causes that may pass: a missing permission, a failing disk.
    static func read(_ path: [UInt8], limit: Int) throws(Unreadable) -> Content {
        for _ in 0..<3 {
            if let content = try readOnce(path, limit: limit) { return content }
        }
        throw Unreadable(reason: "it changed while it was read")
    }

    static let binary = "binary"
    /// A NUL in so many first bytes tells a binary file before all of it is read.
    private static let probeByteCount = 8192

    private static func readOnce(_ path: [UInt8], limit: Int) throws(Unreadable) -> Content? {
        let descriptor = unsafe (path + [0]).withUnsafeBufferPointer { bytes in
            unsafe bytes.withMemoryRebound(to: CChar.self) {
                unsafe open($0.baseAddress!, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
            }
        }
        guard descriptor >= 0 else { throw Unreadable(reason: SystemCall.message(errno)) }
        defer { close(descriptor) }
        let state = try state(of: descriptor)
        guard state.size <= limit else {
            let problem = "\(state.size >> 20) MiB, more than the limit of \(limit >> 20) MiB"
            return Content(bytes: [], state: state, hash: [], problem: problem)
        }
        var bytes = [UInt8](repeating: 0, count: state.size)
        var count = 0
        while count < bytes.count {
            let end = count < probeByteCount ? min(probeByteCount, bytes.count) : bytes.count
            let got = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe pread(descriptor, buffer.baseAddress! + count, end - count, off_t(count))
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw Unreadable(reason: SystemCall.message(errno)) }
            if got == 0 { return nil }
            count += got
        }
        guard try Self.state(of: descriptor) == state else { return nil }
        let hash = hash(bytes)
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
        let problem = problem(of: bytes)
        return Content(bytes: problem == nil ? bytes : [], state: state, hash: hash, problem: problem)
    }

    private static func state(of descriptor: CInt) throws(Unreadable) -> FileState {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw Unreadable(reason: SystemCall.message(errno)) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw Unreadable(reason: "not a regular file") }
        return FileState(status)
    }

    /// Why bytes are not text: NULs, or another encoding.
    private static func problem(of bytes: [UInt8]) -> String? {
        if bytes.contains(0) { return binary }
        do throws(UTF8.ValidationError) {
            _ = try UTF8Span(validating: bytes.span)
            return nil
        } catch {
            return "not UTF-8 at byte \(error.byteOffsets.lowerBound)"
        }
    }

    static func hash(_ bytes: [UInt8]) -> [UInt8] {
        var hash = SHA256()
        unsafe bytes.withUnsafeBytes { unsafe hash.update($0) }
        return hash.finish()
    }
}
