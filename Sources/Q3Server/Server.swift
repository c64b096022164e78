// q3 as an HTTP server: models in, requests answered, until it is asked to end.
#if Server
import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
public import ServiceLifecycle

/// Why a server did not listen, or ended by itself.
public enum ServerError: Error, Sendable, Equatable {
    /// The system's error number.
    case cannotListen(place: String, errno: CInt)
    /// A host name that has no address.
    case unknownHost(String)
    /// Another server answers on the socket file, or the file is not a socket.
    case socketFileInUse(path: String)
    /// HTTPS was asked for and cannot be spoken.
    case tls(String)
    /// A model's file was changed while it was served.
    case modelChanged
    /// Two indexes have the same name.
    case sharedIndexName(String)
    /// No embedding model of that name is served, so that nothing can search the index.
    case noModel(index: String, model: String)
    /// Two classifiers have the same name, or a classifier that of a model.
    case sharedClassifierName(String)
    /// No embedding model of that name is served, so that nothing can make vectors for the classifier.
    case noModelOfClassifier(classifier: String, model: String)
    /// A classifier was made for the vectors of another model than the one of that name.
    case otherModel(classifier: String, model: String)
}

/// An HTTP server for embedding and reranking models.
///
///     let server = Server(models: models, logger: logger)
///     try await ServiceGroup(services: [server], gracefulShutdownSignals: [.sigterm], logger: logger).run()
///
/// Runs once. A graceful shutdown finishes the requests that are in, for at most `ServerOptions.shutdownTimeout`.
public struct Server: Service {
    private let options: ServerOptions
    private let logger: Logger
    var backend: Backend
    private let registry: PrometheusRegistry
    private let onListening: @Sendable (_ port: Int?) async -> Void

    /// `registry` is what `/metrics` shows; give it to swift-metrics as well for what other libraries report.
    /// `onListening` gets the port, which the system chooses if it was given as 0; nil for a socket file.
    public init(
        models: [ServedModel], options: ServerOptions = ServerOptions(),
        registry: PrometheusRegistry = Server.makeRegistry(), logger: Logger,
        onListening: @escaping @Sendable (_ port: Int?) async -> Void = { _ in }
    ) {
        self.options = options
        self.logger = logger
        self.registry = registry
        self.onListening = onListening
        backend = Backend(models, options: options, metrics: ServerMetrics(factory: registry), logger: logger)
    }

    /// A registry that knows what the server's metrics mean.
    public static func makeRegistry() -> PrometheusRegistry {
        PrometheusRegistry(descriptions: ServerMetrics.descriptions)
    }

    /// Answers requests until a graceful shutdown or cancellation. Throws `ServerError`.
    public func run() async throws {
        if case .unixSocket(let path) = options.address { try SocketFile.claim(path) }
        var configuration = ServiceGroupConfiguration(services: [try application()], logger: logger)
        configuration.maximumGracefulShutdownDuration = options.shutdownTimeout
        let group = ServiceGroup(configuration: configuration)
        let (models, logger) = (backend.models, logger)
        let watcher = Task {
            for await _ in models.changes {
                logger.error("ending: a model file changed")
                await group.triggerGracefulShutdown()
            }
        }
        defer { watcher.cancel() }
        do {
            try await withGracefulShutdownHandler {
                try await group.run()
            } onGracefulShutdown: {
                logger.info("ending: no more requests are taken")
                models.drain()
            }
        } catch let error as IOError {
            throw ServerError.cannotListen(place: options.address.description, errno: error.errnoCode)
        } catch let error as SocketAddressError.UnknownHost {
            throw ServerError.unknownHost(error.host)
        }
        if models.isChanged { throw ServerError.modelChanged }
    }

    private func application() throws(ServerError) -> some Service {
        let router = Self.router(
            Self.families(backend, registry: registry), backend: backend, registry: registry, logger: logger)
        let channels = channels
        // What Hummingbird says of its start and of every connection is said here, or of no use.
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        return Application(
            responder: router.buildResponder(),
            server: try HTTPServerBuilder { responder in
                GuardedChannel(http1: HTTP1Channel(responder: responder, configuration: channels))
            }.secured(by: options.tls),
            configuration: configuration,
            onServerRunning: { [options, onListening] channel in
                if case .unixSocket(let path) = options.address { SocketFile.keepPrivate(path) }
                await onListening(channel.localAddress?.port)
            }, logger: quiet)
    }

    static func families(_ backend: Backend, registry: PrometheusRegistry) -> [APIFamily] {
        var families: [APIFamily] = [
            .openAI(backend), .reranking(backend), .textEmbeddingsInference(backend), .cohere(backend),
            .ollama(backend), .llamaServer(backend), .weaviate(backend), .classification(backend),
            .pages(backend, registry: registry),
        ]
        #if Index
        families += [.indexSearch(backend), .agents(backend)]
        #endif
        return families
    }

    static func router(
        _ families: [APIFamily], backend: Backend, registry: PrometheusRegistry, logger: Logger
    ) -> Router<ServerContext> {
        let (options, metrics) = (backend.options, ServerMetrics(factory: registry))
        let table = RouteTable(families)
        let origins = AllowedOrigins(options)
        let router = Router(context: ServerContext.self)
        router.add(middleware: RequestID())
        router.add(middleware: AccessLog(metrics: metrics, logger: logger))
        router.add(middleware: CORSHeaders(origins: origins))
        router.add(middleware: ErrorResponses(table: table, metrics: metrics))
        router.add(middleware: AccessControl(options: options, table: table))
        router.add(middleware: Preflight(origins: origins))
        router.add(middleware: TracingMiddleware())
        table.add(to: router, runner: RequestRunner(options: options, metrics: metrics))
        return router
    }

    private var channels: HTTP1Channel.Configuration {
        let limits = ConnectionGuard.Limits(
            header: .init(options.headerTimeout), body: .init(options.bodyTimeout), idle: .init(options.idleTimeout),
            answer: .init(options.idleTimeout))
        return .init(
            additionalChannelHandlers: [ConnectionGuard(limits: limits)],
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 64 << 10, maxHeaderFieldCount: 200))
    }

    private var configuration: ApplicationConfiguration {
        let address: BindAddress =
            switch options.address {
            case .host(let name, let port): .hostname(name, port: port)
            case .unixSocket(let path): .unixDomainSocket(path: path)
            }
        return .init(
            address: address, backlog: 1024,
            availableConnectionsDelegate: .maximum(options.connectionLimit, logger: logger))
    }
}
#endif
