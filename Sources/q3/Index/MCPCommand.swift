// q3 mcp: the tools of an index for coding agents and assistants, over stdin and stdout.
#if Index
    import ArgumentParser
    import Q3Embedding
    import Q3Index

    struct MCPCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "mcp",
            abstract: "Lets an agent search indexes, by the Model Context Protocol over stdin and stdout.",
            usage: "q3 mcp --index INDEX ... [--model MODEL]",
            discussion: """
                The agent starts this command and ends it. It gets the tools search, get and
                status; nothing can be changed through them.

                EXAMPLE (a configuration of an agent)
                  {"mcpServers": {"notes": {"command": "q3", "args": ["mcp", "--index", "/home/me/notes.q3i"]}}}
                """)

        @Option(help: "An index; can be given several times, all of one model.")
        var index: [String] = []

        @OptionGroup var model: ModelArguments

        func validate() throws {
            if index.isEmpty { throw ValidationError("--index is missing") }
        }

        func run() async throws {
            let agents = AgentProtocol(indexes: try ServedIndex.open(index, model: model))
            while let line = readLine() {
                if line.allSatisfy(\.isWhitespace) { continue }
                guard let answer = await agents.answer(line) else { continue }
                // Line ends within texts are escaped, so an answer is a line.
                guard Terminal.write("\(answer)\n", to: 1) else { throw Failure(.brokenPipe, nil) }
            }
        }
    }

    extension ServedIndex {
        /// Opens indexes with their one model.
        static func open(_ paths: [String], model: ModelArguments) throws -> [ServedIndex] {
            var named: NamedEmbedder?
            return try paths.map { path in
                let index = try SearchIndex(path: path)
                let embedder = try named ?? model.namedEmbedder(recorded: index.configuration.model.name)
                named = embedder
                try index.check(embedder)
                let folder = index.path.split(separator: "/").last.map(String.init) ?? index.path
                let name = folder.hasSuffix(".q3i") ? String(folder.dropLast(4)) : folder
                return ServedIndex(name: name, index: index, embedder: embedder.embedder)
            }
        }
    }
#endif
