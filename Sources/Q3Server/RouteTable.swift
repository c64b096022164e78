// All routes of all families, by method and path.
#if Server
import HTTPTypes
import Hummingbird

/// One array that the router, the 405 answers, access control and the tests read.
struct RouteTable: Sendable {
    struct Entry: Sendable {
        let family: APIFamily
        let route: Route
    }

    /// The routes of a path, those with a condition first.
    private let entries: [String: [Entry]]

    init(_ families: [APIFamily]) {
        var entries: [String: [Entry]] = [:]
        for family in families {
            for route in family.routes {
                for path in route.paths { entries[path, default: []].append(Entry(family: family, route: route)) }
            }
        }
        self.entries = entries.mapValues { entries in
            entries.filter { !$0.route.condition.isAlwaysTrue } + entries.filter(\.route.condition.isAlwaysTrue)
        }
    }

    func add(to router: Router<ServerContext>, runner: RequestRunner) {
        for (path, entries) in entries {
            for method in methods(entries) {
                let candidates = entries.filter { $0.route.methods.contains(method) }
                router.on(RouterPath(path), method: method) { request, context in
                    try await runner.respond(to: request, context: context, candidates: candidates)
                }
            }
        }
    }

    /// Which methods each path has.
    var methods: [String: [HTTPRequest.Method]] { entries.mapValues(methods) }

    private func methods(_ entries: [Entry]) -> [HTTPRequest.Method] {
        entries.reduce(into: []) { methods, entry in
            methods += entry.route.methods.filter { !methods.contains($0) }
        }
    }

    /// The routes of a request's path, whatever its method; a path that ends in `**` stands for all that begin like it.
    private func entries(_ request: Request) -> [Entry] {
        let path = request.uri.path
        return entries[path] ?? entries.first { $0.key.hasSuffix("**") && path.hasPrefix($0.key.dropLast(2)) }?.value
            ?? []
    }

    func needsKey(_ request: Request) -> Bool {
        entries(request).first { $0.route.methods.contains(request.method) }?.route.needsKey ?? true
    }

    /// The form of errors before a route is chosen: that of the path's last entry, which takes all bodies.
    func family(_ request: Request) -> APIFamily? {
        let entries = entries(request)
        return (entries.last { $0.route.methods.contains(request.method) } ?? entries.last)?.family
    }

    /// Why the router had nothing for a request.
    func error(_ request: Request) -> APIError {
        let allowed = methods(entries(request))
        guard !allowed.isEmpty, !allowed.contains(request.method) else {
            return APIError(.noSuchRoute, "there is no such route; see /docs")
        }
        let list = allowed.map(\.rawValue).joined(separator: ", ")
        return APIError(.methodNotAllowed(allow: list), "this route takes \(list)")
    }
}
#endif
