// q3 info: what a model file is, how its texts are treated, and what running it takes.
import ArgumentParser
import Q3GGUF
import Q3Model
import Q3Tokenizer

struct InfoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info",
        abstract: "Describes a model file and what it needs.",
        usage: "q3 info [--model FILE] [--context TOKENS] [--json]",
        discussion: """
            The fingerprint names the vector space: weights, tokenizer, prompt, pooling,
            normalization, precision and the version of the arithmetic. Vectors may be
            compared exactly when fingerprints, dimensions and types are equal. Computing
            it reads the whole file.

            Memory is for one text of --context tokens. Weights are mapped: all processes
            that use the file share them.

            EXAMPLES
              q3 info -m embedding.gguf
              q3 info -m embedding.gguf --context 32768 --json
            """)

    @OptionGroup var model: ModelArguments

    @Option(help: "Tokens of the text that memory is planned for. (default: 8192, or the model's limit if less)")
    var context: Int?

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        if let context, context < 1 { throw ValidationError("--context must be at least 1") }
    }

    func run() throws {
        let report = try opening(model.model) { file -> String in
            let qwen: Qwen3Model
            do {
                qwen = try Qwen3Model(file: file, options: model.options)
            } catch let error as ModelError where error.isOfTheFile {
                return try UnsupportedReport(file: file, options: model.options, error: error).output(json: json)
            }
            let tokenizer = try Tokenizer(metadata: file.metadata)
            let limit = qwen.config.contextLength
            if let context, context > limit {
                throw Failure(.usage, "--context \(context) is more than the model's limit of \(limit) tokens")
            }
            let report = try ModelReport(model: qwen, tokenizer: tokenizer, context: context ?? min(8192, limit))
            return json ? report.json : report.text
        }
        let output = try OutputFile(path: nil, inputs: [])
        try output.write(Array(report.utf8))
    }
}
