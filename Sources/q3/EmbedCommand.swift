// q3 embed: texts in, vectors out, in the order of the input.
import ArgumentParser
import Q3Embedding
import Q3Input
import Q3Model

struct EmbedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "embed",
        abstract: "Turns texts into vectors.",
        usage: "q3 embed [--model FILE] [--query|--instruct TASK] [OPTION ...] [TEXT ...]",
        discussion: """
            Documents are embedded as they are; queries need --query or --instruct, which
            put the instruction before them that the model was trained with. Without
            --model the built-in q3-mini is used, which is small and English.

            INPUT is a text per line (an empty line is an empty text), JSON lines or a JSON
            list of {"id"?, "title"?, "text"}, or CSV or TSV with such columns. A title
            stands before its text, with a space between, unless --text-column names a
            column, which is then taken alone.

            OUTPUT has the format that the ending of --output says, else --format. A jsonl
            line is {"index", "id"?, "tokens", "truncated", "embedding"}, in the order of
            the input; json is a list of the same objects, csv has the same columns. npy
            and raw hold the matrix alone (raw: little endian, no header), text a row of
            numbers per line; since nothing else tells their rows apart, they imply
            --strict. The ids of an .npy go to a file .ids.txt beside it.

            int8 and uint8 divide the range of each dimension over this run's texts into
            256 steps, as sentence-transformers does without calibration: only vectors of
            one run are comparable, and they are held in memory until its end.

            With --resume, finished rows are kept when a run is interrupted or the disk
            fills, and the same command goes on after them. --shard 2/5 takes the second,
            seventh, ... record: five machines, each with its number, share the work.

            EXAMPLES
              q3 embed "Beijing is the capital of China." "Bread."
              q3 embed -m embedding.gguf --query "capital of China"
              q3 embed -m embedding.gguf -i chunks.jsonl -o vectors.jsonl
              q3 embed -m embedding.gguf -i docs.csv --text-column body -o vectors.npy
              q3 embed -m embedding.gguf -i notes --glob '*.md' --input-format file
              q3 embed -m embedding.gguf -i big.jsonl.gz -o big.npy --resume
              q3 embed -m embedding.gguf --adapter legal.gguf --query "may I sublet"
            """)

    @OptionGroup var model: ModelArguments
    @OptionGroup var adapted: AdapterArguments

    @Flag(help: "The texts are queries for web search.")
    var query = false

    @Option(help: ArgumentHelp("The texts are queries for this task, described in a sentence.", valueName: "task"))
    var instruct: String?

    @Option(
        help: ArgumentHelp(
            "Values to keep of each vector; the model is trained for 32 and up. (default: all)", valueName: "n"))
    var dimensions: Int?

    @Option(help: ArgumentHelp("Type of the values.", valueName: "type"))
    var type: EmbeddingType = .f32

    @Option(
        help: ArgumentHelp(
            "Form of the output. (default: by the ending of --output, else jsonl)", valueName: "format")
    )
    var format: VectorFormat?

    @Flag(help: "Cut texts that are too long for the model, instead of rejecting them.")
    var truncate = false

    @Flag(help: "Read <|im_end|> and the like in texts as control tokens, as Hugging Face does. Not for foreign text.")
    var parseSpecial = false

    @Flag(help: "Keep what is done when the run ends early, and resume there the next time.")
    var resume = false

    @Option(help: ArgumentHelp("Embed every N-th record only, from the I-th on.", valueName: "i/n"))
    var shard: Shard?

    @OptionGroup var input: InputArguments
    @OptionGroup var output: OutputArguments

    @Argument(help: "Texts to embed.")
    var text: [String] = []

    private var prompt: Prompt {
        instruct.map { .query(task: $0) } ?? (query ? .query() : .document)
    }

    func run() async throws {
        let format = try VectorFormat(format, output: output.output)
        if format.isBinary, output.output == nil, Terminal.isInteractive(1) {
            throw Failure(.usage, "\(format.rawValue) is not for terminals; give --output FILE")
        }
        let source = try input.source(arguments: text, what: "texts")
        try checkResumable(format, source)
        let inputs = source.paths + [try? modelPath(model.model), adapted.adapter].compactMap { $0 }
        let partFile = try resume ? ResumableOutput(path: output.output ?? "", inputs: inputs) : nil
        let file: any VectorOutput =
            if let partFile { partFile } else { try OutputFile(path: output.output, inputs: inputs) }
        let reader = try input.documents(source, shard: shard)
        let embedder = try model.embedder(instruct: instruct)
        let adapter = try adapted.load(for: embedder)
        if let adapter, !adapter.changes(prompt) {
            throw Failure(
                .usage, "\(adapted.adapter ?? "") changes queries alone; add --query or --instruct, or leave it out")
        }
        let kept = try embedder.dimensions(requested: dimensions)
        let columnCount = try type.elementCount(dimensions: kept)
        var rejections = Rejections(strict: input.strict || format.isPositional || source.isArguments)
        var done = FinishedRows.none
        if let partFile {
            guard
                let found = try partFile.begin(
                    job(source, format, embedder, kept), format: format,
                    rowByteCount: columnCount * type.elementByteCount, shard: shard)
            else { return Terminal.say("\(partFile.path) was finished already") }
            done = found
            rejections.addEarlier(done.rejectedCount)
            if done.rowCount > 0 { Terminal.say("resuming after \(done.rowCount) finished rows") }
        }
        var writer = try VectorWriter(
            format: format, type: type, columnCount: columnCount, output: file, rowCount: done.rowCount)
        var ids = format == .npy ? IDList(beside: output.output, inputs: inputs) : nil
        let progress = RunProgress()
        var (held, ready): ([VectorRow], [VectorRow]) = ([], [])
        var truncatedCount = 0

        let firstIndex = done.nextIndex
        let results = embedder.results(
            for: RecordStream(reader), text: { $0.index < firstIndex ? nil : try? $0.content.get() }, as: prompt,
            options: EmbeddingOptions(
                dimensions: kept, truncates: truncate, parsesSpecialTokens: parseSpecial, adapter: adapter),
            progress: { progress.show($0, upTo: $1.fraction) }
        ).makeAsyncIterator()
        while let (record, result) = try await results.next() {
            if record.index < firstIndex {
                try ids?.add(record.id, index: record.index)
                continue
            }
            let embedding = try rejections.output(of: record, result)
            progress.count(tokens: embedding?.tokenCount ?? 0, fraction: record.fraction)
            if let embedding {
                try ids?.add(record.id, index: record.index)
                ready.append(VectorRow(index: record.index, id: record.id, embedding: embedding))
                if embedding.isTruncated { truncatedCount += 1 }
            }
            guard !results.hasElementAtHand else { continue }
            if type.needsRanges { held += ready } else { try writer.write(ready) }
            ready = []
        }
        if let ranges = try EmbeddingRanges(of: held.lazy.map(\.embedding.vector)) {
            if held.count < 100 {
                Terminal.say("warning: the ranges of \(type.rawValue) come from \(held.count) vectors only")
            }
            try writer.write(held, ranges: ranges)
        }
        progress.finish()
        let idsPath = try ids?.finish()
        try writer.finish()
        summarize(writer.rowCount, kept, truncatedCount, rejections.count, ids: idsPath, progress.elapsed, format)
        try rejections.finish()
    }

    /// A word on stderr about a file that was written, and about input that held nothing.
    private func summarize(
        _ rowCount: Int, _ dimensions: Int, _ truncatedCount: Int, _ rejectedCount: Int, ids: String?,
        _ elapsed: Duration, _ format: VectorFormat
    ) {
        if rowCount == 0, rejectedCount == 0 { Terminal.say("the input is empty: there are no texts in it") }
        guard let path = output.output, path != "-", rowCount > 0 else { return }
        var parts = ["\(rowCount) \(rowCount == 1 ? "vector" : "vectors") of \(dimensions) values in \(path)"]
        if truncatedCount > 0 { parts.append("\(truncatedCount) cut to fit the model") }
        if format == .npy { parts.append(ids.map { "ids in \($0)" } ?? "no ids in the input") }
        if format == .raw { parts.append("without ids, which raw has no place for") }
        Terminal.say("\(parts.joined(separator: ", ")); \((elapsed / .seconds(1)).fixed(1)) s")
    }

    private func checkResumable(_ format: VectorFormat, _ source: InputSource) throws {
        guard resume else { return }
        guard let path = output.output, path != "-" else { throw Failure(.usage, "--resume needs --output FILE") }
        guard format.isResumable else {
            throw Failure(.usage, "--resume is for jsonl, csv, npy and raw, not for \(format.rawValue)")
        }
        guard !type.needsRanges else {
            throw Failure(
                .usage, "--resume cannot keep \(type.rawValue): its ranges are known at the end only; take f32 or f16")
        }
        guard source.isArguments || source.areRegularFiles else {
            throw Failure(.usage, "--resume needs files as --input: what came through a pipe cannot be read again")
        }
    }

    /// Everything that the bytes of the output depend on.
    private func job(
        _ source: InputSource, _ format: VectorFormat, _ embedder: Embedder, _ dimensions: Int
    ) throws -> ResumableJob {
        var job = ResumableJob()
        job.add("the model's fingerprint", "\(try Fingerprint(of: embedder.model))")
        try adapted.add(to: &job)
        job.add("the prompt", embedder.prompted("{text}", as: prompt))
        job.add("--format", format.rawValue)
        job.add("--type", type.rawValue)
        job.add("--dimensions", "\(dimensions)")
        job.add("--truncate", "\(truncate)")
        job.add("--parse-special", "\(parseSpecial)")
        job.add("--shard", shard.map { "\($0)" } ?? "1/1")
        job.add("--input-format", input.inputFormat?.rawValue ?? "")
        job.add("--text-column", input.textColumn ?? "")
        job.add("--id-column", input.idColumn ?? "")
        job.add("--lossy", "\(input.lossy)")
        job.add("--strict", "\(input.strict)")
        try job.add(source)
        return job
    }
}

/// Every so many records, as "2/5".
struct Shard: ExpressibleByArgument, CustomStringConvertible {
    /// 0..<count
    let number: Int
    let count: Int

    init?(argument: String) {
        let parts = argument.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let number = parts[0], let count = parts[1], 1...1_000_000 ~= count,
            1...count ~= number
        else { return nil }
        (self.number, self.count) = (number - 1, count)
    }

    var description: String { "\(number + 1)/\(count)" }
}
