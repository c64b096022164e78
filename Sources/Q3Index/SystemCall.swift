// Files of an index by the system's own calls: whole writes, and errors with the path and what was tried.
import Q3System

enum SystemCall {
    static func message(_ code: CInt) -> String { unsafe String(cString: strerror(code)) }

    /// Makes a folder; one that is there already is an error.
    static func makeFolder(_ path: String) throws(IndexError) {
        guard unsafe mkdir(path, 0o777) == 0 else {
            throw errno == EEXIST ? .exists(path: path) : .file(path: path, action: "make the folder", code: errno)
        }
    }

    /// Gives a file another name; what has that name already is replaced.
    static func rename(_ path: String, to target: String) throws(IndexError) {
        do throws(SystemError) {
            try Q3System.rename(path, to: target, in: AT_FDCWD)
        } catch {
            throw .file(path: target, action: "write", code: error.code)
        }
    }

    /// Removes a folder if it is empty.
    static func removeFolder(_ path: String) { _ = unsafe rmdir(path) }

    /// The names in a folder; none where it cannot be read.
    static func names(in folder: String) -> [String] {
        guard let directory = unsafe opendir(folder) else { return [] }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                unsafe tuple.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Whether there is anything of that name.
    static func exists(_ path: String) -> Bool {
        var status = stat()
        return unsafe lstat(path, &status) == 0
    }

    /// Bytes of a file; nil where there is none.
    static func size(of path: String) -> Int? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? Int(status.st_size) : nil
    }

    /// What is at a path; nil for what is neither a folder nor a regular file.
    static func kind(of path: String) -> IndexSource.Kind? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        return status.st_mode & S_IFMT == S_IFDIR ? .folder : status.st_mode & S_IFMT == S_IFREG ? .file : nil
    }

    /// What a regular file is like; nil where there is none.
    static func state(of path: String) -> FileState? { state(of: Array(path.utf8)) }

    static func state(of path: [UInt8]) -> FileState? {
        var status = stat()
        let code = unsafe (path + [0]).withUnsafeBufferPointer { bytes in
            unsafe bytes.withMemoryRebound(to: CChar.self) { unsafe stat($0.baseAddress!, &status) }
        }
        guard code == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return FileState(status)
    }

    /// The path without links and dots; as it is where there is nothing.
    static func absolute(_ path: String) throws(IndexError) -> String {
        guard let real = unsafe realpath(path, nil) else { return path }
        defer { unsafe free(real) }
        guard let text = unsafe String(validatingCString: real) else {
            throw .source(path: path, problem: "below a folder whose name is not UTF-8; rename that")
        }
        return text
    }

    /// The path of a source's file.
    static func join(_ source: IndexSource, _ path: [UInt8]) -> [UInt8] {
        source.kind == .folder ? Array(source.path.utf8) + [UInt8(ascii: "/")] + path : path
    }

    /// Flushes a folder's names to disk. Not every file system can.
    static func syncFolder(_ path: String) {
        let descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        _ = fsync(descriptor)
        close(descriptor)
    }

    /// Removes a file; a missing file is not an error.
    static func remove(_ path: String) throws(IndexError) {
        guard unsafe unlink(path) == 0 || errno == ENOENT else {
            throw .file(path: path, action: "remove", code: errno)
        }
    }
}

/// An open file that is written at any place.
final class WritableFile {
    let path: String
    private let descriptor: CInt

    /// Opens a file, or makes it when `creating`, in which case it must not be there yet.
    init(path: String, creating: Bool) throws(IndexError) {
        let flags = O_RDWR | O_CLOEXEC | (creating ? O_CREAT | O_EXCL : 0)
        descriptor = unsafe open(path, flags, 0o666)
        guard descriptor >= 0 else { throw .file(path: path, action: creating ? "make" : "open", code: errno) }
        self.path = path
    }

    deinit { close(descriptor) }

    func write(_ bytes: [UInt8], at offset: Int) throws(IndexError) {
        do throws(SystemError) {
            unsafe try writeAll(bytes.span.bytes, to: descriptor, at: offset)
        } catch {
            throw .file(path: path, action: "write", code: error.code)
        }
    }

    func truncate(to byteCount: Int) throws(IndexError) {
        guard ftruncate(descriptor, off_t(byteCount)) == 0 else {
            throw .file(path: path, action: "cut", code: errno)
        }
    }

    func sync() throws(IndexError) {
        guard fsync(descriptor) == 0 else { throw .file(path: path, action: "write", code: errno) }
    }
}
