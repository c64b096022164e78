// q3 merge: several fine-tunes or adapters of one base in, one out.
import ArgumentParser
import Q3Convert
import Q3Embedding
import Q3GGUF
import Q3Input
import Q3System

extension MergeMethod: ExpressibleByArgument {}

struct MergeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge",
        abstract: "Merges fine-tunes or adapters of one base into one.",
        usage: "q3 merge MODEL MODEL ... --output PLACE [OPTION ...]",
        discussion: """
            The last stage of how Qwen3-Embedding was trained: several checkpoints become
            one that is better than each, as a rule. MODEL is a GGUF file or a Hugging Face
            folder; all have the same shapes and vocabulary and come from one base, so that
            tensors with a cosine below --least-cosine end the run. Or all are files of
            'q3 tune adapter' for one model, or LoRA folders of 'q3 tune lora' or PEFT with
            the same base and matrices; the result has their ranks together.

            slerp goes along the arc between two tensors, mean along the line; more than
            two are taken one after the other. Of adapters it is what they change that is
            merged: the mean of two that have nothing in common changes 0.7 times as much
            as each, slerp as much as each. Start from F32, F16 or BF16: what is rounded
            twice loses more. Metadata and tokenizer are those of the first.

            EXAMPLES
              q3 merge run1.gguf run2.gguf run3.gguf -o merged.gguf
              q3 merge run1 run2 -o merged-q8.gguf --weights 2,1 --type q8_0
              q3 merge law.gguf tax.gguf --method mean -o both.gguf
              q3 merge lora-1 lora-2 --weights 2,1 -o lora-both
            """)

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "The GGUF file to write, which appears when it is complete; of LoRA a folder.", valueName: "place"),
        completion: .file())
    var output: String

    @Option(help: "slerp or mean.")
    var method: MergeMethod = .slerp

    @Option(help: ArgumentHelp("How much each counts, as 2,1. (default: equally)", valueName: "w,..."))
    var weights: String?

    @Option(help: ArgumentHelp("The least cosine of two fine-tunes' tensors. (default: 0.5)", valueName: "cosine"))
    var leastCosine: Double?

    @Flag(help: "Merge LoRA adapters whose bases have other names or fingerprints.")
    var anyBase = false

    @Option(help: "The type to store matrices in. (default: that of the first)")
    var type: FileType?

    @OptionGroup var conversion: ConversionArguments

    @Argument(help: "Models, or adapters.", completion: .file())
    var models: [String]

    func validate() throws {
        if models.count < 2 { throw ValidationError("give at least two models or adapters") }
        if let weights {
            guard let values = Self.values(weights), values.count == models.count else {
                throw ValidationError("--weights must be a number above 0 for each of the \(models.count)")
            }
        }
        if let leastCosine, !(-1...1 ~= leastCosine) { throw ValidationError("--least-cosine must be -1 to 1") }
    }

    private static func values(_ text: String) -> [Double]? {
        let values = text.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) }
        guard values.allSatisfy({ $0.map { $0 > 0 && $0.isFinite } ?? false }) else { return nil }
        return values.compactMap { $0 }
    }

    /// What is merged.
    private enum Kind {
        /// Whole models.
        case model
        /// Files of `q3 tune adapter`.
        case adapter
        /// Folders of PEFT.
        case lora

        init(_ path: String) throws {
            if InputFolder.isFile("\(path)/adapter_config.json"), !InputFolder.isFile("\(path)/config.json") {
                self = .lora
            } else if InputFolder.isFile(path) {
                let type = try opening(path) { try $0.metadata.value("general.type", as: String.self) }
                self = type == "adapter" ? .adapter : .model
            } else {
                self = .model
            }
        }
    }

    func run() throws {
        let kinds = try models.map { try Kind($0) }
        if let index = kinds.firstIndex(where: { $0 != kinds[0] }) {
            throw Failure(
                .usage,
                "adapters and models cannot be merged with each other, nor adapters with LoRA folders: \(models[0]) and "
                    + "\(models[index]) are of two kinds")
        }
        guard kinds[0] == .lora || !anyBase else { throw Failure(.usage, "--any-base is for LoRA folders") }
        guard kinds[0] == .model || type == nil else { throw Failure(.usage, "--type is for models; adapters are F32") }
        guard kinds[0] == .model || leastCosine == nil else {
            throw Failure(
                .usage, "--least-cosine is for models; what two adapters of one base change need not be alike")
        }
        switch kinds[0] {
        case .model: try mergeModels()
        case .adapter: try mergeAdapters()
        case .lora: try mergeLoRA()
        }
    }

    private func mergeModels() throws {
        var options = Merger.Options()
        (options.method, options.weights, options.type) = (method, weights.flatMap(Self.values), type)
        if let leastCosine { options.leastCosine = leastCosine }
        try conversion.run(output: output) { [options] given in
            var options = options
            options.conversion = given
            do {
                return try Merger.merge(models, to: output, options: options)
            } catch {
                throw Failure(error)
            }
        }
    }

    private func mergeLoRA() throws {
        var options = AdapterMerger.Options()
        (options.method, options.weights, options.mixesBases) = (method, weights.flatMap(Self.values), anyBase)
        let folder = try OutputFolder(output)
        do {
            let report = try AdapterMerger.merge(models, to: output, options: options) { try folder.create() }
            Terminal.say(
                "\(output): \(models.count) LoRA adapters by \(method.rawValue), rank \(report.rank), \(report.moduleCount) "
                    + "matrices; the least cosine of two changes is \(report.leastCosine.fixed(3)) (\(report.leastModule))"
            )
        } catch {
            throw Failure(error)
        }
    }

    private func mergeAdapters() throws {
        try OutputPlace.check(output)
        if let same = models.first(where: { InputFolder.isSameFile($0, output) }) {
            throw Failure(.usage, "\(output) is an input of this command (\(same)); give another --output")
        }
        do {
            let adapters = try models.map { try EmbeddingAdapter(path: $0) }
            if let other = adapters.first(where: { $0.dimensions != adapters[0].dimensions }) {
                throw Failure(
                    .badData,
                    "the adapters are for vectors of \(adapters[0].dimensions) and of \(other.dimensions) values; they do not add up"
                )
            }
            let shares = weights.flatMap(Self.values) ?? models.map { _ in 1 }
            let products = adapters.map { left in adapters.map { left.product($0) } }
            let merged = MergeWeights(products: products, weights: shares, method: method)
            let names = models.map(\.lastPathPart).joined(separator: ", ")
            try EmbeddingAdapter.sum(
                of: adapters, factors: merged.factors, notes: ["merged from": names, "merged by": method.rawValue]
            ).write(to: output)
            Terminal.say(
                "\(output): \(adapters.count) adapters by \(method.rawValue), rank \(adapters.reduce(0) { $0 + $1.rank })"
            )
        } catch {
            throw Failure(error)
        }
    }
}
