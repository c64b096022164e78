// q3 embed: texts in, vectors out, in the order of the input.
import ArgumentParser
import Q3Embedding
import Q3Input

struct EmbedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "embed",
        abstract: "Turns texts into vectors.",
        usage: "q3 embed [--model FILE] [--query|--instruct TASK] [OPTION ...] [TEXT ...]",
        discussion: """
            Documents are embedded as they are; queries need --query or --instruct, which
            put the instruction before them that the model was trained with. An empty line
            is an empty text and has a vector too. Without --model the built-in q3-mini is
            used, which is small and English and takes queries as they are.

            A jsonl line is {"index", "id"?, "tokens", "truncated", "embedding"}, in the
            order of the input; json is a list of the same objects. npy and raw hold the
            matrix alone (raw: little endian, no header), text a row of numbers per line;
            since nothing else tells their rows apart, they imply --strict.

            int8 and uint8 divide the range of each dimension over this run's texts into
            256 steps, as sentence-transformers does without calibration: only vectors of
            one run are comparable, and they are held in memory until its end.

            EXAMPLES
              q3 embed "Beijing is the capital of China." "Bread."
              q3 embed -m embedding.gguf "Beijing is the capital of China." "Bread."
              q3 embed -m embedding.gguf --query "capital of China"
              q3 embed -m embedding.gguf -i chunks.jsonl -o vectors.jsonl
              cat lines.txt | q3 embed -m embedding.gguf --format npy -o vectors.npy
            """)

    @OptionGroup var model: ModelArguments

    @Flag(help: "The texts are queries for web search.")
    var query = false

    @Option(help: "The texts are queries for this task, described in a sentence.")
    var instruct: String?

    @Option(help: "Values to keep of each vector; the model is trained for 32 and up. (default: all)")
    var dimensions: Int?

    @Option(help: "Type of the stored values.")
    var type: EmbeddingType = .f32

    @Option(help: "Output format.")
    var format: VectorFormat = .jsonl

    @Flag(help: "Cut texts that are too long for the model, instead of rejecting them.")
    var truncate = false

    @Flag(help: "Read <|im_end|> and the like in texts as control tokens, as Hugging Face does. Not for foreign text.")
    var parseSpecial = false

    @OptionGroup var input: InputArguments
    @OptionGroup var output: OutputArguments

    @Argument(help: "Texts to embed.")
    var text: [String] = []

    private var prompt: Prompt {
        instruct.map { .query(task: $0) } ?? (query ? .query() : .document)
    }

    func run() async throws {
        if format.isBinary, output.output == nil, Terminal.isInteractive(1) {
            throw Failure(.usage, "\(format.rawValue) is not for terminals; give --output FILE")
        }
        let source = try InputSource(arguments: text, file: input.input, what: "texts")
        var records = try RecordReader(source, lossy: input.lossy, parser: .texts)
        let file = try OutputFile(path: output.output, inputs: [source.path, try? modelPath(model.model)])
        let embedder = try opening(model.model, copying: model.noMmap) {
            try Embedder(file: $0, options: model.options)
        }
        embedder.role.announce(use: .embedding, of: embedder.model)
        if instruct != nil, !embedder.takesInstructions {
            throw Failure(.usage, "this model takes no instructions; leave out --instruct")
        }
        let kept = try embedder.dimensions(requested: dimensions)
        let columnCount = try type.elementCount(dimensions: kept)
        var writer = try VectorWriter(format: format, type: type, columnCount: columnCount, output: file)
        var rejections = Rejections(strict: input.strict || format.isPositional || source.isArguments)
        let progress = RunProgress()
        var held: [VectorRow] = []

        while let window = try records.nextWindow(rejecting: { try rejections.add($0, $1) }) {
            let results = try await embedder.results(
                for: window.records.map(\.content), as: prompt,
                options: EmbeddingOptions(dimensions: kept, truncates: truncate, parsesSpecialTokens: parseSpecial),
                progress: { progress.show($0, in: window.span) })
            var rows: [VectorRow] = []
            for (record, result) in zip(window.records, results) {
                switch result {
                case .success(let embedding): rows.append(VectorRow(record: record, embedding: embedding))
                case .failure(let error): try rejections.add(record.name, "\(error)", status: error.exitStatus)
                }
            }
            progress.finishWindow(records: rows.count, tokens: rows.reduce(0) { $0 + $1.embedding.tokenCount })
            if type.needsRanges {
                held += rows
            } else {
                try writer.write(rows)
            }
        }
        if let ranges = try EmbeddingRanges(of: held.lazy.map(\.embedding.vector)) {
            if held.count < 100 {
                Terminal.say("warning: the ranges of \(type.rawValue) come from \(held.count) vectors only")
            }
            try writer.write(held, ranges: ranges)
        }
        progress.finish()
        try writer.finish()
        try rejections.finish()
    }
}
