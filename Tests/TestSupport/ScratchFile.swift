// A file for tests that need a new content thousands of times.
import Q3System

/// One file whose content is replaced in place, which is a hundred times as fast as new files.
public final class ScratchFile {
    public let path: String
    /// The folder that it lies in, for what stands beside it.
    public let folder: TemporaryFolder
    private let descriptor: CInt

    public init() throws {
        folder = try TemporaryFolder()
        path = try folder.write("scratch", [])
        descriptor = unsafe open(path, O_RDWR | O_CLOEXEC)
    }

    deinit { close(descriptor) }

    /// Makes these bytes the file's content; nothing may have it mapped.
    public func replace(with bytes: [UInt8]) {
        precondition(ftruncate(descriptor, off_t(bytes.count)) == 0, "cannot resize \(path)")
        precondition(unsafe pwrite(descriptor, bytes, bytes.count, 0) == bytes.count, "cannot write \(path)")
    }
}
