// q3 pull: a model from its hub into the model folder.
#if Pull
import Synchronization
import Q3Model
import ArgumentParser
import Q3Catalog
import Q3Pull
import Q3System

struct PullCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull",
        abstract: "Downloads a model.",
        usage: "q3 pull NAME|OWNER/REPOSITORY/FILE.gguf [OPTION ...]",
        discussion: """
            NAME is one that 'q3 list' shows, or that of a model, whose recommended file is
            taken; other files of Hugging Face go by their owner, repository and name. The
            file must have the SHA-256 that the list has, or --sha256, or else the one that
            the hub has for it. It appears in the model folder when it is complete and
            checked; its hash and path are printed as 'sha256sum -c' reads them. What a
            broken download left is used again.

            The environment decides on the rest:
              Q3_MODELS      the folder (default: XDG_CACHE_HOME or ~/.cache, q3/models)
              Q3_MIRROR      another hub, https://HOST (default: https://huggingface.co)
              Q3_CATALOG     another list than the one that is built in
              HF_TOKEN       for models that ask for one; sent to that hub alone
              HTTPS_PROXY, NO_PROXY     as for curl
              SSL_CERT_FILE  authorities to trust in place of the system's

            EXAMPLES
              q3 pull qwen3-embedding-0.6b
              q3 pull Qwen/Qwen3-Embedding-4B
              q3 pull Qwen/Qwen3-Embedding-8B-GGUF/Qwen3-Embedding-8B-Q6_K.gguf
              q3 pull qwen3-reranker-0.6b-q8_0 --offline
            """)

    @Flag(help: "Only check that the file is there and has its hash; open no connection.")
    var offline = false

    @Flag(help: "Accept a file without a known hash.")
    var noVerify = false

    @Option(name: .customLong("sha256"), help: "The SHA-256 that the file must have.")
    var digest: SHA256Digest?

    @Flag(help: "Download again what is there.")
    var force = false

    @Option(
        parsing: .singleValue,
        help: "A host that may be talked to without encryption and at a private address; may be repeated.")
    var allowHttpHost: [String] = []

    @Option(help: "Seconds of silence after which a connection is given up.")
    var stallTimeout = 15.0

    @Option(help: "Attempts in a row that may bring less than a megabyte.")
    var retries = 5

    @Flag(help: "Print JSON.")
    var json = false

    @Argument(help: "The model.", completion: ModelNames.completion)
    var name: String

    func validate() throws {
        guard stallTimeout > 0, stallTimeout <= 3600 else {
            throw ValidationError("--stall-timeout must be more than 0 and at most 3600 seconds")
        }
        guard 0...1000 ~= retries else { throw ValidationError("--retries must be 0 to 1000") }
    }

    func run() async throws {
        let environment = Environment.current.values
        let folder = try ModelFolder(environment: environment)
        let catalog = try Catalog.current(environment: environment)
        let (entry, file) = try source(in: catalog, folder)
        let line = ProgressLine()
        let puller = Puller(
            file, entry: entry, folder: folder, environment: environment, options: options(drawing: line))
        let model = try await puller.run()
        line.finish()
        try tell(model)
    }

    /// The file that a name means: one of the list, the recommended one of a model, or any file of a repository.
    private func source(
        in catalog: Catalog, _ folder: ModelFolder
    ) throws -> (CatalogEntry?, RepositoryFile) {
        if let entry = catalog.entry(named: name) { return (entry, entry.source) }
        let files = catalog.entries(ofModel: name)
        if let recommended = files.first {
            let others = files.dropFirst().map(\.name)
            let choice = others.isEmpty ? "" : "; there are also \(others.joined(separator: ", "))"
            Terminal.say("taking \(recommended.name)\(choice)")
            return (recommended, recommended.source)
        }
        guard name.contains("/") else {
            throw Failure(.usage, "\(ModelFinder(catalog: catalog, folder: folder).unknown(name))")
        }
        guard name.split(separator: "/", omittingEmptySubsequences: false).count > 2 else {
            throw Failure(
                .usage,
                "\(name) is a repository, of which q3 knows no file; name one, as in "
                    + "'q3 pull \(name)/FILE.gguf', or take one of 'q3 list'")
        }
        let file = try RepositoryFile(name)
        return (catalog.entry(of: file), file)
    }

    private func options(drawing line: ProgressLine) -> PullOptions {
        var options = PullOptions()
        options.offline = offline
        options.unverified = noVerify
        options.digest = digest
        options.force = force
        options.plainHosts = allowHttpHost
        options.stallTimeout = stallTimeout
        options.retries = retries
        let first = Mutex<Int?>(nil)
        options.progress = { progress in
            let before = first.withLock { first in
                first = min(first ?? progress.completed, progress.completed)
                return first ?? 0
            }
            line.show { Self.line(progress, before: before, elapsed: $0) }
        }
        options.note = { Terminal.say($0) }
        options.unfinished = { path in
            Interruption.sayWhenInterrupted(
                path.map { "interrupted; the next 'q3 pull' resumes from \($0)" })
        }
        return options
    }

    /// "[####-]  80 %  512 of 640 MB, 32.1 MB/s, 0:04 left"; the rate is of what came now.
    static func line(
        _ progress: Progress, before: Int, elapsed: Duration, width: Int = Terminal.width(2)
    ) -> String {
        let (done, total) = (progress.completed, progress.total)
        let rate = Double(done - before) / (elapsed / .seconds(1))
        let left = RunProgress.time(Double(total - done) / max(rate, 1))
        // Of a small file the tenths count.
        let (now, all) =
            total < 10_000_000
            ? ((Double(done) / 1e6).fixed(1), (Double(total) / 1e6).fixed(1))
            : ("\(done / 1_000_000)", "\(total / 1_000_000)")
        let text = "\(now) of \(all) MB, \((rate / 1e6).fixed(1)) MB/s, \(left) left"
        return ProgressLine.bar(progress.fraction, beside: text, width: width)
    }

    private func tell(_ model: PulledModel) throws {
        let output = try OutputFile(path: nil, inputs: [])
        guard json else { return try output.write(Array("\(model.digest)  \(model.path)\n".utf8)) }
        var object = JSONObject()
        object.add("path", quoted: model.path)
        object.add("sha256", quoted: model.digest.hex)
        object.add("source", quoted: model.source.rawValue)
        object.add("bytes", model.byteCount)
        object.add("revision", model.revision.map(JSONText.quoted) ?? "null")
        object.add("downloaded", model.isNew)
        try output.write(Array("\(object)\n".utf8))
    }
}
#endif
