// Lines of a file or a pipe, in bounded memory, with the place of each.
import Q3System

/// Reads lines that end in LF or CRLF; the last one may end with the input. A byte order mark at the start is skipped.
package final class LineReader {
    /// Bytes of a regular file; nil for pipes and terminals.
    package let totalByteCount: Int?
    /// Where the next line begins, in bytes from the start of the input.
    package private(set) var byteOffset = 0

    private let name: String
    private let descriptor: CInt
    private var lineNumber = 0
    private var buffer: [UInt8] = []
    private var position = 0
    /// Where to look on for a line end; a long line must not be searched again with every chunk.
    private var searched = 0
    private var atEnd = false
    /// What one read fills.
    private var chunk = [UInt8](repeating: 0, count: 1 << 17)

    /// Opens a file, or takes stdin for a nil path.
    package init(path: String?) throws(InputError) {
        name = path ?? "stdin"
        descriptor = path.map { unsafe open($0, O_RDONLY | O_CLOEXEC) } ?? 0
        guard descriptor >= 0 else { throw .cannotOpen(name, code: errno) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw .cannotOpen(name, code: errno) }
        guard status.st_mode & S_IFMT != S_IFDIR else { throw .directory(name) }
        totalByteCount = status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : nil
    }

    deinit {
        if descriptor > 0 { close(descriptor) }
    }

    /// Whether the next line is here, so that `next` will not wait for whoever writes the pipe.
    package func hasLineAtHand() throws(InputError) -> Bool {
        while lineEnd() == nil, !atEnd, buffer.count - position <= Line.byteLimit {
            var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&request, 1, 0) > 0 else { return false }
            try fill()
        }
        return true
    }

    /// The next line, nil at the end of the input.
    package func next() throws(InputError) -> Line? {
        var skippedByteCount = 0
        while true {
            if let end = lineEnd() { return take(upTo: end, terminator: 1, skipped: skippedByteCount) }
            if atEnd {
                guard position < buffer.count || skippedByteCount > 0 else { return nil }
                return take(upTo: buffer.count, terminator: 0, skipped: skippedByteCount)
            }
            if buffer.count - position > Line.byteLimit {
                skippedByteCount += buffer.count - position
                position = buffer.count
            }
            try fill()
        }
    }

    private func lineEnd() -> Int? {
        let end = unsafe buffer.withUnsafeBytes { bytes -> Int? in
            guard let start = bytes.baseAddress, searched < bytes.count else { return nil }
            let found = unsafe memchr(start + searched, CInt(UInt8(ascii: "\n")), bytes.count - searched)
            return unsafe found.map { unsafe UnsafeRawPointer($0) - start }
        }
        searched = end ?? buffer.count
        return end
    }

    private func take(upTo end: Int, terminator: Int, skipped: Int) -> Line {
        lineNumber += 1
        let start = byteOffset
        byteOffset += skipped + end + terminator - position
        var bytes = buffer[position..<end]
        position = end + terminator
        searched = position
        let place = "\(name):\(lineNumber) (byte \(start))"
        guard skipped + bytes.count <= Line.byteLimit else {
            return Line(name: place, byteOffset: start, content: .tooLong(byteCount: skipped + bytes.count))
        }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        let hasMark = lineNumber == 1 && bytes.starts(with: [0xEF, 0xBB, 0xBF])
        if hasMark { bytes.removeFirst(3) }
        return Line(name: place, byteOffset: hasMark ? start + 3 : start, content: .bytes(Array(bytes)))
    }

    /// Moves what is left to the front and reads one more chunk behind it.
    private func fill() throws(InputError) {
        buffer.removeSubrange(..<position)
        searched -= position
        position = 0
        var count: Int
        repeat {
            count = unsafe chunk.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
        } while count < 0 && errno == EINTR
        guard count >= 0 else { throw .cannotRead(name, code: errno) }
        buffer.append(contentsOf: chunk[..<count])
        atEnd = count == 0
    }
}
