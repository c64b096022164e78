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
              q3 serve --classifier tickets.head.json
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

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "A file of 'q3 classify train' for /classify, or NAME=FILE for what requests call it; may be repeated. "
                + "Without --model its model is served, too."), completion: .file(extensions: ["json"]))
    var classifier: [String] = []

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
            let labelling = try classifiers(among: &models, settings)
            evidence += Array(repeating: "of a classifier", count: models.count - evidence.count)
            let banner = ServeBanner(
                models, evidence: evidence, options: settings.options, packsByItself: computing.packedWeights == nil)
            var server = Server(
                models: models + (try settings.aliases.compactMap { try $0.served(from: models) }),
                options: settings.options, registry: registry, logger: logger
            ) { port in
                banner.say(at: settings.place(port: port), logger: settings.logsJSON ? logger : nil)
            }
            #if Index
            server = server.searching(checked: served)
            #endif
            server = try server.classifying(checked: labelling)
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

    private static func logger(asJSON: Bool, level: Logger.Level) -> Logger {
        var logger = Logger(label: "q3") { label in
            if asJSON { JSONLogHandler() } else { StreamLogHandler.standardError(label: label) }
        }
        logger.logLevel = level
        return logger
    }
}
#endif
