// Where texts come from: arguments, a file, or whatever is piped in.

enum InputSource {
    case arguments([String])
    /// A text per line; stdin for a nil path.
    case lines(path: String?)
    /// A JSON object per line.
    case jsonLines(path: String)

    /// Arguments, or a file by its ending, or stdin (`-`, or a pipe when nothing else is given).
    init(arguments: [String], file: String?, what: String) throws {
        guard arguments.isEmpty || file == nil else {
            throw Failure(.usage, "give \(what) as arguments or with --input, not both")
        }
        if let file, file != "-" {
            let isJSON = [".jsonl", ".ndjson"].contains { file.lowercased().hasSuffix($0) }
            self = isJSON ? .jsonLines(path: file) : .lines(path: file)
        } else if file == "-" || arguments == ["-"] {
            self = .lines(path: nil)
        } else if !arguments.isEmpty {
            self = .arguments(arguments)
        } else if !Terminal.isInteractive(0) {
            self = .lines(path: nil)
        } else {
            throw Failure(.usage, "no \(what): give them as arguments, with --input FILE, or through a pipe")
        }
    }

    var path: String? {
        switch self {
        case .arguments: nil
        case .lines(let path): path
        case .jsonLines(let path): path
        }
    }

    var isArguments: Bool {
        if case .arguments = self { true } else { false }
    }

    var isJSON: Bool {
        if case .jsonLines = self { true } else { false }
    }
}
