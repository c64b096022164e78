// Lines of output, written many at a time.
import Q3System

/// Gathers lines for a file, in memory for about a mebibyte of them.
struct OutputLines {
    private let file: OutputFile
    private var text = JSONText()

    private static let byteLimit = 1 << 20

    init(_ file: OutputFile) { self.file = file }

    /// Adds a text as it is, with its line break where it is to have one.
    mutating func append(_ more: String) throws {
        text.append(more)
        if text.bytes.count >= Self.byteLimit { try flush() }
    }

    mutating func append(_ object: JSONObject) throws { try append("\(object)\n") }

    /// Writes what is left. Without it the last lines are not written.
    mutating func flush() throws {
        try file.write(text.bytes)
        text = JSONText()
    }
}
