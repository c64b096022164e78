// q3 tune: a better model for one's own data.
#if Training
import ArgumentParser

struct TuneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tune",
        abstract: "Makes a model better for your own data.",
        usage: "q3 tune WHAT --input PAIRS --output PLACE [OPTION ...]",
        discussion: """
            Queries and the passages that answer them are learned from, as sentence-
            transformers and ms-swift do it, on the CPU. Part of the queries is kept aside
            before anything else; figures are of these alone, before and after, with the
            range that chance would give. No gain is said, and is a result.

            EXAMPLES
              q3 tune adapter -i pairs.jsonl --index notes.q3i -o notes-adapter.gguf
              q3 search "rotate keys" --index notes.q3i --adapter notes-adapter.gguf
              q3 tune lora -i pairs.jsonl -m embedding.gguf -o my-lora
            """,
        subcommands: subcommands)

    private static var subcommands: [any ParsableCommand.Type] { [TuneAdapterCommand.self, TuneLoRACommand.self] }
}
#endif
