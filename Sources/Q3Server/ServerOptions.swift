// Everything that the command line decides about the server.
#if Server
import HummingbirdCore

/// How much a server takes on, whom it answers and how.
public struct ServerOptions: Sendable {
    /// Where to listen.
    public enum Address: Sendable, Equatable {
        /// A TCP port of a host's address; port 0 lets the system choose.
        case host(String, port: Int)
        /// A Unix socket, for its owner alone.
        case unixSocket(path: String)

        var description: String {
            switch self {
            case .host(let name, let port): "\(name):\(port)"
            case .unixSocket(let path): path
            }
        }
    }

    /// PEM files of a certificate chain and its key.
    public struct TLSFiles: Sendable, Equatable {
        /// The path of the chain, the server's own certificate first.
        public var certificates: String
        /// The path of its private key.
        public var key: String

        /// Paths of PEM files.
        public init(certificates: String, key: String) {
            self.certificates = certificates
            self.key = key
        }
    }

    /// Where to listen.
    public var address = Address.host("127.0.0.1", port: 8080)
    /// Keys of which a client must send one; if empty, no key is needed.
    public var apiKeys: [String] = []
    /// Host names besides this machine's own that clients may call the server by; see `HostCheck`.
    public var allowedHosts: [String] = []
    /// Origins whose pages may call the server from a browser.
    public var allowedOrigins: [String] = []
    /// nil serves plain HTTP.
    public var tls: TLSFiles?
    /// Whether a model name that is not served is an error instead of meaning the model there is.
    public var strictModelNames = false

    /// Bytes of a request's body.
    public var bodyLimit = 32 << 20
    /// Texts of one request.
    public var itemLimit = 2048
    /// Requests that wait or run at once; others are asked to try again.
    public var requestLimit = 512
    /// Max tokens that wait, and max tokens of one request.
    public var queuedTokenLimit = 1 << 20
    /// Max tokens computed together, which is also how long a new request may have to wait.
    public var batchTokens = 2048
    /// Connections at once.
    public var connectionLimit = 4096

    /// Time for a request's header to arrive.
    public var headerTimeout = Duration.seconds(10)
    /// Time that a connection may be quiet.
    public var idleTimeout = Duration.seconds(60)
    /// Time for a whole body to arrive.
    public var bodyTimeout = Duration.seconds(30)
    /// Time for the answer.
    public var requestTimeout = Duration.seconds(600)
    /// How long requests may take to finish once the server is asked to end.
    public var shutdownTimeout = Duration.seconds(20)

    /// Whether texts longer than the model takes are cut where the request does not say. nil does as each API:
    /// OpenAI's and llama-server's refuse them, the others cut them.
    public var truncatesByDefault: Bool?
    /// Whether token ids are taken in place of texts. Clients that count tokens themselves may send those of another
    /// model.
    public var takesTokenIDs = true
    /// Put before every text that comes without a prompt of its own.
    public var defaultPrompt: TextPrompt = .document
    /// Whether `document` in the results of a reranking is a string instead of an object with a `text`.
    public var documentsAsStrings = false

    /// The defaults, which `q3 serve` has too.
    public init() {}
}

extension ServerOptions {
    /// Throws what would keep a server with these options from listening, as far as that can be known beforehand.
    public func check() throws(ServerError) {
        if case .unixSocket(let path) = address { try SocketFile.claim(path) }
        _ = try HTTPServerBuilder.http1().secured(by: tls)
    }
}
#endif
