// q3 index status, audit, compact: what an index holds, whether it is sound, and how it becomes small again.
#if Index
    import ArgumentParser
    import Q3Index
    import Q3IndexAPI
    import Q3System

    struct IndexStatusCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "status", abstract: "Shows what an index holds.",
            usage: "q3 index status INDEX [--format json]")

        enum Format: String, CaseIterable, ExpressibleByArgument { case text, json }

        @Argument(help: "The index.", completion: .directory)
        var index: String

        @Option(help: "Form of the output.")
        var format: Format = .text

        func run() async throws {
            let opened = try SearchIndex(path: index)
            let status = try await opened.status()
            switch format {
            case .text: try text(status, opened.configuration)
            case .json: try Terminal.output(IndexJSON.status(status, opened.configuration, path: index).description)
            }
        }

        private func text(_ status: IndexStatus, _ made: IndexConfiguration) throws {
            try Terminal.output("model\t\(made.model)")
            try Terminal.output(
                "vectors\t\(status.vectors) of \(made.dimensions) dimensions, \(status.deadVectors) of them unused")
            try Terminal.output(
                "chunks\t\(status.chunks) of at most \(made.chunkTokens) tokens, \(status.tokens) tokens")
            try Terminal.output("documents\t\(status.documents)")
            try Terminal.output("files\t\(status.files), \(status.unfinishedFiles) of them not finished")
            for (reason, count) in status.problems { try Terminal.output("left out\t\(count): \(reason)") }
            for source in status.sources {
                let globs = source.globs.isEmpty ? "" : "\t\(source.globs.joined(separator: " "))"
                try Terminal.output("\(source.kind.rawValue)\t\(source.path)\(globs)")
            }
            try Terminal.output(
                "bytes\t\(status.vectorBytes) of vectors in \(status.segments) segments, \(status.catalogBytes) of catalog"
            )
        }
    }

    struct IndexAuditCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "audit", abstract: "Checks an index, and embeds chunks again to compare their bits.",
            usage: "q3 index audit INDEX [--sample N|--all] [--repair] [OPTION ...]",
            discussion: """
                The same text has the same bits on every machine, so a single other bit tells
                damage, another model or another writer. Every finding is a line; the exit
                status is 65 unless all is sound. Files that changed since are named, too: they
                are no damage, and 'q3 index update' takes them up.

                --repair embeds again what is damaged or foreign, and nothing else.
                """)

        @Argument(help: "The index.", completion: .directory)
        var index: String

        @Option(help: "Chunks to embed again.")
        var sample = 500

        @Flag(help: "Embed every chunk again.")
        var all = false

        @Option(help: "Which sample; another number, other chunks.")
        var seed: UInt64 = 0

        @Flag(help: "Mend what is found.")
        var repair = false

        @OptionGroup var writing: IndexWritingArguments
        @OptionGroup var model: ModelArguments
        @OptionGroup var adapted: AdapterArguments

        func validate() throws {
            if sample < 0 { throw ValidationError("--sample must be at least 0") }
        }

        func run() async throws {
            let opened = try SearchIndex(path: index)
            let embedder = try model.namedEmbedder(
                recorded: opened.configuration.model.name, adapted: adapted)
            let line = ProgressLine()
            let report = try await opened.audit(sample: all ? nil : sample, seed: seed, with: embedder) { progress in
                line.show { _ in "\(progress.completed) of \(progress.total) chunks embedded again" }
            }
            line.finish()
            for finding in report.findings { try Terminal.output("\(finding)") }
            try Terminal.output(
                "\(report.blocks) blocks checked, \(report.agreed) of \(report.recomputed) chunks have the same bits, "
                    + "\(report.chunks) chunks in all")
            guard repair else {
                if !report.isSound { throw Failure(.badData, "\(index) is not sound; --repair mends it") }
                return
            }
            let writer = try IndexWriter.open(index, holder: "q3 index audit --repair", waiting: writing.waiting) {
                embedder
            }
            let mended = try await writer.repair(report)
            guard mended.left.isEmpty else {
                throw Failure(.badData, "the catalog of \(index) is damaged; restore a copy, or make a new index")
            }
            try Terminal.output("\(mended.embeddedChunks) chunks embedded again")
            if mended.files > 0 {
                try IndexReport.say(try await writer.update(reading: writing.reading), writing)
            }
        }
    }

    struct IndexCompactCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "compact", abstract: "Drops vectors that no chunk has any more, and the catalog's gaps.",
            usage: "q3 index compact INDEX")

        @Argument(help: "The index.", completion: .directory)
        var index: String

        @OptionGroup var writing: IndexWritingArguments

        func run() async throws {
            let writer = try IndexWriter.open(index, holder: "q3 index compact", waiting: writing.waiting) {
                throw Failure(.software, "compacting asked for a model")
            }
            let report = try await writer.compact()
            try Terminal.output(
                "\(report.keptVectors) vectors kept, \(report.droppedVectors) dropped; "
                    + "\(report.bytesBefore) bytes before, \(report.bytesAfter) after")
        }
    }
#endif
