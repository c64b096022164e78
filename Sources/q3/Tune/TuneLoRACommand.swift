// q3 tune lora: LoRA matrices on the last layers of an embedding model or a reranker.
#if Training
import ArgumentParser
import Q3Convert
import Q3Embedding
import Q3GGUF
import Q3Input
import Q3Model
import Q3Reranking
import Q3System
import Q3Training

struct TuneLoRACommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lora",
        abstract: "Trains LoRA matrices on the last layers of a model.",
        usage: "q3 tune lora --input PAIRS --model MODEL --output FOLDER [OPTION ...]",
        discussion: """
            \(TuneDataArguments.discussion)

            The model is an embedding model, which is taught by InfoNCE with in-batch and
            given negatives, or a reranker, which is taught to answer yes or no; where it
            has fewer than --negatives wrong passages for a query, others are drawn.

            The layers below the last --layers are computed once, with the integer
            kernels. Their states lie in a file while the training runs, 2 bytes a value;
            --states keeps it for the next training over the same texts. The last layers
            run forward and backward in f32, a batch in parts, so that --batch-size is
            limited by patience and not by memory.

            FOLDER gets PEFT's adapter_config.json and adapter_model.safetensors, and a
            model card. Make a model of it from the checkpoint that it belongs to, or
            where there is none from the file:
              q3 convert Qwen3-Embedding-0.6B --lora FOLDER -o mine.gguf --type q8_0
              q3 quantize MODEL mine.gguf q8_0 --lora FOLDER

            A run that is interrupted goes on with --resume, to the same bits. Exit status
            1 says that no step was better than the model as it is: nothing was written.

            EXAMPLES
              q3 tune lora -i pairs.jsonl -m qwen3-embedding-0.6b -o my-adapter
              q3 tune lora -i pairs.jsonl -m reranker.gguf -o my-adapter --layers 8
              q3 tune lora -i pairs.jsonl -m embedding.gguf -o my-adapter --layers all \\
                --rank 8 --targets q,v --batch-size 256 --epochs 3 --matryoshka 256,64
            """)

    @OptionGroup var model: ModelArguments
    @OptionGroup var data: TuneDataArguments

    @Option(help: ArgumentHelp("The last layers to train, or all. (default: 4, or all of fewer)", valueName: "n"))
    var layers: LayerCount?

    @Option(help: ArgumentHelp("Rows of a LoRA matrix.", valueName: "n"))
    var rank = 16

    @Option(help: ArgumentHelp("What is learned counts alpha / rank times. (default: twice the rank)", valueName: "n"))
    var alpha: Double?

    @Option(help: ArgumentHelp("Matrices to train, of q,k,v,o,gate,up,down. (default: all)", valueName: "name,..."))
    var targets: TargetList?

    @Option(help: ArgumentHelp("Times that all pairs are seen.", valueName: "n"))
    var epochs = 1

    @Option(help: ArgumentHelp("Pairs of a step.", valueName: "n"))
    var batchSize = 32

    @Option(help: ArgumentHelp("The highest learning rate.", valueName: "rate"))
    var learningRate = 1e-4

    @Option(help: ArgumentHelp("The part of all steps in which it rises.", valueName: "part"))
    var warmup = 0.1

    @Option(help: "How it falls then: linear, cosine or constant.")
    var schedule: LearningRate.Decay = .linear

    @Option(help: ArgumentHelp("What a weight loses in a step, times the learning rate.", valueName: "part"))
    var weightDecay = 0.01

    @Option(help: ArgumentHelp("The longest gradient of a step, or none.", valueName: "length"))
    var maxGradNorm = OptionalNumber(value: 1)

    @Option(help: ArgumentHelp("What cosines are divided by in the loss.", valueName: "t"))
    var temperature = 0.05

    @Option(help: ArgumentHelp("Wrong passages of each query that are learned from.", valueName: "n"))
    var negatives = 4

    @Option(
        help: ArgumentHelp(
            "Passages that score so far above the answer are taken for answers; none turns that off.",
            valueName: "margin"))
    var falseNegativeMargin = OptionalNumber(value: 0.1)

    @Flag(help: "Compare queries with passages only, not with each other, nor answers with answers.")
    var passagesOnly = false

    @Option(help: ArgumentHelp("Sizes that vectors will be cut to, as 256,64.", valueName: "n,..."))
    var matryoshka: NumberList?

    @Option(help: ArgumentHelp("Tokens at which texts are cut.", valueName: "n"))
    var maxTokens = 512

    @Option(help: ArgumentHelp("A PEFT folder to go on from, with the same layers and rank.", valueName: "folder"))
    var start: String?

    @Option(
        help: ArgumentHelp("Keep the states of the layers below in this file.", valueName: "file"), completion: .file())
    var states: String?

    @Option(help: "How these states are stored: f16 or f32.")
    var stateType: StateType = .f16

    @Option(help: ArgumentHelp("MiB of a step's values to keep; what is beyond is computed twice.", valueName: "n"))
    var keep = 2048

    @Option(help: ArgumentHelp("Write the loss and the time of each step to this file.", valueName: "file"))
    var log: String?

    @Option(
        help: ArgumentHelp("The checkpoint's name in adapter_config.json. (default: the model's)", valueName: "name"))
    var baseName: String?

    @OptionGroup var place: TuneRunArguments

    func validate() throws {
        if keep < 0 { throw ValidationError("--keep must not be below 0") }
        if !(weightDecay >= 0 && weightDecay.isFinite) { throw ValidationError("--weight-decay must not be below 0") }
        if let alpha, !(alpha > 0 && alpha.isFinite) { throw ValidationError("--alpha must be above 0") }
    }

    private var options: LoRAOptions {
        var options = LoRAOptions()
        (options.rank, options.alpha) = (rank, alpha ?? 2 * Double(rank))
        if let targets { options.projections = targets.values }
        (options.epochs, options.batchSize, options.learningRate) = (epochs, batchSize, learningRate)
        (options.warmup, options.decay, options.optimizer.weightDecay) = (warmup, schedule, weightDecay)
        (options.gradientLimit, options.negatives, options.tokenLimit) = (maxGradNorm.value, negatives, maxTokens)
        (options.stateType, options.keptByteLimit) = (stateType, keep << 20)
        (options.seed, options.threads) = (data.seed, model.computing.threads)
        (options.loss.temperature, options.loss.margin) = (temperature, falseNegativeMargin.value)
        (options.loss.comparesQueries, options.loss.comparesAnswers) = (!passagesOnly, !passagesOnly)
        return options
    }

    /// The last layers that are trained, nil for all; without --layers a small model has all trained.
    private func trainedLayers(of model: Qwen3Model) -> Int? {
        if let layers { return layers.value }
        let usual = LoRAOptions().layers
        return usual.flatMap { $0 < model.config.layerCount ? $0 : nil }
    }

    private func open() throws -> TunedModel {
        try opening(model.model, copying: model.noMmap) { file in
            if try ModelRole(of: file, asked: model.options.role).kind == .reranker {
                return .reranker(try Reranker(file: file, options: model.options))
            }
            let embedder = try Embedder(file: file, options: model.options)
            embedder.role.announce(use: .embedding, of: embedder.model)
            return .embedder(embedder)
        }
    }

    func run() async throws {
        let began = ContinuousClock.now
        let folder = try OutputFolder(place.output)
        let pairs = try data.load()
        let tuned = try open()
        if case .embedder(let embedder) = tuned { try embedder.check(instruct: data.instruct) }
        let split = try data.split(pairs)
        var options = options
        options.layers = trainedLayers(of: tuned.model)
        if let matryoshka {
            options.loss.dimensions = ([tuned.model.config.hiddenSize] + matryoshka.values).map { ($0, 1) }
        }
        let job = try job(tuned.model, options)
        let state = TuneState(output: place.output, job: job)
        let statesPath = states ?? "\(place.output).q3-states"
        let trunk = TrunkProgress(tuned.model, layers: options.layers)
        var training = try await training(tuned, pairs, split, statesPath, options, trunk)
        trunk.finish()
        if training.cutCount > 0 {
            Terminal.say("\(training.cutCount) texts are longer than --max-tokens \(maxTokens) and were cut")
        }
        if let earlier = try state.load(resuming: place.resume, job: job) {
            try training.resume(earlier.history, earlier.values)
        }
        Terminal.say(
            "\(training.parameterCount) numbers to learn, \(training.stepCount) steps, \(training.tokenCount) tokens of texts"
        )
        let near = try await training.nearQueries()
        TuneDataArguments.say(near, pairs)
        let progress = TuneProgress(stepCount: training.stepCount, firstStep: training.stepsTaken)
        let steps = try log.map { try StepLog(path: $0, trunk: trunk) }
        try state.save(isDue: true) { (training.history, training.state) }
        while !training.isFinished {
            try await training.step()
            progress.show(training.history)
            try steps?.add(training)
            try state.save { (training.history, training.state) }
        }
        progress.finish()
        try steps?.finish()
        let isWritten = try await report(training, tuned, pairs, split, options, near, folder, since: began)
        state.remove()
        if states == nil { unsafe unlink(statesPath) }
        guard isWritten else {
            throw Failure(
                .noHits, "no gain: no step was better than the model as it is, so \(place.output) has no adapter")
        }
    }

    private func training(
        _ tuned: TunedModel, _ pairs: TrainingData, _ split: DataSplit, _ path: String, _ options: LoRAOptions,
        _ trunk: TrunkProgress
    ) async throws -> LoRATraining {
        let first = try start.map { try LoRAAdapter(folder: $0) }
        return switch tuned {
        case .embedder(let embedder):
            try await LoRATraining(
                pairs, split, embedder: embedder, statesPath: path, instruction: data.instruct, start: first,
                options: options, progress: trunk.show)
        case .reranker(let reranker):
            try await LoRATraining(
                pairs, split, reranker: reranker, statesPath: path, instruction: data.instruct, start: first,
                options: options, progress: trunk.show)
        }
    }

    /// Figures, the adapter, its card and its plot; false, and no adapter, where no step was better than none.
    private func report(
        _ training: LoRATraining, _ tuned: TunedModel, _ pairs: TrainingData, _ split: DataSplit,
        _ options: LoRAOptions,
        _ near: [NearQuery], _ folder: OutputFolder, since began: ContinuousClock.Instant
    ) async throws -> Bool {
        let comparison = try await training.comparison()
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        let summary = TuneSummary(history: training.history, comparison: comparison, seconds: seconds)
        try summary.say()
        Terminal.say(training.speed)
        try place.writePlot(training.history, title: "LoRA of rank \(rank) on \(Self.text(options.layers)) layers")
        if training.history.best?.step == 0 { return false }
        let name = try tuned.model.file.metadata.optionalString(Qwen3Schema.Key.name) ?? ""
        let adapter = try await training.result(baseName: baseName ?? name)
        try folder.create()
        try adapter.write(to: place.output)
        var card = summary.card(
            title: place.output.lastPathPart,
            summary:
                "A LoRA adapter for \(model.model?.lastPathPart ?? BuiltInModel.name), in PEFT's format. Make a model of "
                + "it with `q3 convert CHECKPOINT --lora \(place.output.lastPathPart) -o mine.gguf`, or where there is no "
                + "checkpoint with `q3 quantize MODEL.gguf mine.gguf q8_0 --lora \(place.output.lastPathPart)`.")
        card.add("Data", table: data.cardRows(pairs, split, near))
        card.add("Options", table: job(options).sorted { $0.name < $1.name })
        try place.writeCard(card)
        Terminal.say("the adapter is in \(place.output), its card in \(place.cardPath)")
        return true
    }

    private static func text(_ layers: Int?) -> String { layers.map { "\($0)" } ?? "all" }

    /// Options by name.
    private func job(_ options: LoRAOptions) -> [(name: String, value: String)] {
        [
            ("--layers", Self.text(options.layers)), ("--rank", "\(rank)"), ("--alpha", "\(options.alpha)"),
            (
                "--targets",
                Projection.allCases.filter(options.projections.contains).map(\.rawValue).joined(separator: ",")
            ),
            ("--epochs", "\(epochs)"), ("--batch-size", "\(batchSize)"), ("--learning-rate", "\(learningRate)"),
            ("--warmup", "\(warmup)"), ("--schedule", schedule.rawValue), ("--weight-decay", "\(weightDecay)"),
            ("--max-grad-norm", maxGradNorm.defaultValueDescription), ("--temperature", "\(temperature)"),
            ("--negatives", "\(negatives)"), ("--false-negative-margin", falseNegativeMargin.defaultValueDescription),
            ("--passages-only", "\(passagesOnly)"),
            ("--matryoshka", matryoshka.map { $0.values.map(String.init).joined(separator: ",") } ?? ""),
            ("--max-tokens", "\(maxTokens)"), ("--state-type", stateType.rawValue), ("--seed", "\(data.seed)"),
        ]
    }

    /// Everything that the bytes of the adapter depend on.
    private func job(_ model: Qwen3Model, _ options: LoRAOptions) throws -> ResumableJob {
        var job = ResumableJob()
        job.add("the model's fingerprint", "\(try Fingerprint(of: model))")
        try data.add(to: &job)
        for (name, value) in self.job(options) where name != "--seed" { job.add(name, value) }
        for name in ["adapter_config.json", "adapter_model.safetensors"] {
            guard let start else { break }
            var hash = SHA256()
            let bytes = try ByteStream(path: "\(start)/\(name)", decodes: false)
            while case let chunk = try bytes.read(), !chunk.isEmpty { hash.update(chunk) }
            job.add("--start, \(name)", SHA256Digest(hash).hex)
        }
        return job
    }
}
#endif
