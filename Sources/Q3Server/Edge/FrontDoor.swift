// What every request passes on its way in and every answer on its way out.
#if Server
    import HTTPTypes
    import Hummingbird
    import Logging
    import NIOCore
    import NIOHTTP1

    #if canImport(FoundationEssentials)
        import FoundationEssentials
    #else
        import Foundation
    #endif

    /// What Hummingbird keeps for a request.
    struct ServerContext: RequestContext {
        var coreContext: CoreRequestContextStorage
        let channel: any Channel
        let arrival = ContinuousClock.now
        /// Names the request in the log and in the answer.
        var id = ""

        init(source: ApplicationRequestContextSource) {
            coreContext = CoreRequestContextStorage(source: source)
            channel = source.channel
        }
    }

    /// Ids, the gate, the log, metrics and the headers that every answer has.
    struct FrontDoor: RouterMiddleware {
        typealias Context = ServerContext

        let gate: Gate
        let metrics: ServerMetrics
        /// Methods of each path, for what is not allowed.
        let routes: RouteTable

        func handle(
            _ request: Request, context: Context, next: (Request, Context) async throws -> Response
        ) async throws -> Response {
            var context = context
            context.id = Self.requestID(request)
            var response: Response
            do {
                try gate.check(request)
                response = try await answer(request, context, next)
            } catch let error as HTTPParserError {
                throw error  // what follows on the connection cannot be read; Hummingbird answers 400 and closes it
            } catch {
                let fault = (error as? HTTPError).map { _ in routes.fault(for: request) } ?? Fault(error)
                metrics.failed(fault.kind)
                response = (fault.style ?? ErrorStyle(path: request.uri.path)).response(to: fault)
            }
            response.headers[.requestID] = context.id
            response.headers[.contentTypeOptions] = "nosniff"
            response.headers[.cacheControl] = "no-store"
            if let origin = gate.allowedOrigin(for: request) {
                response.headers[.accessControlAllowOrigin] = origin
                response.headers[.vary] = "Origin"
            }
            let took = ContinuousClock.now - context.arrival
            let route = context.endpointPath ?? "none"
            metrics.answered(route: route, status: response.status.code, after: took)
            context.logger.info(
                "answered",
                metadata: [
                    "id": .string(context.id), "method": .string(routes.known(request.method)), "route": .string(route),
                    "status": .stringConvertible(response.status.code), "ms": .stringConvertible(took.milliseconds),
                    "tokens": .string(response.headers[.computeTokens] ?? "0"),
                ])
            return response
        }

        private func answer(
            _ request: Request, _ context: Context, _ next: (Request, Context) async throws -> Response
        ) async throws -> Response {
            guard request.method == .options else { return try await next(request, context) }
            // A page asks beforehand; without leave it learns nothing.
            var response = Response(status: .noContent)
            if gate.allowedOrigin(for: request) != nil {
                response.headers[.accessControlAllowMethods] = "GET, POST"
                response.headers[.accessControlAllowHeaders] = "Authorization, Content-Type, X-Api-Key, X-Request-Id"
                response.headers[.accessControlMaxAge] = "600"
            }
            return response
        }

        /// The client's own id where it is harmless in a log, or a new one.
        private static func requestID(_ request: Request) -> String {
            if let given = request.headers[.requestID], (1...128).contains(given.utf8.count),
                given.utf8.allSatisfy({ byte in
                    (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                        || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
                })
            {
                return given
            }
            return UUID().uuidString.lowercased()
        }
    }

    extension HTTPField.Name {
        static let contentTypeOptions = Self("x-content-type-options")!
    }

    /// Which methods a path has.
    struct RouteTable: Sendable {
        private var methods: [String: [HTTPRequest.Method]] = [:]

        mutating func add(_ method: HTTPRequest.Method, _ path: String) {
            methods[path, default: []].append(method)
        }

        var paths: [String: [HTTPRequest.Method]] { methods }

        /// Why the router had nothing for a request.
        func fault(for request: Request) -> Fault {
            if let allowed = methods[request.uri.path], !allowed.contains(request.method) {
                let list = allowed.map(\.rawValue).joined(separator: ", ")
                return Fault(.methodNotAllowed(allow: list), "this route takes \(list)")
            }
            return Fault(.noSuchRoute, "there is no such route; see /docs")
        }

        /// The method if it is a usual one; clients may invent others.
        func known(_ method: HTTPRequest.Method) -> String {
            [.get, .head, .post, .put, .delete, .options, .patch].contains(method) ? method.rawValue : "OTHER"
        }
    }
#endif
