// The unfinished file of a download, which the next pull resumes.
internal import Q3Catalog
import Q3System

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Which bytes a part is the start of; NAME.part.json holds it.
struct PartOrigin: Codable, Equatable {
    /// Where the download began, without any query.
    var url: String
    /// The strong entity tag or the date by which the server recognizes the bytes.
    var validator: String
    var byteCount: Int
    /// The hash that the server or the catalog gave.
    var sha256: String?
}

/// NAME.part in the model folder. Only this file is ever written to; its name is checked to be no link, and its bytes to be
/// known by no other name.
final class PartFile {
    private let folder: PullFolder
    let name: String
    private let originName: String
    private let descriptor: CInt
    private(set) var byteCount: Int

    /// Opens what an earlier download left, or makes the file.
    init(for fileName: String, in folder: PullFolder) throws(PullError) {
        name = "\(fileName).part"
        originName = "\(fileName).part.json"
        self.folder = folder
        var descriptor = folder.opened(name, O_RDWR)
        if descriptor < 0, errno == ENOENT { descriptor = folder.opened(name, O_RDWR | O_CREAT | O_EXCL) }
        guard descriptor >= 0 else {
            throw errno == ELOOP
                ? .notPlain(path: folder.file(name), what: "a symbolic link")
                : .cannotCreate(path: folder.file(name), code: errno)
        }
        var status = stat()
        let hasStatus = unsafe fstat(descriptor, &status) == 0
        guard hasStatus, status.st_mode & S_IFMT == S_IFREG, status.st_nlink == 1, status.st_uid == geteuid() else {
            close(descriptor)
            throw .notPlain(path: folder.file(name), what: "another user's, not a file, or a file with two names")
        }
        self.descriptor = descriptor
        byteCount = Int(status.st_size)
    }

    deinit { close(descriptor) }

    var path: String { folder.file(name) }

    /// Which bytes the part is the start of; nil if that is not known.
    var origin: PartOrigin? {
        let descriptor = folder.opened(originName, O_RDONLY)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1 << 14)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
        return count > 0 ? try? JSONDecoder().decode(PartOrigin.self, from: Data(bytes[..<count])) : nil
    }

    /// Removes all bytes, and records where the next ones come from. The bytes go first, so that they never have a wrong
    /// origin.
    func restart(_ origin: PartOrigin?) throws(PullError) {
        guard ftruncate(descriptor, 0) == 0 else { throw .cannotWrite(path: path, code: errno) }
        byteCount = 0
        guard let origin, let json = try? JSONEncoder().encode(origin) else { return folder.remove(originName) }
        try folder.write([UInt8](json), to: originName)
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(PullError) {
        guard lseek(descriptor, off_t(byteCount), SEEK_SET) >= 0 else { throw .cannotWrite(path: path, code: errno) }
        do throws(SystemError) {
            unsafe try writeAll(RawSpan(_unsafeBytes: bytes), to: descriptor)
        } catch {
            // A full disk takes some of the bytes, with which the next pull goes on.
            byteCount = max(byteCount, Int(lseek(descriptor, 0, SEEK_END)))
            throw .cannotWrite(path: path, code: error.code)
        }
        byteCount += bytes.count
    }

    /// The hash of all bytes, read back from the file.
    var digest: SHA256Digest {
        get throws { try SHA256Digest(ofDescriptor: descriptor, path: path) }
    }

    /// Flushes the bytes to disk, then gives them their name. Throws `replaced`, and deletes what has the name, where another
    /// process put its own file in the place of the one that was hashed.
    func publish(as fileName: String) throws(PullError) {
        do throws(SystemError) {
            try flush(descriptor)
        } catch {
            throw .cannotWrite(path: path, code: error.code)
        }
        try folder.rename(name, to: fileName)
        var hashed = stat()
        guard unsafe fstat(descriptor, &hashed) == 0, let published = folder.status(of: fileName),
            published.st_dev == hashed.st_dev, published.st_ino == hashed.st_ino
        else {
            folder.remove(fileName)
            throw .replaced(path: folder.file(fileName))
        }
        folder.remove(originName)
        folder.sync()
    }

    func discard() {
        folder.remove(name)
        folder.remove(originName)
    }
}

/// Reads a file from its start to its end.
func forEachPiece(of descriptor: CInt, path: String, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    defer { unsafe buffer.deallocate() }
    var offset = 0
    while true {
        let count = unsafe pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { throw PullError.cannotRead(path: path, code: errno) }
        guard count > 0 else { return }
        try unsafe body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        offset += count
    }
}
