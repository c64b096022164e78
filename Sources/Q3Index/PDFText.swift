// The text of a PDF through pdftotext of Poppler, where it is installed.
import Q3System

enum PDFText {
    /// A page takes milliseconds; what takes this long has gone wrong.
    private static let timeoutSeconds = 60
    private static let byteLimit = 64 << 20

    /// The text of a PDF file, its pages parted by form feeds.
    static func extract(_ path: [UInt8]) throws(Unreadable) -> [UInt8] {
        var ends: [CInt] = [0, 0]
        guard unsafe pipe(&ends) == 0 else { throw Unreadable(reason: SystemCall.message(errno)) }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        unsafe posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        unsafe posix_spawn_file_actions_addclose(&actions, ends[0])
        unsafe posix_spawn_file_actions_addclose(&actions, ends[1])
        // A path that begins with a dash would be an option; paths of sources begin with a slash.
        let words: [[UInt8]] = [
            Array("pdftotext".utf8), Array("-q".utf8), Array("-enc".utf8), Array("UTF-8".utf8), path, Array("-".utf8),
        ]
        var arguments = unsafe words.map { word in
            unsafe (word + [0]).withUnsafeBufferPointer { bytes in
                unsafe bytes.withMemoryRebound(to: CChar.self) { unsafe strdup($0.baseAddress!) }
            }
        }
        defer { unsafe arguments.forEach { unsafe free($0) } }
        unsafe arguments.append(nil)
        var process: pid_t = 0
        let code = unsafe posix_spawnp(&process, "pdftotext", &actions, nil, arguments, environ)
        close(ends[1])
        defer { close(ends[0]) }
        guard code == 0 else {
            throw Unreadable(
                reason: code == ENOENT
                    ? "a PDF, and pdftotext is not installed (Debian: poppler-utils)" : SystemCall.message(code))
        }
        let text = collect(from: ends[0], of: process)
        var status: CInt = 0
        while unsafe waitpid(process, &status, 0) < 0, errno == EINTR {}
        guard let text else { throw Unreadable(reason: "a PDF that pdftotext does not finish") }
        guard status == 0 else { throw Unreadable(reason: "a PDF that pdftotext cannot read") }
        guard text.contains(where: { $0 > 0x20 }) else {
            throw Unreadable(reason: "a PDF without text, perhaps of images")
        }
        return Array(String(decoding: text, as: UTF8.self).utf8)
    }

    /// All that the process writes; nil when it writes too much or takes too long, after which it is ended.
    private static func collect(from descriptor: CInt, of process: pid_t) -> [UInt8]? {
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        let deadline = ContinuousClock.now + .seconds(timeoutSeconds)
        while ContinuousClock.now < deadline, text.count <= byteLimit {
            var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&request, 1, 1000) > 0 else { continue }
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return text }
            text.append(contentsOf: chunk[..<count])
        }
        kill(process, SIGKILL)
        return nil
    }
}
