// What the commands of an index share: how it is opened, with which model, and how files are read.
#if Index
    import ArgumentParser
    import Q3Embedding
    import Q3Index
    import Q3Input
    import Q3System

    struct IndexWritingArguments: ParsableArguments {
        @Option(help: "Seconds to wait for another writer of the index.")
        var wait = 5.0

        @Option(help: "Leave out files of more MiB.")
        var maxFileSize = 64

        @Flag(help: "List everything that is left out.")
        var verbose = false

        @Flag(help: "Print the report as JSON.")
        var json = false

        func validate() throws {
            if !(wait >= 0 && wait <= 1e6) { throw ValidationError("--wait must be at least 0") }
            if !(1...(1 << 14)).contains(maxFileSize) { throw ValidationError("--max-file-size must be 1 to 16384") }
        }

        var waiting: Duration { .seconds(wait) }

        var reading: FileReadingOptions {
            FileReadingOptions(byteLimit: maxFileSize << 20) { path in try IndexRecords.file(path) }
        }

        /// Opens an index for changes with the model that it was made with, or the one that is given.
        func open(
            _ index: String, holder: String, model: ModelArguments, adapted: AdapterArguments
        ) throws -> IndexWriter {
            let recorded = try SearchIndex(path: index).configuration.model.name
            return try IndexWriter.open(index, holder: holder, waiting: waiting) {
                try model.namedEmbedder(recorded: recorded, adapted: adapted)
            }
        }
    }

    extension ModelArguments {
        /// The model that is given, else the one whose name an index records, else the built-in one.
        func namedEmbedder(recorded: String?, adapted: AdapterArguments? = nil) throws -> NamedEmbedder {
            let given = model ?? recorded
            let embedder = try opening(given, copying: noMmap) { try Embedder(file: $0, options: options) }
            let adapter = try adapted?.load(for: embedder)
            guard let given, given != BuiltInModel.name else {
                return NamedEmbedder(embedder, name: BuiltInModel.name, adapter: adapter)
            }
            // A path is recorded so that it is found from any folder.
            let isPath = given.contains("/") || given.hasSuffix(".gguf")
            return NamedEmbedder(embedder, name: isPath ? absolute(given) : given, adapter: adapter)
        }
    }

    /// How far an index is, on stderr.
    final class IndexProgress: Sendable {
        private let line = ProgressLine()

        @Sendable func show(_ progress: UpdateProgress) {
            line.show { elapsed in
                let rate = Int(Double(progress.tokens) / (elapsed / .seconds(1)))
                return "\(progress.files) of \(progress.fileCount) files, \(progress.chunks) chunks, \(rate) tokens/s"
            }
        }

        func finish() { line.finish() }
    }

    enum IndexReport {
        /// Reasons and files that are listed without --verbose.
        private static let shownCount = 5

        static func say(_ report: UpdateReport, _ writing: IndexWritingArguments) throws {
            if writing.json { return try Terminal.output("\(json(report))") }
            let verbose = writing.verbose
            try Terminal.output(
                "\(report.added) added, \(report.changed) changed, \(report.renamed) renamed, \(report.removed) removed, "
                    + "\(report.unchanged) unchanged; \(report.embeddedChunks) chunks embedded (\(report.tokens) tokens), "
                    + "\(report.reusedChunks) had their vectors")
            let shown = verbose ? report.skipped[...] : report.skipped.prefix(shownCount)
            for file in shown { Terminal.say("left out: \(file.path): \(file.reason)") }
            if report.skipped.count > shown.count {
                Terminal.say("and \(report.skipped.count - shown.count) more; --verbose lists them")
            }
        }

        private static func json(_ report: UpdateReport) -> JSONObject {
            var object = JSONObject()
            object.add("added", report.added)
            object.add("changed", report.changed)
            object.add("renamed", report.renamed)
            object.add("removed", report.removed)
            object.add("unchanged", report.unchanged)
            object.add("embedded_chunks", report.embeddedChunks)
            object.add("reused_chunks", report.reusedChunks)
            object.add("tokens", report.tokens)
            object.add(
                "skipped",
                list: report.skipped.map { file in
                    var object = JSONObject()
                    object.add("path", quoted: file.path)
                    object.add("reason", quoted: file.reason)
                    return object
                })
            return object
        }
    }

    extension IndexError {
        var exitStatus: ExitStatus {
            switch self {
            case .exists: .cannotCreate
            case .absent, .source: .noInput
            case .filter, .chunkTokens, .dimensions: .usage
            case .locked: .unavailable
            case .file(_, let action, _) where action.hasPrefix("make"): .cannotCreate
            case .file(_, _, let code):
                switch code {
                case EACCES, EPERM, EROFS: .notPermitted
                case ENOENT: .noInput
                default: .inputOutput
                }
            case .catalog: isDamage ? .badData : .inputOutput
            case .notAnIndex, .newer, .otherModel, .segment: .badData
            }
        }
    }

    extension UpdateReport {
        var didChange: Bool { added + changed + renamed + removed > 0 }
    }

    extension Terminal {
        /// A line on stdout, with whatever a name holds made harmless; ends the command when nobody reads it.
        static func output(_ line: String) throws {
            let safe = line.split(separator: "\t", omittingEmptySubsequences: false)
                .map { String($0).withControlsEscaped }.joined(separator: "\t")
            if !write("\(safe)\n", to: 1) { throw Failure(.brokenPipe, nil) }
        }
    }
#endif
