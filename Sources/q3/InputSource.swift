// Which of the arguments, a file or a pipe the texts come from.
import Q3Input

extension InputSource {
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
}
