// The table of routes, and how a handler is run: its body read, its client watched, its errors told.
#if Server
    import HTTPTypes
    import Hummingbird
    import NIOCore
    import Q3Model
    import Synchronization

    #if canImport(FoundationEssentials)
        import FoundationEssentials
    #else
        import Foundation
    #endif

    struct Routes: Sendable {
        typealias Handler = @Sendable (Call) async throws(Fault) -> Response

        private let inference: Inference
        private let pages: Pages
        private let registry: PrometheusRegistry
        private let requestsInFlight = InFlight()

        init(inference: Inference, registry: PrometheusRegistry) {
            self.inference = inference
            self.registry = registry
            pages = Pages()
        }

        /// Adds every route to the router and returns which methods each path has.
        func add(to router: Router<ServerContext>) -> RouteTable {
            let openAI = OpenAIRoutes(inference: inference)
            let rerank = RerankRoutes(inference: inference)
            let tei = TEIRoutes(inference: inference)
            let cohere = CohereRoutes(inference: inference)
            let ollama = OllamaRoutes(inference: inference)
            let llama = LlamaRoutes(inference: inference)
            var table = RouteTable()

            func post(_ paths: String..., handler: @escaping Handler) {
                for path in paths {
                    table.add(.post, path)
                    router.post(RouterPath(path)) { request, context in
                        try await respond(to: request, context: context, handler)
                    }
                }
            }
            func get(_ paths: String..., handler: @escaping Handler) {
                for path in paths {
                    for method in [HTTPRequest.Method.get, .head] {
                        table.add(method, path)
                        router.on(RouterPath(path), method: method) { request, context in
                            try await handler(call(request, context, body: Data()))
                        }
                    }
                }
            }

            post("/v1/embeddings", "/embeddings", handler: openAI.embeddings)
            get("/v1/models", "/models", handler: openAI.models)
            get("/v1/models/**", handler: openAI.model)

            post("/rerank", "/v1/rerank", "/reranking", "/v1/reranking", handler: rerank.either)
            post("/v2/rerank", handler: rerank.cohere)
            post("/score", "/v1/score", handler: rerank.score)

            post("/", "/v1", "/invocations", handler: tei.root)
            post("/embed", handler: tei.embed)
            post("/embed_all", handler: tei.embedAll)
            post("/embed_sparse") { _ throws(Fault) in
                throw Fault(.wrongTask, "model is not a SPLADE model: it gives dense vectors only, see /embed")
            }
            post("/predict", handler: tei.predict)
            post("/similarity", handler: tei.similarity)
            post("/decode", handler: tei.decode)
            get("/info", handler: tei.info)

            post("/v1/embed", handler: cohere.version1)
            post("/v2/embed", handler: cohere.version2)

            post("/api/embed", handler: ollama.embed)
            post("/api/embeddings", handler: ollama.embeddings)
            post("/api/show", handler: ollama.show)
            get("/api/tags", handler: ollama.tags)
            get("/api/ps", handler: ollama.running)
            get("/api/version", handler: ollama.version)

            post("/embedding", handler: llama.embedding)
            post("/tokenize", handler: llama.tokenize)
            post("/detokenize", handler: llama.detokenize)

            get("/") { _ in Response(text: "Ollama is running") }
            get("/health", "/v1/health", "/ready", "/ping") { _ throws(Fault) in
                _ = try inference.shelf.models()
                return try Response(json: ["status": "ok"])
            }
            get("/live") { _ throws(Fault) in try Response(json: ["status": "ok"]) }
            get("/version") { _ throws(Fault) in try Response(json: ["version": Release.version]) }
            get("/metrics") { _ in
                inference.metrics.prefixCaches(of: (try? inference.shelf.models()) ?? [])
                return Response(text: registry.text, type: "text/plain; version=0.0.4; charset=utf-8")
            }
            get("/ui") { _ in pages.ui }
            get("/docs") { _ in pages.docs }
            get("/openapi.json") { _ in pages.openAPI }
            return table
        }

        // MARK: - Running a handler

        private func respond(
            to request: Request, context: ServerContext, _ handler: @escaping Handler
        ) async throws -> Response {
            guard requestsInFlight.enter(limit: inference.options.requestLimit) else {
                throw Fault(.overloaded(retryAfter: 1), "Model is overloaded")
            }
            inference.metrics.requestBegan()
            var body = Data()
            defer {
                requestsInFlight.leave(bodyBytes: body.count)
                inference.metrics.requestEnded()
            }
            try checkType(of: request)
            try await read(request, into: &body)
            let call = call(request, context, body: body)
            return try await whileClientIsThere(context.channel) { () throws(Fault) in try await handler(call) }
        }

        private func call(_ request: Request, _ context: ServerContext, body: Data) -> Call {
            var limit = inference.options.requestTimeout
            if let given = request.headers[.requestTimeout].flatMap(Double.init), given > 0, given < limit / .seconds(1)
            {
                limit = .seconds(given)
            }
            return Call(
                path: request.uri.path, headers: request.headers, parameters: context.parameters, body: body,
                arrival: context.arrival, deadline: context.arrival + limit, id: context.id)
        }

        /// JSON and nothing else, which no page of another site can send without being asked for leave first. Ollama's own
        /// examples send JSON under any name; there the origin alone decides.
        private func checkType(of request: Request) throws(Fault) {
            if let coding = request.headers[.contentEncoding], coding.lowercased() != "identity" {
                throw Fault(.mediaType, "compressed bodies are not read; send the JSON as it is")
            }
            guard !request.uri.path.hasPrefix("/api/") else { return }
            let type = request.headers[.contentType]?.prefix { $0 != ";" }.lowercased() ?? ""
            guard type.filter({ $0 != " " }) == "application/json" else {
                throw Fault(.mediaType, "Content-Type must be application/json")
            }
        }

        private func read(_ request: Request, into data: inout Data) async throws {
            let limit = inference.options.bodyLimit
            let tooLarge = Fault(.bodyTooLarge, "the body is larger than \(limit) bytes (--payload-limit)")
            if let length = request.headers[.contentLength].flatMap(Int.init), length > limit { throw tooLarge }
            for try await part in request.body {
                guard data.count + part.readableBytes <= limit else { throw tooLarge }
                // Many large bodies at once would fill the memory before any of them is looked at.
                guard requestsInFlight.hold(part.readableBytes, limit: Self.bodiesAtOnce * limit) else {
                    throw Fault(.overloaded(retryAfter: 1), "Model is overloaded: too many large requests at once")
                }
                data.append(contentsOf: part.readableBytesView)
            }
        }

        /// Bodies of the largest size that are held together.
        private static let bodiesAtOnce = 8

        /// Runs `work` until it is done or its client is gone.
        private func whileClientIsThere(
            _ channel: any Channel, _ work: @escaping @Sendable () async throws(Fault) -> Response
        ) async throws -> Response {
            let guardian = channel.eventLoop.submit {
                try channel.pipeline.syncOperations.handler(type: ConnectionGuard.self).life
            }
            let life = try? await guardian.get()
            let task = Task { try await work() }
            life?.whenOver { task.cancel() }
            defer { life?.whenOver(nil) }
            return try await withTaskCancellationHandler {
                try await task.value
            } onCancel: {
                task.cancel()
            }
        }
    }

    /// How many requests are being answered, and how many bytes of theirs are held.
    private final class InFlight: Sendable {
        private let state = Mutex((requests: 0, bytes: 0))

        func enter(limit: Int) -> Bool {
            state.withLock { state in
                guard state.requests < limit else { return false }
                state.requests += 1
                return true
            }
        }

        func hold(_ bytes: Int, limit: Int) -> Bool {
            state.withLock { state in
                guard state.bytes + bytes <= limit else { return false }
                state.bytes += bytes
                return true
            }
        }

        func leave(bodyBytes: Int) {
            state.withLock { state in
                state.requests -= 1
                state.bytes -= bodyBytes
            }
        }
    }
#endif
