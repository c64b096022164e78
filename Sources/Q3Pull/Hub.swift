// Asks the hub, or its mirror, for a file, and follows where it sends us.
#if Pull
internal import Q3Catalog

/// What is talked to, and with what caution.
struct Hub: Sendable {
    let mirror: WebAddress
    private let token: String?
    var hasToken: Bool { token != nil }
    private let proxies: ProxySettings
    private let authorities: String?
    private let plainHosts: Set<String>
    private let stallTimeout: Double

    static let redirectLimit = 5

    /// Reads Q3_MIRROR, HF_TOKEN, SSL_CERT_FILE and the proxies' variables.
    init(environment: [String: String], options: PullOptions) throws(PullError) {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        do throws(AddressFault) {
            mirror = try WebAddress(value("Q3_MIRROR") ?? "https://huggingface.co")
            _ = try mirror.appending("OWNER")
        } catch {
            throw .badMirror(fault: "\(error)")
        }
        token = value("HF_TOKEN")
        guard token?.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) ?? true else { throw .badToken }
        proxies = try ProxySettings(environment: environment)
        authorities = value("SSL_CERT_FILE")
        plainHosts = Set(options.plainHosts.map { $0.lowercased() })
        stallTimeout = options.stallTimeout
    }

    /// Where a file's bytes are, or with "raw" its pointer's.
    func address(of file: RepositoryFile, revision: String = "main", kind: String = "resolve") throws(PullError)
        -> WebAddress
    {
        do throws(AddressFault) {
            return try mirror.appending("\(file.repository)/\(kind)/\(revision)/\(file.path)")
        } catch {
            throw .badMirror(fault: "\(error)")
        }
    }

    /// Asks for an address and those that it redirects to. Returns the first answer that redirects no further, where it
    /// came from, and what the hub itself said on the way.
    func get(
        _ start: WebAddress, headers: [(name: String, value: String)] = []
    ) async throws -> (answer: Answer, place: WebAddress, facts: HubFacts) {
        var address = start
        var facts = HubFacts()
        for _ in 0...Self.redirectLimit {
            try checkEncryption(address)
            let answer = try await Answer(to: request(address, headers))
            if address.origin == mirror.origin { facts.add { answer.first($0) } }
            guard let next = try Self.redirect(answer, from: address) else { return (answer, address, facts) }
            address = next
        }
        throw PullError.tooManyRedirects(from: "\(start)", limit: Self.redirectLimit)
    }

    /// The hub's own host may be in a private network, since the user named it. The address that is checked is the one
    /// that is then connected with; behind a proxy only the proxy knows the addresses of names.
    private func request(
        _ address: WebAddress, _ headers: [(name: String, value: String)]
    ) throws(PullError) -> Request {
        let onlyPublic = address.origin != mirror.origin && !plainHosts.contains(address.host)
        let proxy = proxies.proxy(for: address)
        if onlyPublic, let number = HostAddress.number(address.host), !number.isPublic {
            throw .untrustedHost("\(address)", host: address.host, fault: "is at a private address")
        }
        var request = Request(
            address: address, headers: [("Accept-Encoding", "identity"), ("User-Agent", "q3")] + headers,
            proxy: proxy, authorities: authorities, onlyPublic: onlyPublic && proxy == nil,
            stallTimeout: stallTimeout)
        if let token, address.origin == mirror.origin {
            request.headers.append(("Authorization", "Bearer \(token)"))
        }
        return request
    }

    private static func redirect(_ answer: Answer, from address: WebAddress) throws(PullError) -> WebAddress? {
        guard [301, 302, 303, 307, 308].contains(answer.status) else { return nil }
        guard let location = answer.first("location") else {
            throw .unusable("\(address)", fault: "it redirects to nowhere")
        }
        do throws(AddressFault) {
            return try address.following(location)
        } catch {
            throw .refusedAddress("a redirect of \(address)", fault: "\(error)")
        }
    }

    /// Encrypted, or allowed not to be.
    private func checkEncryption(_ address: WebAddress) throws(PullError) {
        guard address.isEncrypted || plainHosts.contains(address.host) else {
            throw .untrustedHost("\(address)", host: address.host, fault: "is not https")
        }
    }
}
#endif
