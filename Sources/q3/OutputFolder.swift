// The folder of a LoRA adapter that is written: checked before the work, made when there is something to write.
import Q3System

/// A folder that is there, or can be made.
struct OutputFolder {
    private let path: String

    /// Throws where there is a file of that name, or the folder cannot be written.
    init(_ path: String) throws {
        self.path = path
        var status = stat()
        if unsafe stat(path, &status) == 0 {
            guard status.st_mode & S_IFMT == S_IFDIR else {
                throw Failure(.cannotCreate, "\(path) is a file; --output is a folder")
            }
            guard unsafe access(path, W_OK | X_OK) == 0 else {
                throw Failure(.cannotCreate, "cannot write into \(path)", errno: errno)
            }
        } else {
            try OutputPlace.check(path)
        }
    }

    func create() throws {
        guard unsafe mkdir(path, 0o777) == 0 || errno == EEXIST else {
            throw Failure(.cannotCreate, "cannot create the folder \(path)", errno: errno)
        }
    }
}
