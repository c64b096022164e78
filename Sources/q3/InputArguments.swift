// Options that say where texts come from and how they are read.
import ArgumentParser
import Q3Input

extension InputFormat: ExpressibleByArgument {}

struct InputArguments: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "A file of texts, a folder of them, or - for stdin; may be repeated. gzip is read too.",
            valueName: "file"),
        completion: .file())
    var input: [String] = []

    @Option(
        help: ArgumentHelp(
            "How the input is read; file is a text per file. (default: by ending, else first bytes)",
            valueName: "format"))
    var inputFormat: InputFormat?

    @Option(help: ArgumentHelp("Which files of a folder to read, as '*.md'.", valueName: "pattern"))
    var glob: String?

    @Option(help: ArgumentHelp("The column or field of the text. (default: text, after title)", valueName: "name"))
    var textColumn: String?

    @Option(help: ArgumentHelp("The column or field of the id. (default: id, else _id)", valueName: "name"))
    var idColumn: String?

    @Flag(help: "Stop at the first record that cannot be used, instead of leaving it out.")
    var strict = false

    @Flag(help: "Put U+FFFD where bytes are not UTF-8, instead of rejecting the record.")
    var lossy = false

    func validate() throws {
        if glob != nil, !input.contains(where: InputFolder.isFolder) {
            throw ValidationError("--glob picks files of a folder; give the folder with --input")
        }
    }

    /// Arguments, or files and folders in their order, or stdin (`-`, or a pipe when nothing else is given).
    func source(arguments: [String], what: String) throws -> InputSource {
        guard arguments.isEmpty || input.isEmpty else {
            throw Failure(.usage, "give \(what) as arguments or with --input, not both")
        }
        if !input.isEmpty {
            return .files(
                try input.flatMap { path -> [String?] in
                    if path == "-" { return [nil] }
                    return InputFolder.isFolder(path) ? try InputFolder.files(in: path, matching: glob) : [path]
                })
        }
        if arguments == ["-"] { return .files([nil]) }
        if !arguments.isEmpty {
            for (index, argument) in arguments.enumerated() where Self.isNameOfFile(argument) {
                Terminal.say(
                    "argument \(index + 1) is taken as a text, though there is a file \(argument); "
                        + "--input \(argument) reads the file")
            }
            return .arguments(arguments)
        }
        guard !Terminal.isInteractive(0) else {
            throw Failure(.usage, "no \(what): give them as arguments, with --input FILE, or through a pipe")
        }
        return .files([nil])
    }

    /// How to read records that must have the named columns.
    func reading(columns: [String], skippingBlankLines: Bool = false) -> ReadingOptions {
        var options = ReadingOptions()
        options.format = inputFormat
        options.isLossy = lossy
        options.idColumn = idColumn
        options.columns = columns
        options.skipsBlankLines = skippingBlankLines
        return options
    }

    /// A reader of documents or other plain texts.
    func documents(
        _ source: InputSource, skippingBlankLines: Bool = false, shard: Shard? = nil
    ) throws -> sending RecordReader<String> {
        var options = reading(columns: [textColumn ?? "text"], skippingBlankLines: skippingBlankLines)
        options.shard = shard.map { ($0.number, $0.count) }
        return try RecordReader(
            source, options: options, parser: .documents(column: textColumn), note: { Terminal.say($0) })
    }

    /// Whether a text looks like a path, and there is such a file.
    private static func isNameOfFile(_ text: String) -> Bool {
        guard text.utf8.count < 1024, text.contains("/") || text.contains("."), !text.contains("\n") else {
            return false
        }
        return InputFolder.isFile(text)
    }
}
