// Pages of other origins: the answer to a browser's preflight, and the headers of every other answer.
#if Server
import HTTPTypes
import Hummingbird

/// The origins whose pages may call the server; `*` stands for all.
struct AllowedOrigins: Sendable {
    private let origins: Set<[UInt8]>

    init(_ options: ServerOptions) {
        origins = Set(options.allowedOrigins.map { Array($0.utf8) })
    }

    /// The request's origin, if it is on the list.
    func allowed(for request: Request) -> String? {
        request.headers[.origin].flatMap { origin in
            origins.contains(Array("*".utf8)) || origins.contains(Array(origin.utf8)) ? origin : nil
        }
    }
}

/// Lets allowed pages read every answer, errors too.
struct CORSHeaders: RouterMiddleware {
    let origins: AllowedOrigins

    func handle(
        _ request: Request, context: ServerContext, next: (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        if let origin = origins.allowed(for: request) {
            response.headers[.accessControlAllowOrigin] = origin
            response.headers[.vary] = "Origin"
        }
        return response
    }
}

/// Answers a browser's preflight; a page that is not allowed learns nothing.
struct Preflight: RouterMiddleware {
    let origins: AllowedOrigins

    func handle(
        _ request: Request, context: ServerContext, next: (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        guard request.method == .options else { return try await next(request, context) }
        var response = Response(status: .noContent)
        if origins.allowed(for: request) != nil {
            response.headers[.accessControlAllowMethods] = "GET, POST"
            // SDKs send headers of their own, such as x-stainless-os.
            response.headers[.accessControlAllowHeaders] =
                request.headers[.accessControlRequestHeaders]
                ?? "Authorization, Content-Type, X-Api-Key, X-Request-Id"
            response.headers[.accessControlMaxAge] = "600"
        }
        return response
    }
}

extension HTTPField.Name {
    fileprivate static let accessControlRequestHeaders = Self("access-control-request-headers")!
}
#endif
