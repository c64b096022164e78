// The two streams a person sees: messages on stderr, and stdout for what was asked for.
import Q3GGUF

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

enum Terminal {
    static func isInteractive(_ descriptor: CInt) -> Bool { isatty(descriptor) == 1 }

    /// One line on stderr, of whatever names and texts the message holds. Nothing is done about a stderr that nobody reads.
    static func say(_ message: String) {
        if isInteractive(2) { redraw("") }
        _ = writeAll(Array("q3: \(message.withControlsEscaped)\n".utf8), to: 2)
    }

    /// Puts a text in the place of the terminal's current line, on stderr.
    static func redraw(_ text: String) {
        _ = writeAll(Array("\r\u{1B}[K\(text)".utf8), to: 2)
    }

    /// Text on stdout; false if nobody reads it any more.
    static func print(_ text: String) -> Bool {
        writeAll(Array("\(text)\n".utf8), to: 1) == 0
    }

    /// Writes all bytes, taking up short and interrupted writes. Returns 0 or errno.
    static func writeAll(_ bytes: [UInt8], to descriptor: CInt) -> CInt {
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe write(descriptor, buffer.baseAddress! + done, buffer.count - done)
            }
            if count >= 0 {
                done += count
            } else if errno != EINTR {
                return errno
            }
        }
        return 0
    }
}
