// q3 bench: how fast a model runs on this machine, and where the time goes.
public import ArgumentParser
import Q3GGUF
public import Q3Kernels
import Q3Model

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures speed and memory.",
        usage: "q3 bench --model FILE|--synthetic SIZE:TYPE [--case NAME] [OPTION ...]",
        discussion: """
            Runs token lists with random ids through the model: one warm-up, then --repeat
            timed runs, of which the median counts. tokens/s counts the tokens that come
            in; "distinct" ones are left when equal prefixes, which are computed once, are
            counted once. The peak of resident memory includes the model file's pages.

            CASES
              tokens:N   one text of N tokens
              tokens     tokens:N for N = \(BenchCase.lengths.map(String.init).joined(separator: " "))
              mixed      64 texts of 8 to 1024 tokens
              queries    256 queries of about 10 tokens after one instruction of 22
              rerank     1 query and 100 passages of 150 tokens
              threads    one text of \(BenchCase.steadyLength) tokens with 1, 2, ... threads
              start      process start to first vector, the file being in the page cache
              tokenizer  text to tokens, on one thread
              all        everything; this is the default and takes minutes

            --profile and --roofline measure something else instead: the time of each node
            of the graph in the given cases (tokens:\(BenchCase.steadyLength) by default), and what this
            machine could do at most against what the model's products and the whole model
            reach.

            EXAMPLES
              q3 bench -m embedding.gguf --case tokens:512 queries
              q3 bench -m embedding.gguf --case tokens threads --plot speed.svg
              q3 bench -m embedding.gguf --case mixed --threads 2 --json
              q3 bench --synthetic 0.6B:Q4_K_M --profile
            """)

    @Option(
        name: .shortAndLong, help: "The model: a GGUF file, or a name from 'q3 list'.",
        completion: ModelNames.completion)
    var model: String?

    @Option(
        help: ArgumentHelp(
            "A model with random weights instead: \(SyntheticModel.help).", valueName: "size:type"))
    var synthetic: SyntheticModel?

    @Option(
        name: .customLong("case"), parsing: .upToNextOption,
        help: ArgumentHelp("What to measure; several can be given. (default: all)", valueName: "name"),
        transform: { name in
            guard let cases = BenchCase.named(name) else {
                throw ValidationError("'\(name)' is not a case")
            }
            return cases
        })
    var cases: [[BenchCase]] = []

    @Option(help: ArgumentHelp("Threads that compute. (default: one per core)", valueName: "n"))
    var threads: Int?

    @Option(
        help: ArgumentHelp(
            "How far activations are rounded: auto, fast (8 bits), fine (14 bits) or exact (f32).",
            valueName: "precision"))
    var precision: Precision = .auto

    @Option(help: ArgumentHelp("Most distinct tokens that one pass computes together.", valueName: "n"))
    var batchTokens = ModelOptions().batchTokens

    @Option(help: ArgumentHelp("Megabytes of weights to keep packed.", valueName: "n"))
    var packedWeights = 0

    @Flag(help: "Compute equal prefixes again for every text.")
    var noSharing = false

    @Option(
        help: ArgumentHelp("Instruction set of the kernels; the best one of this machine by itself.", valueName: "isa"))
    var isa: ISA = .best

    @Option(name: .customLong("repeat"), help: ArgumentHelp("Timed runs of each case.", valueName: "n"))
    var repeatCount = 3

    @Flag(help: "Time the first run too.")
    var skipWarmUp = false

    @Flag(help: "Print a JSON object per line.")
    var json = false

    @Option(help: ArgumentHelp("Draw speed and memory of the tokens and threads cases.", valueName: "file.svg"))
    var plot: String?

    @Flag(help: "Time each node of the graph.")
    var profile = false

    @Flag(help: "Compare with this machine's ceilings.")
    var roofline = false

    func validate() throws {
        guard (model == nil) != (synthetic == nil) else { throw ValidationError("give either --model or --synthetic") }
        guard isa.isAvailable else { throw ValidationError("this machine does not run --isa \(isa.name)") }
        if let threads, !(1...ModelOptions.threadLimit ~= threads) {
            throw ValidationError("--threads must be 1 to \(ModelOptions.threadLimit)")
        }
        guard (0...1 << 20).contains(packedWeights) else {
            throw ValidationError("--packed-weights must be 0 to 1048576")
        }
        guard batchTokens > 0 else { throw ValidationError("--batch-tokens must be at least 1") }
        guard repeatCount > 0 else { throw ValidationError("--repeat must be at least 1") }
        if plot != nil {
            guard !profile, !roofline, cases.isEmpty || cases.joined().contains(where: BenchFigure.shows) else {
                throw ValidationError("--plot draws tokens and threads cases only")
            }
        }
    }

    func run() async throws {
        let output = try OutputFile(path: nil, inputs: [])
        let setup = try makeSetup()
        if profile || roofline {
            if profile { try await printProfile(setup, to: output) }
            if roofline { try await printRoofline(setup, to: output) }
        } else {
            try await measure(setup, to: output)
        }
    }

    private func measure(_ setup: BenchSetup, to output: OutputFile) async throws {
        let limit = try setup.model().config.contextLength
        let cases = self.cases.isEmpty ? BenchCase.all.filter { $0.fits(context: limit) } : Array(self.cases.joined())
        let figure = try plot.map { try OutputFile(path: $0, inputs: [model]) }
        let runner = BenchRunner(setup: setup)
        var measurements: [Measurement] = []
        if !json { try output.writeLines(["\(setup)", Measurement.table.header]) }
        for benchCase in cases {
            let results = try await runner.run(benchCase)
            BenchSetup.show("")
            try output.writeLines(
                results.map { json ? "\($0.json(setup: setup))" : Measurement.table.line($0.cells) })
            measurements += results
        }
        if let figure {
            try figure.write(Array(BenchFigure.svg(measurements, setup: setup).utf8))
            try figure.finish()
        }
    }

    private func printProfile(_ setup: BenchSetup, to output: OutputFile) async throws {
        for benchCase in cases.isEmpty ? [.tokens(BenchCase.steadyLength)] : Array(cases.joined()) {
            let lines = try await ProfileReport(setup: setup).run(benchCase, json: json)
            BenchSetup.show("")
            try output.writeLines(lines)
        }
    }

    private func printRoofline(_ setup: BenchSetup, to output: OutputFile) async throws {
        let roofline = try await Roofline(setup: setup)
        BenchSetup.show("")
        try output.writeLines(json ? roofline.jsonLines : roofline.lines)
    }

    private func makeSetup() throws -> BenchSetup {
        var options = ModelOptions()
        options.precision = precision
        options.threads = threads
        options.batchTokens = batchTokens
        options.sharesPrefixes = !noSharing
        options.packedWeightBytes = packedWeights << 20
        func setup(_ file: GGUFFile, path: String, name: String) -> BenchSetup {
            BenchSetup(
                file: file, path: path, modelName: name, options: options, isa: isa, repeatCount: repeatCount,
                warmsUp: !skipWarmUp)
        }
        if let synthetic {
            BenchSetup.show("making \(synthetic)")
            let made = try synthetic.make()
            return setup(made.file, path: made.path, name: "synthetic \(synthetic)")
        }
        guard let model else { preconditionFailure("validate lets no run begin without a model") }
        return setup(try opening(model) { $0 }, path: model, name: model)
    }
}

extension ISA: ExpressibleByArgument {
    public init?(argument: String) {
        guard let isa = ISA.allCases.first(where: { $0.name == argument }) else { return nil }
        self = isa
    }
    public var defaultValueDescription: String { name }
    public static var allValueStrings: [String] { allCases.map(\.name) }
}

extension BenchCase {
    fileprivate func fits(context: Int) -> Bool {
        (tokenLists(vocabularySize: 1) ?? []).allSatisfy { $0.count <= context }
    }
}

extension OutputFile {
    fileprivate func writeLines(_ lines: [String]) throws {
        try write(Array(lines.map { "\($0)\n" }.joined().utf8))
    }
}
