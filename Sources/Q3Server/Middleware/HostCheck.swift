// By which names the server may be called.
#if Server
import Hummingbird

/// A page of another site can make a browser call us under that site's name (DNS rebinding); such names are refused.
///
/// Addresses are not names, so they are always allowed. Names are this machine's own and those on the list; `*` allows
/// all. With keys the check is not needed, since a page has none. Names are compared by bytes, with the letters of ASCII in lower
/// case: that is how name servers compare them, and Swift's strings take more for equal.
struct HostCheck: Sendable {
    private let names: Set<[UInt8]>
    private let isOff: Bool

    init(options: ServerOptions) {
        var names: Set<[UInt8]> = [Array("localhost".utf8)]
        names.formUnion(options.allowedHosts.map(Self.lowercased))
        if case .host(let name, _) = options.address { names.insert(Self.lowercased(name)) }
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

    private static func lowercased(_ text: String) -> [UInt8] {
        text.utf8.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
    }

    /// The host without its port, in lower case; brackets stay around an IPv6 address.
    static func name(_ authority: String) -> [UInt8] {
        let text = lowercased(authority)
        if text.first == UInt8(ascii: "["), let end = text.firstIndex(of: UInt8(ascii: "]")) {
            let rest = text[(end + 1)...]
            return rest.isEmpty || isPort(rest) ? Array(text[...end]) : text
        }
        guard let colon = text.lastIndex(of: UInt8(ascii: ":")), isPort(text[colon...]) else { return text }
        return Array(text[..<colon])
    }

    private static func isPort(_ text: ArraySlice<UInt8>) -> Bool {
        text.first == UInt8(ascii: ":") && text.dropFirst().allSatisfy { (48...57).contains($0) }
    }

    static func isAddress(_ name: [UInt8]) -> Bool {
        if name.first == UInt8(ascii: "["), name.last == UInt8(ascii: "]") {
            return name.dropFirst().dropLast().allSatisfy {
                (48...57).contains($0) || (97...102).contains($0) || $0 == UInt8(ascii: ":")
                    || $0 == UInt8(ascii: ".")
            }
        }
        let parts = name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                part.allSatisfy { (48...57).contains($0) } && UInt8(String(decoding: part, as: UTF8.self)) != nil
            }
    }
}
#endif
