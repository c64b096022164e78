// q3 serve: the server on the command line, with the flags and environment names that Text Embeddings Inference has.
#if Server
import ArgumentParser
import CoreMetrics
import Dispatch
import Logging
import Q3Embedding
import Q3GGUF
import Q3Model
import Q3Reranking
import Q3Server
import Q3System
import ServiceLifecycle

#if Index
import Q3Index
import Q3IndexAPI
#endif

/// The defaults that help texts show.
private let defaults = ServerOptions()

private func seconds(_ duration: Duration) -> Int64 { duration.components.seconds }

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serves models over HTTP to the clients people have.",
        usage: "q3 serve [--model FILE ...] [OPTION ...]",
        discussion: """
            Speaks as OpenAI, Text Embeddings Inference, Cohere, Jina, vLLM, Ollama and
            llama-server do for embeddings and reranking; /docs lists the routes, /ui is a
            page to try them, /metrics is for Prometheus, and /health tells when requests
            are answered.

            Many options can be given in the environment instead, as in Text Embeddings
            Inference: MODEL_ID, PORT, API_KEY, MAX_BATCH_TOKENS, MAX_CONCURRENT_REQUESTS,
            MAX_CLIENT_BATCH_SIZE, PAYLOAD_LIMIT, AUTO_TRUNCATE, DEFAULT_PROMPT,
            DEFAULT_PROMPT_NAME, SERVED_MODEL_NAME, CORS_ALLOW_ORIGIN, JSON_OUTPUT,
            LOG_LEVEL.

            Without a key only this machine is listened to. SIGTERM and Ctrl-C finish the
            requests that are in and end; a second one ends at once.

            EXAMPLES
              q3 serve
              q3 serve -m embedding.gguf -m reranker.gguf
              q3 serve -m embedding.gguf --hostname 0.0.0.0 --api-key-file keys.txt
              q3 serve -m embedding.gguf --unix-socket /run/q3.sock
              q3 serve --index notes.q3i --index code=src.q3i -m reranker.gguf
              q3 serve -m embedding.gguf --adapter legal=legal-adapter.gguf
            """)

    @Option(
        name: [.short, .long, .customLong("model-id")], parsing: .singleValue,
        help:
            "A model: a GGUF file, or a name from 'q3 list'; may be repeated. (default: q3-mini, which is built in)",
        completion: ModelNames.completion
    )
    var model: [String] = []

    #if Index
    @Option(
        parsing: .singleValue,
        help:
            "An index to search, or NAME=INDEX for what requests call it; may be repeated. Its model is served, too."
    )
    var index: [String] = []
    #endif

    @Option(parsing: .singleValue, help: "Name of the model, in the order of --model. (default: the file's name)")
    var servedModelName: [String] = []

    @Option(
        parsing: .singleValue,
        help:
            "A name for a model with a prompt of its own, NAME=MODEL:query or NAME=MODEL:document; may be repeated."
    )
    var alias: [String] = []

    @Option(
        parsing: .singleValue,
        help:
            "An adapter of a model, or NAME=FILE for what requests call it, in \"adapter\" or as the model MODEL:NAME."
    )
    var adapter: [String] = []

    @Option(help: "Address to listen on. (default: 127.0.0.1)")
    var hostname: String?

    @Option(name: .shortAndLong, help: "Port to listen on; 0 takes a free one. (default: 8080)")
    var port: Int?

    @Option(help: "Listen on this socket file instead.")
    var unixSocket: String?

    @Option(help: "Key that clients must send; other users of this machine can see it, so prefer a file.")
    var apiKey: String?

    @Option(help: "File with a key on each line.")
    var apiKeyFile: String?

    @Option(
        help: "PEM file of a certificate chain, to serve HTTPS; needs --tls-key and a build with the trait TLS.")
    var tlsCertificate: String?

    @Option(help: "PEM file of the certificate's key.")
    var tlsKey: String?

    @Flag(help: "Listen on other addresses than this machine's own without any key.")
    var insecureNoAuth = false

    @Option(
        parsing: .singleValue, help: "A host name that clients may call the server by; * for all. May be repeated.")
    var allowedHost: [String] = []

    @Option(
        parsing: .singleValue, help: "An origin whose pages may call the server from a browser; may be repeated.")
    var corsAllowOrigin: [String] = []

    @Flag(help: "Answer 404 for the name of a model that is not served, instead of using the one that is.")
    var strictModel = false

    @Option(
        help:
            "Whether texts that are too long are cut where a request does not say. (default: as each API)"
    )
    var autoTruncate: Bool?

    @Option(help: "query or document, for texts that come without a prompt. (default: document)")
    var defaultPromptName: String?

    @Option(help: "Put before each text that comes without a prompt.")
    var defaultPrompt: String?

    @Option(help: "Type of `document` in the results of a reranking: object or string.")
    var rerankDocumentFormat = DocumentFormat.object

    @Flag(help: "Take texts only: clients that count tokens may send ids of another model.")
    var refuseTokenIds = false

    @Option(help: "Max tokens per batch. (default: \(defaults.batchTokens))")
    var maxBatchTokens: Int?

    @Option(help: "Max requests at once. (default: \(defaults.requestLimit))")
    var maxConcurrentRequests: Int?

    @Option(help: "Max tokens that wait, and of one request. (default: \(defaults.queuedTokenLimit))")
    var maxQueueTokens: Int?

    @Option(help: "Max texts of a request. (default: \(defaults.itemLimit))")
    var maxClientBatchSize: Int?

    @Option(help: "Max bytes of a request. (default: \(defaults.bodyLimit))")
    var payloadLimit: Int?

    @Option(help: "Seconds after which a request is given up. (default: \(seconds(defaults.requestTimeout)))")
    var requestTimeout: Double?

    @Option(
        help:
            "Seconds to finish requests when the server ends. (default: \(seconds(defaults.shutdownTimeout)))"
    )
    var shutdownTimeout: Double?

    @Option(
        help:
            "Seconds for a header; bodies have 3 times that, silence 6. (default: \(seconds(defaults.headerTimeout)))"
    )
    var headerTimeout: Double?

    @Option(
        help: "Megabytes of keys and values to keep for prefixes that come again, for each model. (default: 256)")
    var prefixCache: Int?

    @OptionGroup var computing: ComputingArguments

    @Flag(help: "Log in JSON, an object per line.")
    var jsonOutput = false

    enum DocumentFormat: String, ExpressibleByArgument, CaseIterable { case object, string }

    func run() async throws {
        let settings = try ServeSettings(self, environment: Environment.current)
            .limitingConnections(openFiles: FileLimit.raise())
        let logger = Self.logger(asJSON: settings.logsJSON, level: settings.logLevel)
        try MemoryLimit.checkForServer()
        let registry = Server.makeRegistry()
        MetricsSystem.bootstrap(registry)
        do {
            try settings.options.check()
            var (models, evidence) = try await load(settings)
            let adapters = try ServedAdapters(adapter)
            models = try adapters.added(to: models)
            #if Index
            let served = try indexes(among: &models, adapters, settings.modelOptions)
            evidence += Array(repeating: "of an index", count: models.count - evidence.count)
            #endif
            try adapters.check(models)
            let banner = ServeBanner(models, evidence: evidence, options: settings.options)
            var server = Server(
                models: models + (try settings.aliases.compactMap { try $0.served(from: models) }),
                options: settings.options, registry: registry, logger: logger
            ) { port in
                banner.say(at: settings.place(port: port), logger: settings.logsJSON ? logger : nil)
            }
            #if Index
            server = server.searching(checked: served)
            #endif
            let group = ServiceGroup(services: [server], logger: logger)
            let limit = settings.options.shutdownTimeout
            Interruption.onFirstSignal {
                Task { await group.triggerGracefulShutdown() }
                Self.endProcess(after: limit)
            }
            try await group.run()
        } catch {
            throw ServeSettings.failure(error)
        }
    }

    /// The server gives up requests at the limit; this is for those that do not stop.
    private static func endProcess(after limit: Duration) {
        DispatchQueue.global().asyncAfter(deadline: .now() + (limit / .seconds(1)) + 1) {
            Terminal.say("requests were still computed at the end of --shutdown-timeout; they were given up")
            _exit(ExitStatus.terminated.rawValue)
        }
    }

    /// Opens the models and computes a text with each, so that the first request finds the file in memory.
    ///
    /// Also returns the evidence of each model's role.
    private func load(_ settings: ServeSettings) async throws -> (models: [ServedModel], evidence: [String]) {
        var (served, evidence): ([ServedModel], [String]) = ([], [])
        for (given, name) in settings.models {
            let path = try modelPath(given)
            let head: ServedModel.Head = try opening(given, copying: computing.noMmap) { file in
                // With several models --role is for those that say nothing.
                var options = settings.modelOptions
                let stated = try ModelRole(of: file)
                if settings.models.count > 1, stated.kind != .unstated { options.role = nil }
                let role = try ModelRole(of: file, asked: options.role)
                evidence.append(role.evidence)
                return try role.kind == .reranker
                    ? .reranker(Reranker(file: file, options: options))
                    : .embedder(Embedder(file: file, options: options))
            }
            do {
                switch head {
                case .embedder(let embedder):
                    embedder.role.announce(use: .embedding, of: embedder.model)
                    _ = try await embedder.embed(["q3"])
                case .reranker(let reranker):
                    reranker.role.announce(use: .reranker, of: reranker.model)
                    _ = try await reranker.rerank("q3", documents: ["q3"])
                }
            } catch {
                throw Failure(error, model: path ?? name)
            }
            served.append(ServedModel(name: name, head: head, created: path.map(Self.modificationTime(of:)) ?? 0))
            try Self.checkMemory(of: served)
        }
        return (served, evidence)
    }

    #if Index
    /// Opens the indexes; models that they need beside the given ones are served as well.
    private func indexes(
        among models: inout [ServedModel], _ adapters: ServedAdapters, _ options: ModelOptions
    ) throws -> [NamedIndex] {
        let given = models.compactMap { served in
            if case .embedder(let embedder) = served.head {
                ServedIndexes.Model(
                    name: served.name, embedder: embedder,
                    adapters: Dictionary(served.adapters.map { ($0.name, $0.adapter) }) { first, _ in first })
            } else {
                nil
            }
        }
        var options = options
        options.role = nil
        let opened = try ServedIndexes(index, models: given, adapters: adapters.byName) { [options] recorded in
            let embedder = try opening(recorded, copying: computing.noMmap) {
                try Embedder(file: $0, options: options)
            }
            return NamedEmbedder(embedder, name: recorded)
        }
        for model in opened.added {
            if models.contains(where: { $0.name.utf8.elementsEqual(model.name.utf8) }) {
                throw Failure(
                    .usage,
                    "an index was made with another model than the one served as \(model.name); name that one "
                        + "otherwise with --served-model-name")
            }
            models.append(
                ServedModel(
                    name: model.name, head: .embedder(model.embedder), created: 0,
                    adapters: model.adapters.map { ServedAdapter(name: $0.key, adapter: $0.value) }
                        .sorted { $0.name < $1.name }))
        }
        try Self.checkMemory(of: models)
        return opened.indexes
    }
    #endif

    /// The largest request must fit beside the models' caches: better no server than one that dies of a long text.
    private static func checkMemory(of models: [ServedModel]) throws {
        guard let limit = MemoryLimit.bytes else { return }
        let plans = models.map { $0.model.memoryPlan(tokenCount: $0.model.config.contextLength) }
        let caches = models.reduce(0) { $0 + $1.model.options.prefixCacheBytes }
        let need = caches + (plans.map { $0.totalBytes - $0.weightBytes }.max() ?? 0)
        guard need > limit else { return }
        throw Failure(
            .system,
            "the longest text that the models take needs \(need >> 20) MiB beside the mapped files, but this "
                + "process may have \(limit >> 20) MiB; give it more, or a smaller --prefix-cache")
    }

    private static func modificationTime(of path: String) -> Int {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return 0 }
        #if canImport(Darwin)
        return status.st_mtimespec.tv_sec
        #else
        return status.st_mtim.tv_sec
        #endif
    }

    private static func logger(asJSON: Bool, level: Logger.Level) -> Logger {
        var logger = Logger(label: "q3") { label in
            if asJSON { JSONLogHandler() } else { StreamLogHandler.standardError(label: label) }
        }
        logger.logLevel = level
        return logger
    }
}
#endif
