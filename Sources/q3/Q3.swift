// The command line tool: parses, runs one command, and turns every failure into one line and an exit status.
import ArgumentParser
import Q3Catalog
import Q3Kernels
import Q3Model
import Q3System

@main
enum Q3 {
    static func main() {
        Interruption.blockSignals()
        Interruption.endWhenPagesAreLost()
        MemoryLimit.useOneArenaWhereLimited()
        guard FileLimit.current >= FileLimit.least else {
            let said = "the system allows \(FileLimit.current) open files, and q3 needs \(FileLimit.least)"
            exit(report(Failure(.system, "\(said); raise the limit (ulimit -n)")).rawValue)
        }
        // Where the system has no thread to give, tasks would wait for ever: they need two or three, the model one more.
        guard Team.startableThreads(5) == 5 else {
            let said = "the system lets no thread run; raise the limit (ulimit -u), or that on memory (ulimit -v)"
            exit(report(Failure(.system, said)).rawValue)
        }
        Task.detached { exit(await run().rawValue) }
        Interruption.waitForSignal()
    }

    private static func run() async -> ExitStatus {
        if let fault = argumentFault() { return report(Failure(.badData, fault)) }
        do {
            var command = try RootCommand.parseAsRoot()
            do {
                if var command = command as? any AsyncParsableCommand {
                    try await command.run()
                } else {
                    try command.run()
                }
            } catch  where RootCommand.exitCode(for: error) == .success {
                throw error  // `q3 help` and a bare `q3` ask for help only when they run
            } catch {
                return report(Failure(error))
            }
            return .success
        } catch {
            return report(argumentError: error)
        }
    }

    /// Names the first argument or variable of ours that is not UTF-8: what the parser gets has been repaired, and would be
    /// another text, or another file.
    private static func argumentFault() -> String? {
        for index in 1..<max(1, Int(CommandLine.argc)) {
            guard let argument = unsafe CommandLine.unsafeArgv[index] else { continue }
            let bytes = unsafe Array(UnsafeRawBufferPointer(start: argument, count: strlen(argument)))
            do throws(UTF8.ValidationError) {
                _ = try UTF8Span(validating: bytes.span)
            } catch {
                let place = "argument \(index) is not UTF-8 at its byte \(error.byteOffsets.lowerBound)"
                return
                    "\(place); give a file with such a name another one, or a link to it, and texts with --input (--lossy "
                    + "replaces the bytes)"
            }
        }
        var next = unsafe environ
        while let entry = unsafe next.pointee {
            let text = unsafe String(cString: entry)
            if text.utf8.starts(with: "Q3_".utf8), unsafe String(validatingCString: entry) == nil {
                return "the variable \(text.prefix { $0 != "=" }) is not UTF-8; q3 can use no such path"
            }
            unsafe next += 1
        }
        return nil
    }

    private static func report(_ failure: Failure) -> ExitStatus {
        if let message = failure.message { Terminal.say("error: \(message)") }
        return failure.status
    }

    /// Help and version go to stdout; what is wrong with the arguments is one line and where to read on.
    private static func report(argumentError error: any Error) -> ExitStatus {
        guard RootCommand.exitCode(for: error) != .success else {
            do throws(SystemError) {
                try Terminal.print(RootCommand.fullMessage(for: error))
                return .success
            } catch {
                return report(
                    error.code == EPIPE
                        ? Failure(.brokenPipe, nil)
                        : Failure(.inputOutput, "cannot write stdout", errno: error.code))
            }
        }
        if let fault = commandFault() { return report(Failure(.usage, fault)) }
        // The parser lists the values of an option on lines of their own.
        let message = RootCommand.message(for: error).replacing("\n  -", with: "").replacing("\n", with: " ")
        let command = CommandLine.arguments.dropFirst().first.flatMap {
            RootCommand.commandNames.contains($0) ? " \($0)" : nil
        }
        return report(Failure(.usage, "\(message); see 'q3\(command ?? "") --help'"))
    }

    /// What is wrong with the name of the command, and which one may have been meant.
    private static func commandFault() -> String? {
        guard let name = CommandLine.arguments.dropFirst().first, !name.hasPrefix("-"), name != "help",
            !RootCommand.commandNames.contains(name)
        else { return nil }
        let near = NearNames.of(name, in: RootCommand.commandNames)
        let hint = near.isEmpty ? "" : "; did you mean \(near.map { "'q3 \($0)'" }.joined(separator: " or "))?"
        return "there is no command '\(name)'\(hint) see 'q3 --help'".replacing("' see", with: "'; see")
    }
}

struct RootCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "q3",
        abstract: "Embeds and ranks text with Qwen3-Embedding and Qwen3-Reranker models in GGUF files, on the CPU.",
        discussion: """
            EXAMPLES
              q3 list
              q3 pull qwen3-embedding-0.6b
              q3 embed -m qwen3-embedding-0.6b "capital of China"
              q3 embed -m embedding.gguf "Beijing is the capital of China."
              q3 embed -m embedding.gguf -i lines.txt -o vectors.npy
              q3 rerank -m reranker.gguf --query "capital of China" "Beijing." "Bread."
              q3 search "capital of China" -m embedding.gguf -i documents.jsonl
              q3 index create notes.q3i && q3 index add notes.q3i ~/notes
              q3 search "capital of China" --index notes.q3i
              q3 serve -m embedding.gguf -m reranker.gguf --port 8080
              q3 convert Qwen3-Embedding-0.6B -o embedding-f16.gguf --type f16
              q3 quantize embedding-f16.gguf embedding-q4.gguf Q4_K_M
              q3 info -m embedding.gguf
              q3 eval retrieval scifact -m embedding.gguf
              q3 duplicates -i tickets.jsonl --threshold 0.95

            EXIT STATUS
               0  done                       1  q3 search --index found nothing
              64  wrong usage               65  bad model or input
              66  no such input             69  cannot listen or download
              70  no finite numbers came    71  out of memory or files
              73  cannot create the output
              74  reading or writing failed 75  done but for rejected records
              77  not permitted            141  nobody reads the output
             130  interrupted (129, 131, 143: hung up, quit, terminated)
            """,
        version: Release.version,
        subcommands: commands)

    static var commandNames: [String] { commands.compactMap { $0.configuration.commandName } }

    private static var commands: [any ParsableCommand.Type] {
        var commands: [any ParsableCommand.Type] = [EmbedCommand.self, RerankCommand.self, SearchCommand.self]
        #if Server
        commands.append(ServeCommand.self)
        #endif
        #if Pull
        commands.append(PullCommand.self)
        #endif
        #if Index
        commands += [IndexCommand.self, MCPCommand.self]
        #endif
        commands += [DuplicatesCommand.self, ClusterCommand.self, ClassifyCommand.self, MineCommand.self]
        #if Training
        commands.append(TuneCommand.self)
        #endif
        return commands + [
            ListCommand.self, VerifyCommand.self, ConvertCommand.self, QuantizeCommand.self, MergeCommand.self,
            TokenizeCommand.self, InfoCommand.self, BenchCommand.self, EvalCommand.self,
        ]
    }
}
