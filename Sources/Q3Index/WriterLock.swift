// The lock that makes one process the writer of an index, and says to the others which it is.
import Q3System

/// Held while it lives; the system releases it when the process ends, however it ends.
final class WriterLock {
    private let descriptor: CInt

    /// Takes the lock of the index at `folder`, or waits for it so long. `holder` is the name that others see.
    init(folder: String, holder: String, waiting: Duration) throws(IndexError) {
        let path = "\(folder)/writer.lock"
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw .file(path: path, action: "open", code: errno) }
        let deadline = ContinuousClock.now + waiting
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else {
                let code = errno
                close(descriptor)
                throw .file(path: path, action: "lock", code: code)
            }
            guard ContinuousClock.now < deadline else {
                let other = Self.text(of: descriptor)
                close(descriptor)
                throw .locked(path: folder, holder: other)
            }
            usleep(20_000)
        }
        self.descriptor = descriptor
        let line = Array("process \(getpid()), \(holder)\n".utf8)
        // What others are told is a courtesy: a full disk must not keep anybody from making room by `compact`.
        _ = ftruncate(descriptor, 0)
        _ = unsafe line.withUnsafeBytes { unsafe pwrite(descriptor, $0.baseAddress, $0.count, 0) }
    }

    deinit { close(descriptor) }

    private static func text(of descriptor: CInt) -> String {
        var bytes = [UInt8](repeating: 0, count: 512)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress, $0.count, 0) }
        let line = String(decoding: bytes.prefix(max(count, 0)).prefix { $0 != 0x0A }, as: UTF8.self)
        return line.isEmpty ? "another process" : line
    }
}
