// Asks the hub, or its mirror, for a file, and follows where it sends us.
#if Pull
    internal import AsyncHTTPClient
    internal import NIOCore
    internal import NIOHTTP1
    internal import NIOSSL
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

        /// Asks for an address and those that it redirects to, and hands out the first answer that redirects no further,
        /// with what the hub itself said on the way. The answer's bytes are there only within `use`.
        func get<R>(
            _ start: WebAddress, headers: [(String, String)], attempt: Int,
            _ use: (_ answer: HTTPClientResponse, _ at: WebAddress, _ facts: HubFacts) async throws -> R
        ) async throws -> R {
            var address = start
            var facts = HubFacts()
            for _ in 0...Self.redirectLimit {
                try checkEncryption(address)
                let client = HTTPClient(
                    eventLoopGroupProvider: .singleton, configuration: try configuration(for: address, attempt: attempt)
                )
                do {
                    let result: R?
                    let answer = try await client.execute(
                        request(address, headers), deadline: .now() + .milliseconds(Int64(stallTimeout * 2000)))
                    if address.origin == mirror.origin { facts.add { answer.headers.first(name: $0) } }
                    if let next = try Self.redirect(answer, from: address) {
                        address = next
                        result = nil
                    } else {
                        result = try await use(answer, address, facts)
                    }
                    try? await client.shutdown()
                    if let result { return result }
                } catch {
                    try? await client.shutdown()
                    throw fault(error, at: address)
                }
            }
            throw PullError.tooManyRedirects(from: "\(start)", limit: Self.redirectLimit)
        }

        private func request(_ address: WebAddress, _ headers: [(String, String)]) -> HTTPClientRequest {
            var request = HTTPClientRequest(url: address.url)
            request.headers.add(name: "Accept-Encoding", value: "identity")
            request.headers.add(name: "User-Agent", value: "q3")
            for (name, value) in headers { request.headers.add(name: name, value: value) }
            if let token, address.origin == mirror.origin {
                request.headers.add(name: "Authorization", value: "Bearer \(token)")
            }
            return request
        }

        private static func redirect(_ answer: HTTPClientResponse, from address: WebAddress) throws(PullError)
            -> WebAddress?
        {
            guard [301, 302, 303, 307, 308].contains(answer.status.code) else { return nil }
            guard let location = answer.headers.first(name: "location") else {
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

        /// A name is looked up here and not by the client, so that the address that was checked is the one that is used.
        /// The hub's own host may be in a private network, since the user named it. Behind a proxy only the proxy knows
        /// the addresses.
        private func configuration(for address: WebAddress, attempt: Int) throws(PullError) -> HTTPClient.Configuration
        {
            var configuration = HTTPClient.Configuration(
                redirectConfiguration: .disallow,
                timeout: .init(
                    connect: .milliseconds(Int64(min(stallTimeout, 15) * 1000)),
                    read: .milliseconds(Int64(stallTimeout * 1000))))
            configuration.httpVersion = .http1Only
            configuration.connectionPool.retryConnectionEstablishment = false
            var tls = TLSConfiguration.makeClientConfiguration()
            if let authorities { tls.trustRoots = .file(authorities) }
            configuration.tlsConfiguration = tls

            let mayBePrivate = address.origin == mirror.origin || plainHosts.contains(address.host)
            if let proxy = proxies.proxy(for: address) {
                if !mayBePrivate, Self.isNumber(address.host) {
                    try Self.checkPublic(HostAddress.lookUp(address.host), address)
                }
                configuration.proxy = .server(
                    host: proxy.host, port: proxy.port,
                    authorization: proxy.user.map { .basic(username: $0, password: proxy.password) })
                return configuration
            }
            let found = HostAddress.lookUp(address.host)
            guard !found.isEmpty else { throw .connection(host: address.host, reason: "there is no such host") }
            if !mayBePrivate { try Self.checkPublic(found, address) }
            if !Self.isNumber(address.host) {
                configuration.dnsOverride = [address.host: found[attempt % found.count].text]
            }
            return configuration
        }

        private static func checkPublic(_ found: [HostAddress], _ address: WebAddress) throws(PullError) {
            guard found.allSatisfy(\.isPublic) else {
                throw .untrustedHost("\(address)", host: address.host, fault: "is at a private address")
            }
        }

        /// Whether a host is given by its address, in any notation that systems read.
        private static func isNumber(_ host: String) -> Bool {
            guard !host.hasPrefix("[") else { return true }
            let last = host.split(separator: ".").last ?? ""
            return last.utf8.first.map { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 } ?? false
        }

        /// Says what the libraries' errors mean.
        private func fault(_ error: any Error, at address: WebAddress) -> any Error {
            switch error {
            case is PullError, is CancellationError: error
            case let error as HTTPClientError where error == .readTimeout || error == .deadlineExceeded:
                PullError.stalled(host: address.host, seconds: stallTimeout)
            case let error as HTTPClientError where error == .connectTimeout:
                PullError.connection(host: address.host, reason: "it does not answer")
            case let error as NIOSSLExtraError: PullError.untrusted(host: address.host, reason: "\(error)")
            case NIOSSLError.handshakeFailed(let reason): PullError.untrusted(host: address.host, reason: "\(reason)")
            case NIOSSLError.failedToLoadCertificate, NIOSSLError.noSuchFilesystemObject:
                PullError.untrusted(host: address.host, reason: "the file in SSL_CERT_FILE cannot be read")
            default: PullError.connection(host: address.host, reason: "\(error)")
            }
        }
    }
#endif
