// Who is answered: the host that was called, the page that calls, the key that is shown.
#if Server
    import HTTPTypes
    import Hummingbird

    /// Refuses requests before anything of them is read.
    struct Gate: Sendable {
        private let keys: [[UInt8]]
        private let hosts: HostCheck
        private let origins: Set<String>

        /// Paths that need no key: probes, counts, and pages that hold nothing of anybody's; the peers keep these open too.
        private static let open: Set<String> = [
            "/metrics",
            "/health", "/ready", "/live", "/ping", "/v1/health", "/ui", "/docs", "/openapi.json",
        ]

        init(options: ServerOptions) {
            keys = options.apiKeys.map { Array($0.utf8) }
            hosts = HostCheck(options: options)
            origins = Set(options.allowedOrigins)
        }

        func check(_ request: Request) throws(Fault) {
            try hosts.check(request)
            try checkOrigin(of: request)
            guard !keys.isEmpty, request.method != .options else { return }
            let path = request.uri.path
            let isProbe = path == "/" && (request.method == .get || request.method == .head)
            guard isProbe || Self.open.contains(path) || isAuthorized(request) else {
                throw Fault(.unauthorized, "a valid API key is needed: Authorization: Bearer KEY")
            }
        }

        /// Browsers name the page that calls; other pages than those allowed and our own get nothing done.
        private func checkOrigin(of request: Request) throws(Fault) {
            guard let origin = request.headers[.origin], allowedOrigin(for: request) == nil else { return }
            let isOwn = request.head.authority.map { origin == "http://\($0)" || origin == "https://\($0)" } ?? false
            if !isOwn { throw Fault(.forbidden, "requests of this page's origin are not allowed") }
        }

        /// The origin to allow in the answer, if the request comes from a page on the list.
        func allowedOrigin(for request: Request) -> String? {
            guard let origin = request.headers[.origin] else { return nil }
            return origins.contains("*") || origins.contains(origin) ? origin : nil
        }

        private func isAuthorized(_ request: Request) -> Bool {
            let given =
                request.headers[values: .authorization].map { value in
                    value.utf8.starts(with: "Bearer ".utf8) ? Array(value.utf8.dropFirst(7)) : Array(value.utf8)
                } + request.headers[values: .apiKey].map { Array($0.utf8) }
            // Two keys in one request are a trick, not a client.
            guard given.count == 1 else { return false }
            return keys.reduce(false) { $0 || Self.equal($1, given[0]) }
        }

        /// Takes as long for a key that is wrong at its first byte as for one that is wrong at its last.
        static func equal(_ key: [UInt8], _ given: [UInt8]) -> Bool {
            var difference = key.count ^ given.count
            for index in key.indices {
                difference |= Int(key[index] ^ (index < given.count ? given[index] : 0))
            }
            return difference == 0 && !key.isEmpty
        }
    }

    /// A page of another site can make a browser call us under that site's name (DNS rebinding); such names are refused.
    ///
    /// Numbers are no names, so an address is always good. Names are this machine's own and those on the list; `*` allows
    /// all. With keys the check is not needed, since a page has none.
    struct HostCheck: Sendable {
        private let names: Set<String>
        private let isOff: Bool

        init(options: ServerOptions) {
            var names: Set<String> = ["localhost"]
            names.formUnion(options.allowedHosts.map { $0.lowercased() })
            if case .host(let name, _) = options.address { names.insert(name.lowercased()) }
            self.names = names
            isOff = options.allowedHosts.contains("*") || !options.apiKeys.isEmpty
        }

        func check(_ request: Request) throws(Fault) {
            guard let authority = request.head.authority, !authority.isEmpty else {
                throw Fault(.invalid, "the Host header is missing")
            }
            guard !isOff else { return }
            let name = Self.name(authority)
            guard Self.isAddress(name) || names.contains(name) else {
                throw Fault(.forbidden, "this host name is not allowed; see --allowed-host")
            }
        }

        /// The host without its port, in lower case; brackets stay around an IPv6 address.
        static func name(_ authority: String) -> String {
            let text = authority.lowercased()
            if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
                let rest = text[text.index(after: end)...]
                return rest.isEmpty || isPort(rest) ? String(text[...end]) : text
            }
            guard let colon = text.lastIndex(of: ":"), isPort(text[colon...]) else { return text }
            return String(text[..<colon])
        }

        private static func isPort(_ text: Substring) -> Bool {
            text.first == ":" && text.dropFirst().utf8.allSatisfy { (48...57).contains($0) }
        }

        static func isAddress(_ name: String) -> Bool {
            if name.hasPrefix("["), name.hasSuffix("]") {
                return name.dropFirst().dropLast().utf8.allSatisfy {
                    (48...57).contains($0) || (97...102).contains($0) || $0 == UInt8(ascii: ":")
                        || $0 == UInt8(ascii: ".")
                }
            }
            let parts = name.split(separator: ".", omittingEmptySubsequences: false)
            return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
        }
    }
#endif
