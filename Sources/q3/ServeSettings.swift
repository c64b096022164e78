// The options of q3 serve together with the environment, checked before anything is opened.
#if Server
import Logging
import Q3Input
import Q3Model
import Q3Server
import Q3System

struct ServeSettings {
    private(set) var options = ServerOptions()
    private(set) var modelOptions = ModelOptions()
    /// A nil path is the built-in model's.
    let models: [(path: String?, name: String)]
    let aliases: [Alias]
    let logsJSON: Bool
    let logLevel: Logger.Level

    /// Options come before variables.
    init(_ command: ServeCommand, environment: Environment) throws {
        var paths: [String?] = command.model.isEmpty ? [environment.text("MODEL_ID")] : command.model
        #if Index
        // An index brings its own model.
        if !command.index.isEmpty, paths == [nil] { paths = [] }
        #endif
        if !command.classifier.isEmpty, paths == [nil] { paths = [] }
        if paths == [nil] { try BuiltInModel.check() }
        let names =
            command.servedModelName.isEmpty
            ? environment.text("SERVED_MODEL_NAME").map { [$0] } ?? [] : command.servedModelName
        guard names.count <= paths.count else { throw Failure(.usage, "more --served-model-name than --model") }
        models = paths.enumerated().map { index, path in
            (
                path,
                index < names.count
                    ? names[index] : path.map { NamedPath.name(of: $0, ending: ".gguf") } ?? BuiltInModel.name
            )
        }
        aliases = try command.alias.map(Alias.init)
        try Self.checkNames(models.map(\.name), aliases: aliases)
        logsJSON = try command.jsonOutput || environment.flag("JSON_OUTPUT") ?? false
        let level = environment.text("LOG_LEVEL")?.lowercased() ?? "info"
        guard let logLevel = Logger.Level(rawValue: level == "warn" ? "warning" : level) else {
            let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            throw Failure(.usage, "LOG_LEVEL is \"\(level)\", but must be one of \(levels)")
        }
        self.logLevel = logLevel

        modelOptions = command.computing.options
        let cache = command.prefixCache ?? 256
        guard (0...1 << 20).contains(cache) else { throw Failure(.usage, "--prefix-cache must be 0 to 1048576") }
        modelOptions.prefixCacheBytes = cache << 20
        try setLimits(command, environment)
        try setPrompt(command, environment)
        try setAccess(command, environment)
    }

    /// A model under another name, and what is put before its texts.
    struct Alias: Equatable {
        let name: String
        let model: String
        let prompt: TextPrompt?

        /// NAME=MODEL, NAME=MODEL:query or NAME=MODEL:document.
        init(_ text: String) throws {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
                throw Failure(.usage, "--alias must be NAME=MODEL, NAME=MODEL:query or NAME=MODEL:document")
            }
            name = String(parts[0])
            let tag = parts[1].split(separator: ":").last.map(String.init)
            prompt = tag == "query" ? .query(task: nil) : tag == "document" ? .document : nil
            let tagLength = prompt == nil ? 0 : (tag ?? "").utf8.count + 1
            model = String(Substring(parts[1].utf8.dropLast(tagLength)))
        }

        /// The model under this name; rerankers have no prompts to choose from.
        func served(from models: [ServedModel]) throws -> ServedModel? {
            guard let served = models.first(where: { $0.name.utf8.elementsEqual(model.utf8) }) else { return nil }
            if case .reranker = served.head, prompt != nil {
                throw Failure(.usage, "--alias \(name): \(model) is a reranker, which takes no prompt")
            }
            return served.alias(name, prompt: prompt)
        }
    }

    /// Names are compared by their bytes.
    private static func checkNames(_ names: [String], aliases: [Alias]) throws {
        let all = (names + aliases.map(\.name)).map { Array($0.utf8) }
        if let twice = Dictionary(grouping: all, by: \.self).first(where: { $0.value.count > 1 })?.key {
            let name = String(decoding: twice, as: UTF8.self)
            throw Failure(.usage, "two models are named \"\(name)\"; tell them apart with --served-model-name")
        }
        for alias in aliases where !names.contains(where: { $0.utf8.elementsEqual(alias.model.utf8) }) {
            throw Failure(
                .usage,
                "--alias \(alias.name): no model is named \"\(alias.model)\"; there are "
                    + names.joined(separator: ", ")
            )
        }
    }

    private mutating func setLimits(_ command: ServeCommand, _ environment: Environment) throws {
        func positive(_ given: Int?, _ option: String, _ variable: String?, _ standard: Int) throws -> Int {
            let value = try given ?? variable.flatMap { try environment.number($0) } ?? standard
            guard (1...1 << 40).contains(value) else { throw Failure(.usage, "--\(option) must be at least 1") }
            return value
        }
        func seconds(_ given: Double?, _ option: String, _ standard: Duration) throws -> Duration {
            guard let given else { return standard }
            guard given > 0, given < 1e9 else { throw Failure(.usage, "--\(option) must be more than 0 seconds") }
            return .seconds(given)
        }
        options.batchTokens = try positive(
            command.maxBatchTokens, "max-batch-tokens", "MAX_BATCH_TOKENS", options.batchTokens)
        modelOptions.batchTokens = max(modelOptions.batchTokens, options.batchTokens)
        options.requestLimit = try positive(
            command.maxConcurrentRequests, "max-concurrent-requests", "MAX_CONCURRENT_REQUESTS",
            options.requestLimit)
        options.queuedTokenLimit = try positive(
            command.maxQueueTokens, "max-queue-tokens", nil, options.queuedTokenLimit)
        options.itemLimit = try positive(
            command.maxClientBatchSize, "max-client-batch-size", "MAX_CLIENT_BATCH_SIZE", options.itemLimit)
        options.bodyLimit = try positive(command.payloadLimit, "payload-limit", "PAYLOAD_LIMIT", options.bodyLimit)
        options.requestTimeout = try seconds(command.requestTimeout, "request-timeout", options.requestTimeout)
        options.shutdownTimeout = try seconds(command.shutdownTimeout, "shutdown-timeout", options.shutdownTimeout)
        options.headerTimeout = try seconds(command.headerTimeout, "header-timeout", options.headerTimeout)
        options.bodyTimeout = options.headerTimeout * 3
        options.idleTimeout = options.headerTimeout * 6
    }

    /// For the libraries, models and a few connections.
    private static let leastOpenFiles = 64

    /// Leaves files for everything that is not a connection: with none left, not even a refusal can be sent.
    func limitingConnections(openFiles: Int) throws -> ServeSettings {
        guard openFiles >= Self.leastOpenFiles else {
            throw Failure(
                .system,
                "a server needs \(Self.leastOpenFiles) open files, but this process may have \(openFiles) "
                    + "(ulimit -n)"
            )
        }
        var settings = self
        settings.options.connectionLimit = min(options.connectionLimit, max(8, openFiles - 48))
        return settings
    }

    private mutating func setPrompt(_ command: ServeCommand, _ environment: Environment) throws {
        options.truncatesByDefault = try command.autoTruncate ?? environment.flag("AUTO_TRUNCATE")
        options.takesTokenIDs = !command.refuseTokenIds
        let name = command.defaultPromptName ?? environment.text("DEFAULT_PROMPT_NAME")
        let text = command.defaultPrompt ?? environment.text("DEFAULT_PROMPT")
        if let text {
            guard name == nil else {
                throw Failure(.usage, "--default-prompt and --default-prompt-name exclude each other")
            }
            options.defaultPrompt = .verbatim(text)
        } else if let name {
            guard let prompt = TextPrompt(name: name) else {
                throw Failure(.usage, "--default-prompt-name must be query or document, not \"\(name)\"")
            }
            options.defaultPrompt = prompt
        }
        options.documentsAsStrings = command.rerankDocumentFormat == .string
        options.strictModelNames = command.strictModel
    }

    private mutating func setAccess(_ command: ServeCommand, _ environment: Environment) throws {
        // HOSTNAME is not read: containers set it to their own name.
        let host = command.hostname ?? "127.0.0.1"
        let port = try command.port ?? environment.number("PORT") ?? 8080
        guard (0...65535).contains(port) else { throw Failure(.usage, "--port must be 0 to 65535") }
        if let path = command.unixSocket {
            guard path.utf8.count <= 107 else {
                throw Failure(.usage, "--unix-socket is longer than the 107 bytes that a socket's path may have")
            }
            options.address = .unixSocket(path: path)
        } else {
            options.address = .host(host, port: port)
        }
        switch (command.tlsCertificate, command.tlsKey) {
        case (nil, nil): break
        case (let certificates?, let key?):
            try Self.checkPrivate(key)
            options.tls = .init(certificates: certificates, key: key)
        default: throw Failure(.usage, "--tls-certificate and --tls-key belong together")
        }
        if let key = command.apiKey {
            Terminal.say("warning: other users of this machine can see --api-key; use --api-key-file or API_KEY")
            options.apiKeys.append(key)
        }
        if let key = environment.text("API_KEY") { options.apiKeys.append(key) }
        if let path = command.apiKeyFile { options.apiKeys += try Self.keys(inFile: path) }
        if options.apiKeys.contains(where: \.isEmpty) { throw Failure(.usage, "an API key is empty") }
        options.allowedHosts = command.allowedHost
        options.allowedOrigins = command.corsAllowOrigin
        if options.allowedOrigins.isEmpty, let origins = environment.text("CORS_ALLOW_ORIGIN") {
            options.allowedOrigins = origins.split(separator: ",").map(String.init)
        }
        let isLocal = ["127.0.0.1", "::1", "localhost"].contains(host) || command.unixSocket != nil
        guard isLocal || !options.apiKeys.isEmpty || command.insecureNoAuth else {
            throw Failure(
                .usage,
                "without a key anyone could use a server on \(host); give --api-key-file FILE, or --insecure-no-auth "
                    + "if the network is guarded otherwise")
        }
    }

    /// A secret that others can read is refused, as ssh does.
    private static func checkPrivate(_ path: String) throws {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw Failure(.noInput, path, errno: errno) }
        guard status.st_mode & 0o077 == 0 else {
            throw Failure(.notPermitted, "\(path) can be read by others; chmod 600 it")
        }
    }

    /// A key on each line.
    private static func keys(inFile path: String) throws -> [String] {
        try checkPrivate(path)
        let reader = try RecordSplitter(path: path)
        var keys: [String] = []
        while let line = try reader.next() {
            let key = try line.text().split(whereSeparator: \.isWhitespace).joined(separator: " ")
            if !key.isEmpty { keys.append(key) }
        }
        guard !keys.isEmpty else { throw Failure(.badData, "\(path) holds no key") }
        return keys
    }

    func place(port: Int?) -> String {
        switch options.address {
        case .host(let name, let given):
            "http\(options.tls == nil ? "" : "s")://\(name.contains(":") ? "[\(name)]" : name):\(port ?? given)"
        case .unixSocket(let path): path
        }
    }

    /// What keeps the server from listening, or ended it.
    static func failure(_ error: any Error) -> Failure {
        switch error {
        case let failure as Failure: failure
        case ServerError.cannotListen(let place, let code):
            Failure(.unavailable, "cannot listen on \(place)", errno: code)
        case ServerError.unknownHost(let name):
            Failure(
                .unavailable, "cannot listen on \(name): there is no such host; give an address of this machine")
        case ServerError.socketFileInUse(let path):
            Failure(.unavailable, "cannot listen on \(path): another server answers there, or it is not a socket")
        case ServerError.tls(let message): Failure(.badData, message)
        case ServerError.modelChanged:
            Failure(.inputOutput, "a model file changed while it was served; start again, or use --no-mmap")
        case ServerError.sharedClassifierName(let name):
            Failure(
                .usage,
                "two classifiers, or a classifier and a model, are named \"\(name)\"; give --classifier NAME=FILE")
        default: Failure(error)
        }
    }
}
#endif
