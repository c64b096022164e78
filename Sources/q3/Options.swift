// Options that several commands share.
public import ArgumentParser
import Q3Catalog
import Q3Convert
public import Q3Embedding
import Q3GGUF
public import Q3Model
public import Q3Reranking
import Q3System

struct ModelArguments: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "The model: a GGUF file, or a name from 'q3 list'. (default: q3-mini, built in)", valueName: "model"),
        completion: ModelNames.completion)
    var model: String?

    @OptionGroup var computing: ComputingArguments

    var options: ModelOptions { computing.options }
    var noMmap: Bool { computing.noMmap }
}

/// How a model is held and computed.
struct ComputingArguments: ParsableArguments {
    @Option(help: ArgumentHelp("Threads that compute. (default: one per core)", valueName: "n"))
    var threads: Int?

    @Option(
        help: ArgumentHelp(
            "How far activations are rounded: auto, fast (8 bits), fine (14 bits) or exact (f32).",
            valueName: "precision"))
    var precision: Precision = .auto

    @Option(help: "What the model is, where its file does not say or its name misleads.")
    var role: ModelRole.Kind?

    @Option(
        help: ArgumentHelp(
            "Megabytes of weights to keep packed, which makes short texts faster. (default: 0; q3 serve decides)",
            valueName: "n"))
    var packedWeights: Int?

    @Flag(help: "Read the file into memory instead of mapping it: for a folder where others may write to it.")
    var noMmap = false

    func validate() throws {
        if let threads, threads < 1 { throw ValidationError("--threads must be at least 1") }
        if let packedWeights, !(0...1 << 20).contains(packedWeights) {
            throw ValidationError("--packed-weights must be 0 to 1048576")
        }
    }

    var options: ModelOptions {
        var options = ModelOptions()
        options.precision = precision
        options.threads = threads
        options.role = role
        options.packedWeightBytes = (packedWeights ?? 0) << 20
        return options
    }

    /// Options for the second model of a command, to which `--role` does not apply.
    var rerankerOptions: ModelOptions {
        var options = options
        options.role = nil
        return options
    }
}

struct OutputArguments: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "Write to this file, which appears when it is complete. (default: stdout)", valueName: "file"),
        completion: .file())
    var output: String?
}

/// What the shell completes a model to: names of the list and of the model folder, GGUF files and folders.
enum ModelNames {
    static let completion = CompletionKind.custom { _, _, prefix in
        names.filter { $0.utf8.starts(with: prefix.utf8) } + paths(prefix)
    }

    /// Folders, with a slash at their end, and GGUF files whose path begins so.
    private static func paths(_ prefix: String) -> [String] {
        var found = unsafe glob_t()
        defer { unsafe globfree(&found) }
        let pattern = prefix.reduce(into: "") { $0 += "\\*?[".contains($1) ? "\\\($1)" : "\($1)" } + "*"
        guard unsafe glob(pattern, GLOB_MARK, nil, &found) == 0 else { return [] }
        let paths = unsafe (0..<Int(found.gl_pathc)).compactMap { index in
            unsafe found.gl_pathv[index].flatMap { unsafe String(validatingCString: $0) }
        }
        return paths.filter { $0.utf8.last == UInt8(ascii: "/") || $0.lowercased().hasSuffix(".gguf") }
    }

    private static var names: [String] {
        let environment = Environment.current.values
        let known = (try? Catalog.current(environment: environment))?.entries.map(\.name) ?? []
        let here = (try? ModelFolder(environment: environment))?.fileNames() ?? []
        return [BuiltInModel.name] + known + here
    }
}

extension EmbeddingType: ExpressibleByArgument {}
extension ModelRole.Kind: ExpressibleByArgument {
    public init?(argument: String) {
        guard let role = Self(rawValue: argument), role != .unstated else { return nil }
        self = role
    }

    public static var allValueStrings: [String] { [Self.embedding, .reranker].map(\.rawValue) }
}
extension FileType: ExpressibleByArgument {
    public init?(argument: String) { self.init(name: argument) }
}
extension Precision: ExpressibleByArgument {}
extension PromptStyle: ExpressibleByArgument {}
extension SHA256Digest: ExpressibleByArgument {
    public init?(argument: String) { self.init(hex: argument) }
}

/// The file that `--model` means: a path, or a name of a model that q3 knows or has downloaded. Nil for the built-in
/// model.
func modelPath(_ given: String?) throws -> String? {
    guard let given, given != BuiltInModel.name else { return nil }
    return try ModelFinder.path(of: given, environment: Environment.current.values)
}

/// Opens what `--model` means. Errors name the file, also when it changes while it is read.
func opening<Model>(_ given: String?, copying: Bool = false, _ open: (GGUFFile) throws -> Model) throws -> Model {
    let path = try modelPath(given)
    do {
        let file =
            if let path {
                try GGUFFile(path: path, copying: copying)
            } else {
                try BuiltInModel.open(isAskedFor: given != nil)
            }
        let model = try open(file)
        try file.checkUnchanged()
        return model
    } catch {
        throw Failure(error, model: path ?? BuiltInModel.name)
    }
}

extension ModelRole {
    /// Warns where nothing in the file says that the model is made for this use; chat models look like that.
    func announce(use: Kind, of model: Qwen3Model) {
        guard kind == .unstated else { return }
        Terminal.say(
            "note: \(model.file.path.withControlsEscaped) does not say what it was made for (\(evidence)); it is used as "
                + "\(use == .reranker ? "a reranker" : "an embedding model"). --role \(use.rawValue) confirms that")
    }
}
