// Options of all evaluations, and what they make of a task's data, texts and scores.
import ArgumentParser
import Q3Embedding
import Q3Eval
import Q3Model

struct EvalArguments: ParsableArguments {
    @OptionGroup var model: ModelArguments
    @OptionGroup var adapted: AdapterArguments

    @Option(help: "What the texts are for, in a sentence; '' for no instruction. (default: the task's)")
    var instruct: String?

    @Option(help: "Values to keep of each vector. (default: all)")
    var dimensions: Int?

    @Option(help: "Which part of the data to measure on.")
    var split: String = "test"

    @Flag(help: "Cut texts that are too long for the model, instead of ending.")
    var truncate = false

    @Option(help: "What to call the task. (default: the name of its data)")
    var name: String?

    @Option(help: "A language of the texts, as in eng-Latn, for the results; may be repeated.")
    var language: [String] = []

    @Flag(help: "Print MTEB's layout instead of a table.")
    var json = false

    @Option(name: .shortAndLong, help: "Write MTEB's layout to this file, which appears when it is complete.")
    var output: String?

    func validate() throws {
        if json, output != nil { throw ValidationError("give --json or --output, not both") }
        if split.contains("/") || split.isEmpty {
            throw ValidationError("--split is the name of a file without ending")
        }
    }

    /// The instruction asked for, or else the task's; nil for none, and for models that take none.
    func instruction(_ task: TaskInstruction, for embedder: Embedder) throws -> TaskInstruction? {
        guard let instruct else { return embedder.takesInstructions ? task : nil }
        guard !instruct.isEmpty else { return nil }
        try embedder.check(instruct: instruct)
        return TaskInstruction(instruct, isSymmetric: task.isSymmetric)
    }

    func openEmbedder() throws -> Embedder {
        try model.embedder()
    }

    /// The adapter, as `q3 search` applies it: to texts with an instruction, and where it was made so to all. Throws for one
    /// that would change no text of the task, whose queries are embedded as `prompt` says.
    func adapter(for embedder: Embedder, queries prompt: Prompt) throws -> EmbeddingAdapter? {
        let adapter = try adapted.load(for: embedder)
        if let adapter, !adapter.changes(prompt) {
            throw Failure(
                .usage,
                "\(adapted.adapter ?? "") changes queries alone, and here no text has an instruction; give one with --instruct, "
                    + "or leave the adapter out")
        }
        return adapter
    }

    /// The name of the data: the last part of its path, without an ending.
    func taskName(of data: String) -> String {
        if let name { return name }
        let last = data.split(separator: "/").last { $0 != "." } ?? Substring(data)
        return [".jsonl", ".tsv"].first { last.hasSuffix($0) }.map { String(last.dropLast($0.count)) } ?? String(last)
    }
}
