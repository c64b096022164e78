// Who is answered: the host that was called, the page that calls, the key that is shown.
#if Server
import HTTPTypes
import Hummingbird

/// Refuses requests before anything of them is read.
struct AccessControl: RouterMiddleware {
    private let keys: [[UInt8]]
    private let hosts: HostCheck
    private let origins: AllowedOrigins
    private let table: RouteTable

    init(options: ServerOptions, table: RouteTable) {
        keys = options.apiKeys.map { Array($0.utf8) }
        hosts = HostCheck(options: options)
        origins = AllowedOrigins(options)
        self.table = table
    }

    func handle(
        _ request: Request, context: ServerContext, next: (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        try hosts.check(request)
        try checkOrigin(of: request)
        guard keys.isEmpty || request.method == .options || !table.needsKey(request) || isAuthorized(request) else {
            throw APIError(.unauthorized, "a valid API key is needed: Authorization: Bearer KEY")
        }
        return try await next(request, context)
    }

    /// Browsers name the page that calls; other pages than those allowed and our own get nothing done.
    private func checkOrigin(of request: Request) throws(APIError) {
        guard let origin = request.headers[.origin], origins.allowed(for: request) == nil else { return }
        let isOwn = ["http://", "https://"].contains { scheme in
            origin.utf8.elementsEqual((scheme + (request.head.authority ?? "")).utf8)
        }
        guard isOwn else {
            throw APIError(
                .forbidden, "pages of this origin may not call the server, unless its operator allows the origin")
        }
    }

    private func isAuthorized(_ request: Request) -> Bool {
        let given =
            request.headers[values: .authorization].map { value in
                value.utf8.starts(with: "Bearer ".utf8) ? Array(value.utf8.dropFirst(7)) : Array(value.utf8)
            } + request.headers[values: .apiKey].map { Array($0.utf8) }
        // Two keys in one request are an attack.
        guard given.count == 1 else { return false }
        return keys.reduce(false) { $0 || Self.equal($1, given[0]) }
    }

    /// Takes equally long for a key that is wrong at its first byte and for one that is wrong at its last.
    static func equal(_ key: [UInt8], _ given: [UInt8]) -> Bool {
        var difference = key.count ^ given.count
        for index in key.indices {
            difference |= Int(key[index] ^ (index < given.count ? given[index] : 0))
        }
        return difference == 0 && !key.isEmpty
    }
}
#endif
