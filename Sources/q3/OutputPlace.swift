// Whether an output file can be made, checked before any work is done for it.
import Q3System

enum OutputPlace {
    /// Throws for an empty path, a folder that is not there or may not be written, and a path that is a folder itself.
    static func check(_ path: String) throws {
        guard !path.isEmpty else { throw Failure(.cannotCreate, "the name of the output is empty") }
        var status = stat()
        if unsafe stat(path, &status) == 0 {
            guard status.st_mode & S_IFMT != S_IFDIR else { throw cannotCreate(path, EISDIR) }
            // A device or a pipe is written as it is.
            guard status.st_mode & S_IFMT == S_IFREG else { return }
        }
        let folder = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[...$0]) } ?? "."
        guard unsafe access(folder, W_OK | X_OK) == 0 else { throw cannotCreate(path, errno) }
    }

    private static func cannotCreate(_ path: String, _ code: CInt) -> Failure {
        Failure(.cannotCreate, "cannot create \(path)", errno: code)
    }
}
