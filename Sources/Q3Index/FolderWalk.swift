// The files of a folder: what ignore files and patterns leave of it, in the order of their paths.
import Q3System

/// A file that the walk found.
struct FoundFile: Sendable {
    /// Relative to where the walk began.
    let path: [UInt8]
    let state: FileState
}

/// A file or record that was left out.
public struct SkippedFile: Sendable, Equatable {
    /// The file's path, or the record's place.
    public let path: String
    /// Why it is left out.
    public let reason: String
}

/// Walks a folder. Names that begin with a dot and symbolic links are left out, so that no link can lead in circles.
struct FolderWalk {
    private(set) var files: [FoundFile] = []
    private(set) var skipped: [SkippedFile] = []
    private let root: [UInt8]
    private let globs: [GlobPattern]
    /// Folders that are left out by where they are: an index within what it indexes.
    private let ownFolder: (device: dev_t, inode: ino_t)?

    /// Walks everything below `root`. Patterns with a `/` are for paths, others for names.
    init(root: String, globs: [String], leavingOut folder: String) throws(IndexError) {
        self.root = Array(root.utf8)
        self.globs = globs.map { glob in
            let bytes = Array(glob.utf8)
            return GlobPattern(bytes.contains(UInt8(ascii: "/")) ? bytes : Array("**/".utf8) + bytes)
        }
        var status = stat()
        ownFolder = unsafe stat(folder, &status) == 0 ? (status.st_dev, status.st_ino) : nil
        guard let directory = unsafe opendir(root) else {
            throw .file(path: root, action: "read the folder", code: errno)
        }
        unsafe walk(directory, prefix: [], rules: IgnoreRules(), depth: 0)
    }

    /// Deeper folders than this are left out, since each is an open file.
    private static let depthLimit = 200

    private mutating func walk(_ directory: OpaquePointer, prefix: [UInt8], rules: IgnoreRules, depth: Int) {
        defer { unsafe closedir(directory) }
        let descriptor = unsafe dirfd(directory)
        var names: [[UInt8]] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                unsafe tuple.withMemoryRebound(to: UInt8.self, capacity: 256) { bytes in
                    unsafe [UInt8](
                        UnsafeBufferPointer(
                            start: bytes, count: strlen(UnsafeRawPointer(bytes).assumingMemoryBound(to: CChar.self))))
                }
            }
            // A name with a dot in front is hidden, and so are `.` and `..`.
            if name.first != UInt8(ascii: ".") { names.append(name) }
        }
        names.sort { $0.lexicographicallyPrecedes($1) }
        var rules = rules
        for name in [".gitignore", ".q3ignore"] {
            if let file = Self.small(name, in: descriptor) { rules.add(file, prefix: prefix) }
        }
        for name in names { visit(name, in: descriptor, prefix: prefix, rules: rules, depth: depth) }
    }

    private mutating func visit(
        _ name: [UInt8], in descriptor: CInt, prefix: [UInt8], rules: IgnoreRules, depth: Int
    ) {
        let path = prefix + name
        var status = stat()
        let cName = name + [0]
        let code = unsafe cName.withUnsafeBufferPointer { bytes in
            unsafe bytes.withMemoryRebound(to: CChar.self) {
                unsafe fstatat(descriptor, $0.baseAddress!, &status, AT_SYMLINK_NOFOLLOW)
            }
        }
        guard code == 0 else {
            if errno != ENOENT { skip(path, SystemCall.message(errno)) }
            return
        }
        switch status.st_mode & S_IFMT {
        case S_IFDIR:
            if let ownFolder, ownFolder == (status.st_dev, status.st_ino) { return }
            guard rules.isEmpty || !rules.ignores(path, isFolder: true) else { return }
            guard depth < Self.depthLimit else { return skip(path, "more than \(Self.depthLimit) folders deep") }
            let child = unsafe cName.withUnsafeBufferPointer { bytes in
                unsafe bytes.withMemoryRebound(to: CChar.self) {
                    unsafe openat(descriptor, $0.baseAddress!, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                }
            }
            guard child >= 0, let directory = unsafe fdopendir(child) else {
                skip(path, SystemCall.message(errno))
                if child >= 0 { close(child) }
                return
            }
            unsafe walk(directory, prefix: path + [UInt8(ascii: "/")], rules: rules, depth: depth + 1)
        case S_IFREG:
            guard rules.isEmpty || !rules.ignores(path, isFolder: false) else { return }
            guard globs.isEmpty || globs.contains(where: { $0.matches(path[...]) }) else { return }
            files.append(FoundFile(path: path, state: FileState(status)))
        case S_IFLNK: skip(path, "a symbolic link")
        default: skip(path, "neither a file nor a folder")
        }
    }

    private mutating func skip(_ path: [UInt8], _ reason: String) {
        skipped.append(SkippedFile(path: String(decoding: path, as: UTF8.self), reason: reason))
    }

    /// The bytes of a small file in an open folder; nil where there is none.
    private static func small(_ name: String, in folder: CInt) -> [UInt8]? {
        let descriptor = unsafe openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
        return count > 0 ? Array(bytes[..<count]) : nil
    }
}

extension FileState {
    init(_ status: stat) {
        #if canImport(Darwin)
        let modified = status.st_mtimespec
        #else
        let modified = status.st_mtim
        #endif
        // A time stamp beyond what nanoseconds in 64 bits can say wraps: it is only ever compared.
        self.init(
            size: Int(status.st_size), modifiedNanoseconds: modified.tv_sec &* 1_000_000_000 &+ modified.tv_nsec,
            inode: Int(truncatingIfNeeded: status.st_ino))
    }
}
