// One download of a file at a time, also between processes.
import Q3System

/// Holds a file's lock while it lives. The system lets go of it when the process ends, however that happens.
final class PullLock {
    private let folder: PullFolder
    private let name: String
    private let descriptor: CInt

    /// Waits for the lock of `name`; `waiting` is called once if another process has it.
    init(_ fileName: String, in folder: PullFolder, waiting: () -> Void) async throws {
        let name = ".\(fileName).lock"
        var hasTold = false
        while true {
            let descriptor = folder.opened(name, O_RDWR | O_CREAT)
            guard descriptor >= 0 else {
                let code = errno
                throw code == ELOOP
                    ? PullError.notPlain(path: folder.file(name), what: "a symbolic link")
                    : PullError.cannotCreate(path: folder.file(name), code: code)
            }
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 {
                // Who had it before deletes the file: then this is the lock of a name that is gone.
                var mine = stat()
                if unsafe fstat(descriptor, &mine) == 0, let named = folder.status(of: name),
                    named.st_ino == mine.st_ino
                {
                    self.folder = folder
                    self.name = name
                    self.descriptor = descriptor
                    return
                }
                close(descriptor)
                continue
            }
            let code = errno
            close(descriptor)
            guard code == EWOULDBLOCK || code == EINTR else {
                throw PullError.cannotCreate(path: folder.file(name), code: code)
            }
            if !hasTold { waiting() }
            hasTold = true
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    deinit {
        folder.remove(name)
        close(descriptor)
    }
}
