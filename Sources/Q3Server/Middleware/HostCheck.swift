// By which names the server may be called.
#if Server
import Hummingbird

/// A page of another site can make a browser call us under that site's name (DNS rebinding); such names are refused.
///
/// Addresses are not names, so they are always allowed. Names are this machine's own and those on the list; `*` allows
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

    func check(_ request: Request) throws(APIError) {
        guard let authority = request.head.authority, !authority.isEmpty else {
            throw APIError(.invalid, "the Host header is missing")
        }
        guard !isOff else { return }
        let name = Self.name(authority)
        guard Self.isAddress(name) || names.contains(name) else {
            throw APIError(.forbidden, "this host name is not one of the server's; its operator can allow it")
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
