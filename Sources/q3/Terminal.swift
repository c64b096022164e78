// The two streams a person sees: messages on stderr, and stdout for what was asked for.
import Q3GGUF
import Q3System

enum Terminal {
    static func isInteractive(_ descriptor: CInt) -> Bool { isatty(descriptor) == 1 }

    /// Columns of the terminal that a descriptor is, else those that COLUMNS says, else 80.
    static func width(_ descriptor: CInt) -> Int {
        var size = winsize()
        if unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return Int(size.ws_col) }
        return Environment.current.text("COLUMNS").flatMap { Int($0) }.map { min(max($0, 20), 1000) } ?? 80
    }

    /// Whether text on a descriptor may have colours: on a terminal that has them, unless NO_COLOR is set (no-color.org).
    static func hasColor(_ descriptor: CInt) -> Bool {
        let environment = Environment.current
        return isInteractive(descriptor) && environment.text("NO_COLOR") == nil && environment.text("TERM") != "dumb"
    }

    /// One line on stderr, of whatever names and texts the message holds. Nothing is done about a stderr that nobody reads.
    static func say(_ message: String) {
        if isInteractive(2) { redraw("") }
        write("q3: \(message.withControlsEscaped)\n", to: 2)
    }

    /// Puts a text in the place of the terminal's current line, on stderr.
    static func redraw(_ text: String) {
        write("\r\u{1B}[K\(text)", to: 2)
    }

    /// Text on stdout.
    static func print(_ text: String) throws(SystemError) {
        let bytes = Array("\(text)\n".utf8)
        unsafe try writeAll(bytes.span.bytes, to: 1)
    }

    /// Whether the text was written.
    @discardableResult static func write(_ text: String, to descriptor: CInt) -> Bool {
        let bytes = Array(text.utf8)
        return (unsafe try? writeAll(bytes.span.bytes, to: descriptor)) != nil
    }
}
