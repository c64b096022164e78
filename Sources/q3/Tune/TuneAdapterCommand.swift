// q3 tune adapter: a small change to query vectors that is learned in minutes, over vectors that exist.
#if Training
import ArgumentParser
import Q3Embedding
import Q3Input
import Q3Linear
import Q3System
import Q3Training

struct TuneAdapterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adapter",
        abstract: "Learns a small change to query vectors; documents keep theirs.",
        usage: "q3 tune adapter -i PAIRS -o ADAPTER [--index INDEX] [OPTION ...]",
        discussion: """
            \(TuneDataArguments.discussion)

            The adapter turns a query's vector v into v + B A v, in unit length. It is a
            small file for this model alone; give it to 'q3 embed', 'q3 search' and
            'q3 serve' with --adapter. An index serves with it as without it. With
            --documents it changes document vectors too, which are then others: embed
            and index them again with --adapter.

            Nothing is embedded twice: with --index the passages are the chunks of an
            index, and an answer is the text of a chunk or part of it, or its name
            (file:line); with --vectors they are the rows of the .npy that 'q3 embed' made
            of --corpus.

            A run that is interrupted goes on with --resume, to the same bits. Exit status
            1 says that no step was better than the model as it is: nothing was written.

            EXAMPLES
              q3 tune adapter -i pairs.jsonl --index notes.q3i -o notes-adapter.gguf
              q3 tune adapter -i pairs.jsonl -m embedding.gguf -o a.gguf --plot loss.svg
              q3 tune adapter -i train.jsonl --test test.jsonl -m embedding.gguf \\
                --corpus docs.jsonl --vectors docs.npy -o a.gguf
            """)

    @OptionGroup var model: ModelArguments
    @OptionGroup var data: TuneDataArguments

    @Option(help: ArgumentHelp("The index whose chunks are searched.", valueName: "index"), completion: .directory)
    var index: String?

    @Option(
        help: ArgumentHelp("The vectors of the passages of --corpus, as an .npy file.", valueName: "file"),
        completion: .file(extensions: ["npy"]))
    var vectors: String?

    @Option(help: ArgumentHelp("Values to keep of each vector. (default: all)", valueName: "n"))
    var dimensions: Int?

    @Flag(help: "Cut texts that are too long for the model, instead of ending.")
    var truncate = false

    @Flag(help: "Change document vectors too.")
    var documents = false

    @Option(help: ArgumentHelp("Directions that the adapter can change.", valueName: "n"))
    var rank = AdapterOptions().rank

    @Option(help: ArgumentHelp("Times that all pairs are seen.", valueName: "n"))
    var epochs = AdapterOptions().epochs

    @Option(help: ArgumentHelp("Pairs of a step.", valueName: "n"))
    var batchSize = AdapterOptions().batchSize

    @Option(help: ArgumentHelp("The highest learning rate.", valueName: "rate"))
    var learningRate = AdapterOptions().learningRate

    @Option(help: ArgumentHelp("What cosines are divided by in the loss.", valueName: "t"))
    var temperature = AdapterOptions().loss.temperature

    @Option(help: ArgumentHelp("Near passages of each query that are learned from as wrong ones.", valueName: "n"))
    var negatives = AdapterOptions().minedNegatives

    @Option(
        help: ArgumentHelp(
            "Passages that score so far above the answer are taken for answers; none turns that off.",
            valueName: "margin"))
    var falseNegativeMargin: OptionalNumber = OptionalNumber(value: 0.1)

    @Option(help: ArgumentHelp("Sizes that vectors will be cut to, as 256,64.", valueName: "n,..."))
    var matryoshka: NumberList?

    @OptionGroup var run: TuneRunArguments

    func validate() throws {
        if index != nil, vectors != nil { throw ValidationError("give --index or --vectors, not both") }
        if index != nil, !data.corpus.isEmpty {
            throw ValidationError("the chunks of --index are the corpus; leave out --corpus")
        }
        if vectors != nil, data.corpus.isEmpty { throw ValidationError("--vectors needs the texts: give --corpus") }
        if rank < 1 { throw ValidationError("--rank must be at least 1") }
        if epochs < 1 { throw ValidationError("--epochs must be at least 1") }
        if batchSize < 2 { throw ValidationError("--batch-size must be at least 2") }
        if !(learningRate > 0 && learningRate.isFinite) { throw ValidationError("--learning-rate must be above 0") }
        if !(temperature > 0 && temperature.isFinite) { throw ValidationError("--temperature must be above 0") }
        if negatives < 0 { throw ValidationError("--negatives must not be below 0") }
    }

    private var options: AdapterOptions {
        var options = AdapterOptions()
        (options.rank, options.scope) = (rank, documents ? .everything : .queries)
        (options.epochs, options.batchSize, options.learningRate) = (epochs, batchSize, learningRate)
        (options.minedNegatives, options.seed, options.threads) = (negatives, data.seed, model.computing.threads)
        options.loss.temperature = temperature
        options.loss.margin = falseNegativeMargin.value
        return options
    }

    func run() async throws {
        let start = ContinuousClock.now
        let inputs = data.paths + [vectors, try? modelPath(model.model)].compactMap { $0 }
        try OutputPlace.check(run.output)
        if let used = inputs.first(where: { InputFolder.isSameFile($0, run.output) }) {
            throw Failure(.usage, "\(run.output) is an input of this command (\(used)); give another --output")
        }
        let read = try data.load()
        try read.check(for: .embedding)
        // Before anything is done with the texts.
        _ = try data.split(read)
        let found = try await vectors(for: read)
        let split = try DataSplit(of: found.data, options: data.splitOptions)
        let near = try await NearQuery.find(split, queries: found.queries, threads: model.computing.threads)
        TuneDataArguments.say(near, found.data)
        var options = options
        if let matryoshka {
            options.loss.dimensions = ([found.passages.dimensions] + matryoshka.values).map { ($0, 1) }
        }
        let job = try job(found)
        let state = TuneState(output: run.output, job: job)
        var training = try await AdapterTraining(
            found.data, split, queries: found.queries, passages: found.passages, options: options)
        if let earlier = try state.load(resuming: run.resume, job: job) {
            try training.resume(earlier.history, earlier.values)
        }
        let progress = TuneProgress(stepCount: training.stepCount, firstStep: training.stepsTaken)
        try state.save(isDue: true) { (training.history, training.state) }
        while !training.isFinished {
            try await training.step()
            progress.show(training.history)
            try state.save { (training.history, training.state) }
        }
        progress.finish()
        let isWritten = try await report(training, found, split, options, near, since: start)
        state.remove()
        found.kept.remove()
        guard isWritten else {
            throw Failure(
                .noHits, "no gain: no step was better than the model as it is, so \(run.output) was not written")
        }
    }

    /// Figures, the adapter, its card and its plot; false, and no adapter, where no step was better than none.
    private func report(
        _ training: AdapterTraining, _ found: TuneVectors, _ split: DataSplit, _ options: AdapterOptions,
        _ near: [NearQuery], since start: ContinuousClock.Instant
    ) async throws -> Bool {
        let comparison = try await training.comparison()
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let summary = TuneSummary(history: training.history, comparison: comparison, seconds: seconds)
        try summary.say()
        try run.writePlot(training.history, title: "Adapter of rank \(rank)")
        if training.history.best?.step == 0 { return false }
        let notes = summary.notes.merging(optionNotes(options)) { first, _ in first }
        let adapter = try training.adapter(for: found.fingerprint, instruction: data.instruct, notes: notes)
        try adapter.write(to: run.output)
        var card = summary.card(
            title: run.output.lastPathPart,
            summary: "A change to the vectors of \(documents ? "queries and documents" : "queries"), for the model "
                + "\(model.model?.lastPathPart ?? BuiltInModel.name) (fingerprint \(found.fingerprint)). Use it with "
                + "`q3 embed`, `q3 search` or `q3 serve` and `--adapter \(run.output.lastPathPart)`.")
        card.add("Data", table: data.cardRows(found.data, split, near) + [("Searched", found.source)])
        card.add("Options", table: optionNotes(options).sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
        try run.writeCard(card)
        Terminal.say("the adapter is in \(run.output), its card in \(run.cardPath)")
        return true
    }

    private func optionNotes(_ options: AdapterOptions) -> [String: String] {
        [
            "rank": "\(rank)", "epochs": "\(epochs)", "batch size": "\(batchSize)", "learning rate": "\(learningRate)",
            "temperature": "\(temperature)", "mined negatives": "\(negatives)",
            "false negative margin": falseNegativeMargin.value.map { "\($0)" } ?? "none", "seed": "\(data.seed)",
            "dimensions":
                (options.loss.dimensions.isEmpty
                ? "all"
                : options.loss.dimensions.map { "\($0.count)" }
                    .joined(separator: ", ")),
        ]
    }

    /// Everything that the bytes of the adapter depend on.
    private func job(_ found: TuneVectors) throws -> ResumableJob {
        var job = ResumableJob()
        job.add("the model's fingerprint", "\(found.fingerprint)")
        try data.add(to: &job)
        var hash = SHA256()
        for matrix in [found.queries, found.passages] {
            for row in 0..<matrix.count {
                unsafe matrix[row].withUnsafeBytes { bytes in unsafe hash.update(bytes) }
            }
        }
        job.add("the vectors", SHA256Digest(hash).hex)
        job.add("--documents", "\(documents)")
        job.add("--rank", "\(rank)")
        job.add("--epochs", "\(epochs)")
        job.add("--batch-size", "\(batchSize)")
        job.add("--learning-rate", "\(learningRate)")
        job.add("--temperature", "\(temperature)")
        job.add("--negatives", "\(negatives)")
        job.add("--false-negative-margin", falseNegativeMargin.value.map { "\($0)" } ?? "none")
        job.add("--matryoshka", matryoshka.map { $0.values.map(String.init).joined(separator: ",") } ?? "")
        return job
    }
}
#endif
