// q3 mcp: the tools of an index for coding agents and assistants, over stdin and stdout.
#if Index
    import ArgumentParser
    import Q3IndexAPI
    import Q3Reranking
    import Q3System

    struct MCPCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "mcp",
            abstract: "Lets an agent search indexes, by the Model Context Protocol over stdin and stdout.",
            usage: "q3 mcp --index INDEX ... [--model MODEL] [--reranker MODEL]",
            discussion: """
                The agent starts this command and ends it. It gets the tools search, get and
                status; nothing can be changed through them. 'q3 serve --index' gives the same
                over HTTP, at /mcp.

                EXAMPLE (a configuration of an agent)
                  {"mcpServers": {"notes": {
                    "command": "q3", "args": ["mcp", "--index", "/home/me/notes.q3i"]}}}
                """)

        @Option(
            parsing: .singleValue,
            help: "An index, or NAME=INDEX for what the agent calls it; may be repeated. (name: the folder's)")
        var index: [String] = []

        @Option(
            name: .shortAndLong, help: "A reranker, which the agent may ask for.", completion: ModelNames.completion)
        var reranker: String?

        @OptionGroup var model: ModelArguments
        @OptionGroup var adapted: AdapterArguments

        func validate() throws {
            if index.isEmpty { throw ValidationError("--index is missing") }
        }

        func run() async throws {
            let served = try ServedIndexes(index, models: []) {
                try model.namedEmbedder(recorded: $0, adapted: adapted)
            }
            let judge = try model.reranker(reranker)
            let agents = AgentProtocol(IndexService(indexes: served.indexes, computing: .direct(reranker: judge)))
            while let line = readLine() {
                if line.allSatisfy(\.isWhitespace) { continue }
                guard let answer = await agents.answer(line) else { continue }
                guard Terminal.write("\(answer.text)\n", to: 1) else { throw Failure(.brokenPipe, nil) }
            }
        }
    }
#endif
