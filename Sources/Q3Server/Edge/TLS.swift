// HTTPS, for those who have nothing in front of the server that speaks it; behind a trait, since it brings BoringSSL.
#if Server
    import HummingbirdCore

    #if TLS
        import HummingbirdTLS
        import NIOSSL
    #endif

    extension HTTPServerBuilder {
        /// The server on a connection that is encrypted with TLS 1.2 or later, if asked for.
        ///
        /// Throws `ServerError.tls` for files that are no certificate chain with its key, or without the trait.
        static func secured(
            _ configuration: HTTP1Channel.Configuration, by files: ServerOptions.TLSFiles?
        ) throws(ServerError) -> HTTPServerBuilder {
            guard let files else { return .http1(configuration: configuration) }
            #if TLS
                do {
                    var tls = TLSConfiguration.makeServerConfiguration(
                        certificateChain: try NIOSSLCertificate.fromPEMFile(files.certificates).map {
                            .certificate($0)
                        },
                        privateKey: .privateKey(try NIOSSLPrivateKey(file: files.key, format: .pem)))
                    tls.minimumTLSVersion = .tlsv12
                    _ = try NIOSSLContext(configuration: tls)  // the pair must match before anybody connects
                    return try .tls(.http1(configuration: configuration), tlsConfiguration: tls)
                } catch {
                    throw .tls("\(files.certificates) and \(files.key) are no certificate chain and its key: \(error)")
                }
            #else
                throw .tls("this q3 was built without TLS; build it with: swift build -c release --traits default,TLS")
            #endif
        }
    }
#endif
