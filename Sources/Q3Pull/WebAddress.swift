// A strict reading of URLs: what is unusual is refused, since others may read it differently.

/// An http or https URL without a user, a password or a fragment.
struct WebAddress: Sendable, Equatable, CustomStringConvertible {
    enum Scheme: String, Sendable { case http, https }

    /// Scheme, host and port: who is talked to.
    struct Origin: Sendable, Hashable {
        let scheme: Scheme
        /// In lower case; an IPv6 address is in brackets.
        let host: String
        let port: Int
    }

    let origin: Origin
    /// Path and query, from the slash on.
    let target: String

    var host: String { origin.host }
    var isEncrypted: Bool { origin.scheme == .https }
    var url: String { place + target }

    /// Without the query, which may hold a signature that is as good as a password.
    var description: String { place + target.prefix { $0 != "?" } }

    private var place: String {
        let standard = origin.scheme == .https ? 443 : 80
        return "\(origin.scheme.rawValue)://\(origin.host)\(origin.port == standard ? "" : ":\(origin.port)")"
    }

    init(_ text: String) throws(AddressFault) {
        guard text.utf8.count <= 8192, text.utf8.allSatisfy({ 0x21...0x7E ~= $0 && $0 != UInt8(ascii: "\\") }) else {
            throw .badCharacters
        }
        guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://"),
            let scheme = Scheme(rawValue: text[..<colon].lowercased())
        else { throw .notHTTP }
        let rest = text[text.index(colon, offsetBy: 3)...]
        let authority = rest.prefix { !"/?#".contains($0) }
        let target = rest[authority.endIndex...]
        guard !target.contains("#"), !target.hasPrefix("?") else { throw .badCharacters }
        guard !authority.contains("@") else { throw .userInfo }
        let (host, port) = try Self.hostAndPort(authority, standard: scheme == .https ? 443 : 80)
        origin = Origin(scheme: scheme, host: host, port: port)
        self.target = target.isEmpty ? "/" : String(target)
    }

    /// Where a Location header leads from here.
    func following(_ location: String) throws(AddressFault) -> WebAddress {
        if location.hasPrefix("//") { return try WebAddress("\(origin.scheme.rawValue):\(location)") }
        if location.hasPrefix("/") { return try WebAddress(place + location) }
        return try WebAddress(location)
    }

    /// The address with more path at its end.
    func appending(_ path: String) throws(AddressFault) -> WebAddress {
        guard !target.contains("?") else { throw .badCharacters }
        return try WebAddress("\(place)\(target.hasSuffix("/") ? String(target.dropLast()) : target)/\(path)")
    }

    private static func hostAndPort(_ authority: Substring, standard: Int) throws(AddressFault) -> (String, Int) {
        var host = authority
        var port = standard
        let end = authority.hasPrefix("[") ? authority.firstIndex(of: "]") : nil
        if let colon = authority[(end ?? authority.startIndex)...].lastIndex(of: ":") {
            host = authority[..<colon]
            let digits = authority[authority.index(after: colon)...]
            guard digits.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }), let given = Int(digits),
                1...65535 ~= given
            else { throw .badHost }
            port = given
        }
        let name = end == nil ? host : host.dropFirst().dropLast()
        let marks = end == nil ? "-._" : ":."
        guard !name.isEmpty, name.utf8.count <= 253,
            name.allSatisfy({ ($0.isASCII && ($0.isLetter || $0.isNumber)) || marks.contains($0) })
        else { throw .badHost }
        return (host.lowercased(), port)
    }
}

/// What is wrong with an address.
enum AddressFault: Error, CustomStringConvertible {
    case badCharacters, notHTTP, userInfo, badHost

    var description: String {
        switch self {
        case .badCharacters: "has characters that a URL may not have here"
        case .notHTTP: "is not an http or https URL"
        case .userInfo: "has a user or password in it"
        case .badHost: "has no proper host and port"
        }
    }
}
