// q3 index: makes, fills, checks and copies an index of documents.
#if Index
    import ArgumentParser
    import Q3Index
    import Q3Input

    struct IndexCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "index",
            abstract: "Keeps documents as vectors and words, to be searched in milliseconds.",
            discussion: """
                An index is a folder: a catalog in SQLite and the vectors, which are only ever
                appended. Copy it while nobody writes to it, and the copy is a backup. It
                belongs to the model that it was made with; another one is refused.

                EXAMPLES
                  q3 index create notes.q3i
                  q3 index add notes.q3i ~/notes --glob '*.md' --context 'Team notes'
                  q3 search "how do we rotate keys" --index notes.q3i
                  q3 index update notes.q3i
                  q3 index audit notes.q3i --sample 500
                """,
            subcommands: [
                IndexCreateCommand.self, IndexAddCommand.self, IndexUpdateCommand.self, IndexRemoveCommand.self,
                IndexStatusCommand.self, IndexAuditCommand.self, IndexCompactCommand.self, IndexExportCommand.self,
                IndexBenchCommand.self,
            ])
    }

    struct IndexCreateCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create", abstract: "Makes an empty index.",
            usage: "q3 index create INDEX [--model MODEL] [--dimensions N] [--chunk-tokens N]",
            discussion: """
                With an --adapter that changes documents too, the index has its vectors, and
                every later command needs the same adapter. One that changes queries alone
                is for searching: it may be left out here.
                """)

        @Argument(help: "The folder to make, such as notes.q3i.")
        var index: String

        @OptionGroup var model: ModelArguments
        @OptionGroup var adapted: AdapterArguments

        @Option(help: "Values of each vector to keep. (default: all)")
        var dimensions: Int?

        @Option(help: "Most tokens of a chunk.")
        var chunkTokens = 400

        func run() async throws {
            let opened = try model.namedEmbedder(recorded: nil, adapted: adapted)
            let writer = try IndexWriter.create(
                index, model: opened, options: IndexOptions(dimensions: dimensions, chunkTokens: chunkTokens),
                holder: "q3 index create")
            let made = writer.configuration
            try Terminal.output(
                "\(index)\t\(made.model)\t\(made.dimensions) dimensions, chunks of \(made.chunkTokens) tokens")
        }
    }

    struct IndexAddCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add", abstract: "Adds folders, files or a pipe to an index.",
            usage: "q3 index add INDEX PATH ... [--glob PATTERN ...] [OPTION ...]",
            discussion: """
                Of a folder every file that holds text is read: Markdown, source code, HTML and
                plain text by their structure, PDF through pdftotext where it is installed.
                What .gitignore and .q3ignore name is left out, so are hidden files and
                symbolic links. Each record of a .jsonl, .csv or .tsv file, also with .gz, is a
                document with the fields "text", "title" and "id"; without a "text" it is all
                fields, a line for each. Its other fields can be filtered by with --where.

                - reads lines from stdin, or records with --format jsonl or csv; the pipe is
                known by --name, and what came through it before is replaced.
                """)

        enum PipeFormat: String, CaseIterable, ExpressibleByArgument {
            case lines, jsonl, csv, tsv

            var input: InputFormat {
                switch self {
                case .lines: .text
                case .jsonl: .jsonl
                case .csv: .csv
                case .tsv: .tsv
                }
            }
        }

        @Argument(help: "The index.", completion: .directory)
        var index: String

        @Argument(help: "Folders and files, or - for a pipe.", completion: .file())
        var paths: [String]

        @Option(help: "Read only files of this name, or path if it has a /. Can be given several times.")
        var glob: [String] = []

        @Option(help: "What stands before the title in the context of every chunk.")
        var context = ""

        @Option(help: "What a pipe is called in the index.")
        var name = "stdin"

        @Option(name: .customLong("format"), help: "What comes through a pipe.")
        var pipeFormat: PipeFormat = .lines

        @OptionGroup var writing: IndexWritingArguments
        @OptionGroup var model: ModelArguments
        @OptionGroup var adapted: AdapterArguments

        func validate() throws {
            if paths.isEmpty { throw ValidationError("give at least one folder or file to add") }
        }

        func run() async throws {
            let writer = try writing.open(index, holder: "q3 index add", model: model, adapted: adapted)
            var total = UpdateReport()
            let progress = IndexProgress()
            for path in paths {
                let report: UpdateReport
                if path == "-" {
                    let records = try IndexRecords.stdin(pipeFormat.input)
                    report = try await writer.replaceStream(name, context: context, records: records)
                } else {
                    report = try await writer.add(
                        path: path, globs: glob, context: context, reading: writing.reading, progress: progress.show)
                }
                total.add(report)
            }
            progress.finish()
            try IndexReport.say(total, writing)
        }
    }

    struct IndexUpdateCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "update", abstract: "Takes up what changed in the folders and files of an index.",
            usage: "q3 index update INDEX [--watch] [OPTION ...]",
            discussion: """
                Files count as unchanged when size, time and inode are as they were, or the
                content is. Only chunks whose words are new are embedded; a file that moved
                keeps its vectors, and of one that is gone everything goes.
                """)

        @Argument(help: "The index.", completion: .directory)
        var index: String

        @Flag(help: "Go on looking for changes until interrupted.")
        var watch = false

        @Option(help: "Seconds between looks with --watch.")
        var interval = 2.0

        @OptionGroup var writing: IndexWritingArguments
        @OptionGroup var model: ModelArguments
        @OptionGroup var adapted: AdapterArguments

        func validate() throws {
            if !(interval >= 0.1 && interval <= 86_400) {
                throw ValidationError("--interval must be 0.1 to 86400 seconds")
            }
        }

        func run() async throws {
            let first = try await update()
            try IndexReport.say(first, writing)
            while watch {
                try await Task.sleep(for: .seconds(interval))
                // Others may write between looks.
                let report = try await update()
                if report.didChange { try IndexReport.say(report, writing) }
            }
        }

        private func update() async throws -> UpdateReport {
            let writer = try writing.open(index, holder: "q3 index update", model: model, adapted: adapted)
            let progress = IndexProgress()
            let report = try await writer.update(reading: writing.reading, progress: progress.show)
            progress.finish()
            return report
        }
    }

    struct IndexRemoveCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove", abstract: "Forgets a folder, file or pipe that was added.",
            usage: "q3 index remove INDEX PATH")

        @Argument(help: "The index.", completion: .directory)
        var index: String

        @Argument(help: "What was added: a path, or the name of a pipe.")
        var path: String

        @OptionGroup var writing: IndexWritingArguments

        func run() async throws {
            let writer = try IndexWriter.open(index, holder: "q3 index remove", waiting: writing.waiting) {
                throw Failure(.software, "removing asked for a model")
            }
            try IndexReport.say(try await writer.remove(path: path), writing)
        }
    }
#endif
