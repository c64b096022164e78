// q3 as an HTTP server: models in, requests answered, until somebody asks it to end.
#if Server
    import Hummingbird
    import HummingbirdCore
    public import Logging
    import NIOCore
    import ServiceLifecycle

    /// Why a server did not listen, or ended by itself.
    public enum ServerError: Error, Sendable, Equatable {
        /// The system's error number.
        case cannotListen(place: String, errno: CInt)
        case unknownHost(String)
        /// Another server answers on the socket file, or the file is no socket.
        case socketFileInUse(path: String)
        /// HTTPS was asked for and cannot be spoken.
        case tls(String)
        /// A model's file was changed while it was served.
        case modelChanged
    }

    /// An HTTP server for embedding and reranking models, to be run once.
    public struct Server: Sendable {
        private let options: ServerOptions
        private let logger: Logger
        private let shelf: Shelf
        private let inference: Inference
        private let registry: PrometheusRegistry

        /// - Parameter registry: What `/metrics` shows; give it to swift-metrics as well for what other libraries report.
        public init(options: ServerOptions, registry: PrometheusRegistry = Server.makeRegistry(), logger: Logger) {
            self.options = options
            self.logger = logger
            self.registry = registry
            inference = Inference(options: options, registry: registry)
            shelf = inference.shelf
        }

        /// A registry with the histogram bounds of Text Embeddings Inference.
        public static func makeRegistry() -> PrometheusRegistry {
            PrometheusRegistry(buckets: ServerMetrics.buckets(of:))
        }

        /// Listens at once, answers once `load` has returned the models, and returns when the last request is answered after
        /// `shutdown` was asked for. Throws what `load` throws, and `ServerError`.
        public func run(
            load: @escaping @Sendable () async throws -> [ServedModel],
            shutdown: AsyncStream<Void>,
            onListening: @escaping @Sendable (_ port: Int?) async -> Void = { _ in }
        ) async throws {
            if case .unixSocket(let path) = options.address { try SocketFile.claim(path) }
            var services = ServiceGroupConfiguration(
                services: [
                    try application(onListening: onListening), Loading(shelf: shelf, logger: logger, load: load),
                ], logger: logger)
            services.maximumGracefulShutdownDuration = options.shutdownTimeout
            let group = ServiceGroup(configuration: services)
            let (shelf, logger) = (shelf, logger)
            let end = { @Sendable (reason: String) async in
                logger.info("ending: no more requests are taken", metadata: ["reason": .string(reason)])
                shelf.drain()
                await group.triggerGracefulShutdown()
            }
            let watchers = [
                Task { for await _ in shutdown { return await end("asked for") } },
                Task { for await _ in shelf.changes { return await end("a model file changed") } },
            ]
            defer { watchers.forEach { $0.cancel() } }
            do {
                try await group.run()
            } catch let error as IOError {
                throw ServerError.cannotListen(place: options.address.description, errno: error.errnoCode)
            } catch let error as SocketAddressError.UnknownHost {
                throw ServerError.unknownHost(error.host)
            }
            if shelf.isChanged { throw ServerError.modelChanged }
        }

        private func application(
            onListening: @escaping @Sendable (Int?) async -> Void
        ) throws(ServerError) -> some Service {
            Application(
                responder: Self.router(inference: inference, registry: registry).buildResponder(),
                server: try .secured(channels, by: options.tls), configuration: configuration,
                onServerRunning: { [options] channel in
                    if case .unixSocket(let path) = options.address { SocketFile.keepPrivate(path) }
                    await onListening(channel.localAddress?.port)
                }, logger: logger)
        }

        static func router(inference: Inference, registry: PrometheusRegistry) -> Router<ServerContext> {
            // Middleware must stand before routes, so the table is made with a router of its own.
            let table = Routes(inference: inference, registry: registry).add(to: Router(context: ServerContext.self))
            let router = Router(context: ServerContext.self)
            router.add(
                middleware: FrontDoor(
                    gate: Gate(options: inference.options), metrics: inference.metrics, routes: table))
            router.add(middleware: TracingMiddleware())
            _ = Routes(inference: inference, registry: registry).add(to: router)
            return router
        }

        private var channels: HTTP1Channel.Configuration {
            let limits = ConnectionGuard.Limits(
                header: .init(options.headerTimeout), body: .init(options.bodyTimeout),
                idle: .init(options.idleTimeout),
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

    /// Loads the models while the server already tells that it is not ready.
    private struct Loading: Service {
        let shelf: Shelf
        let logger: Logger
        let load: @Sendable () async throws -> [ServedModel]

        func run() async throws {
            let start = ContinuousClock.now
            let models = try await load()
            shelf.fill(models)
            logger.info(
                "ready",
                metadata: [
                    "models": .array(models.map { .string($0.name) }),
                    "ms": .stringConvertible((ContinuousClock.now - start).milliseconds),
                ])
            try await gracefulShutdown()
        }
    }
#endif
