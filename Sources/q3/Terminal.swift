// The two streams a person sees: messages on stderr, and stdout for what was asked for.
import Q3GGUF
import Q3System

enum Terminal {
    static func isInteractive(_ descriptor: CInt) -> Bool { isatty(descriptor) == 1 }

    /// One line on stderr, of whatever names and texts the message holds. Nothing is done about a stderr that nobody reads.
    static func say(_ message: String) {
        if isInteractive(2) { redraw("") }
        write("q3: \(message.withControlsEscaped)\n", to: 2)
    }

    /// Puts a text in the place of the terminal's current line, on stderr.
    static func redraw(_ text: String) {
        write("\r\u{1B}[K\(text)", to: 2)
    }

    /// Text on stdout; false if nobody reads it any more.
    static func print(_ text: String) -> Bool {
        write("\(text)\n", to: 1)
    }

    /// Whether the text was written.
    @discardableResult static func write(_ text: String, to descriptor: CInt) -> Bool {
        let bytes = Array(text.utf8)
        return (unsafe try? writeAll(bytes.span.bytes, to: descriptor)) != nil
    }
}
