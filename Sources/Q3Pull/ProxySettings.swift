// Which proxy the environment asks for, by the conventions of curl.

/// HTTPS_PROXY, http_proxy, ALL_PROXY and NO_PROXY.
struct ProxySettings: Sendable, Equatable {
    struct Proxy: Sendable, Equatable {
        let host: String
        let port: Int
        var user: String?
        var password = ""
    }

    private let encrypted: Proxy?
    private let plain: Proxy?
    private let exceptions: [String]

    init(environment: [String: String]) throws(PullError) {
        func value(_ names: String...) -> (name: String, text: String)? {
            names.lazy.compactMap { name in environment[name].flatMap { $0.isEmpty ? nil : (name, $0) } }.first
        }
        let all = value("all_proxy", "ALL_PROXY")
        encrypted = try Self.proxy(value("https_proxy", "HTTPS_PROXY") ?? all)
        // Not HTTP_PROXY: a web server sets that from a request's header.
        plain = try Self.proxy(value("http_proxy") ?? all)
        exceptions = (value("no_proxy", "NO_PROXY")?.text ?? "").lowercased().split(separator: ",").map { entry in
            String(entry.drop { $0 == " " || $0 == "." }.prefix { $0 != " " })
        }
    }

    /// The proxy to reach an address by, nil to go there directly.
    func proxy(for address: WebAddress) -> Proxy? {
        let host = address.host
        let isExcepted = exceptions.contains { entry in
            entry == "*" || (!entry.isEmpty && (host == entry || host.hasSuffix(".\(entry)")))
        }
        return isExcepted ? nil : address.isEncrypted ? encrypted : plain
    }

    /// Reads "http://user:password@host:port"; scheme and user may be left out.
    private static func proxy(_ variable: (name: String, text: String)?) throws(PullError) -> Proxy? {
        guard let (name, text) = variable else { return nil }
        let rest = text.contains("://") ? text : "http://\(text)"
        guard rest.lowercased().hasPrefix("http://") else { throw .badProxy(variable: name) }
        let authority = rest.dropFirst("http://".count).prefix { $0 != "/" }
        let at = authority.lastIndex(of: "@")
        let place = at.map { authority[authority.index(after: $0)...] } ?? authority
        do throws(AddressFault) {
            let address = try WebAddress("http://\(place)")
            let port = place.last == "]" || !place.contains(":") ? 1080 : address.origin.port
            var proxy = Proxy(host: address.host, port: port)
            if let at {
                let parts = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                proxy.user = decoded(parts[0])
                proxy.password = parts.count > 1 ? decoded(parts[1]) : ""
            }
            return proxy
        } catch {
            throw .badProxy(variable: name)
        }
    }

    /// Resolves %41 and the like, which passwords with an "@" need.
    private static func decoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest.removeFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
