// HTTPS, where no proxy speaks it; under a trait, since it needs BoringSSL.
#if Server
import HummingbirdCore

#if TLS
import HummingbirdTLS
import NIOSSL
#endif

extension HTTPServerBuilder {
    /// The server on a connection that is encrypted with TLS 1.2 or later, if asked for.
    ///
    /// Throws `ServerError.tls` for files that are not a certificate chain and its key, or without the trait.
    func secured(by files: ServerOptions.TLSFiles?) throws(ServerError) -> HTTPServerBuilder {
        guard let files else { return self }
        #if TLS
        do {
            var tls = TLSConfiguration.makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMFile(files.certificates).map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: files.key, format: .pem)))
            tls.minimumTLSVersion = .tlsv12
            _ = try NIOSSLContext(configuration: tls)  // the pair is checked before the first connection
            return try .tls(self, tlsConfiguration: tls)
        } catch {
            throw .tls("\(files.certificates) and \(files.key) are not a certificate chain and its key: \(error)")
        }
        #else
        throw .tls("this q3 was built without TLS; build it with: swift build -c release --traits default,TLS")
        #endif
    }
}
#endif
