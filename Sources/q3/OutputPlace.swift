// Whether an output file can be made, checked before any work is done for it.
import Q3System

enum OutputPlace {
    /// Throws for an empty path, a folder that is not there or may not be written, and a path that is a folder itself.
    static func check(_ path: String) throws {
        guard !path.isEmpty else { throw Failure(.cannotCreate, "the name of the output is empty") }
        guard resolvingLinks(path) != nil else {
            throw Failure(
                .cannotCreate, "\(path) is a link to a file whose name is not UTF-8; give that file another name")
        }
        var status = stat()
        if unsafe stat(path, &status) == 0 {
            guard status.st_mode & S_IFMT != S_IFDIR else { throw cannotCreate(path, EISDIR) }
            // A device or a pipe is written as it is.
            guard status.st_mode & S_IFMT == S_IFREG else { return }
        }
        let folder = String(decoding: path.utf8.dropLast(path.lastPathPart.utf8.count), as: UTF8.self)
        guard unsafe access(folder.isEmpty ? "." : folder, W_OK | X_OK) == 0 else { throw cannotCreate(path, errno) }
    }

    private static func cannotCreate(_ path: String, _ code: CInt) -> Failure {
        Failure(.cannotCreate, "cannot create \(path)", errno: code)
    }
}
