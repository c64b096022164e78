// What can go wrong with a request, and how each family of clients wants to be told.
#if Server
    import HTTPTypes
    import Hummingbird
    import Q3Embedding
    import Q3GGUF
    import Q3Model
    import Q3Reranking
    import Q3Tokenizer

    #if canImport(FoundationEssentials)
        import FoundationEssentials
    #else
        import Foundation
    #endif

    /// Why a request gets no answer.
    struct Fault: Error, Equatable {
        enum Kind: Equatable {
            /// A field that is missing, of the wrong type or out of range.
            case invalid
            /// No text at all, where one is needed.
            case empty
            /// More tokens than the model takes.
            case tooLong
            /// More texts than one request may hold.
            case tooMany
            /// A body of more bytes than the server reads.
            case bodyTooLarge
            /// The body is not `application/json`, or is compressed.
            case mediaType
            case unauthorized
            /// A host or an origin that is not on the list.
            case forbidden
            case noSuchRoute
            case methodNotAllowed(allow: String)
            case noSuchModel
            /// A reranker was asked for vectors, or an embedding model for scores.
            case wrongTask
            /// The queue is full; try again after so many seconds.
            case overloaded(retryAfter: Int)
            /// The server is starting or ending.
            case unavailable
            /// The request's own time limit passed.
            case deadline
            /// The model computed something that is no number.
            case nonFinite
            /// The model file changed underneath.
            case modelChanged
            case `internal`
        }

        let kind: Kind
        let message: String
        /// The field that is wrong.
        var param: String?
        /// The family to tell it to, where the path alone does not say.
        var style: ErrorStyle?

        init(_ kind: Kind, _ message: String, param: String? = nil) {
            self.kind = kind
            self.message = message
            self.param = param
        }

        static func invalid(_ param: String, _ message: String) -> Fault {
            Fault(.invalid, message, param: param)
        }

        /// The fault behind any error that a handler can throw; `path` is where the wrong text stands in the body.
        init(_ error: any Error, at path: String? = nil) {
            switch error {
            case let fault as Fault: self = fault
            case EmbeddingError.text(let index, let error): self.init(error, at: path.map { "\($0)[\(index)]" })
            case RerankError.pair(let index, let error): self.init(error, at: path.map { "\($0)[\(index)]" })
            case let error as EmbeddingError:
                switch error {
                case .tooLong: self.init(.tooLong, "\(error)", param: path)
                case .nonFinite, .zeroNorm: self.init(.nonFinite, "\(error)", param: path)
                case .dimensions: self.init(.invalid, "\(error)", param: "dimensions")
                case .unevenBits: self.init(.invalid, "\(error)", param: "dimensions")
                default: self.init(.internal, "\(error)")
                }
            case let error as RerankError:
                switch error {
                case .tooLong: self.init(.tooLong, "\(error)", param: path)
                case .queryTooLong: self.init(.tooLong, "\(error)", param: "query")
                case .nonFinite, .zeroState: self.init(.nonFinite, "\(error)", param: path)
                default: self.init(.internal, "\(error)")
                }
            case let error as ModelError:
                switch error {
                case .tokenOutOfRange, .emptyInput: self.init(.invalid, "\(error)", param: path)
                case .inputTooLong: self.init(.tooLong, "\(error)", param: path)
                case .outOfMemory: self.init(.overloaded(retryAfter: 1), "\(error)")
                default: self.init(.internal, "\(error)")
                }
            case let error as TokenizerError: self.init(.invalid, "\(error)", param: path)
            case GGUFError.changed: self.init(.modelChanged, "the model file changed; the server must be restarted")
            case is CancellationError: self.init(.unavailable, "the request was cancelled")
            default: self.init(.internal, "an unexpected error: \(type(of: error))")
            }
        }
    }

    /// The families of clients by how they read errors.
    enum ErrorStyle: Sendable {
        /// `{"error": {"message", "type", "param", "code"}}`: OpenAI, Jina, vLLM, llama-server.
        case openAI
        /// `{"error": text, "error_type": name}` with 422 for what is invalid: Text Embeddings Inference.
        case tei
        /// `{"error": text}`: Ollama.
        case ollama
        /// `{"message": text}`: Cohere.
        case cohere

        /// The family that owns a path.
        init(path: String) {
            switch path {
            case "/", "/v1", "/invocations", "/embed", "/embed_all", "/embed_sparse", "/predict", "/similarity",
                "/decode", "/info",
                "/ping":
                self = .tei
            case "/v1/embed": self = .cohere
            case let path where path.hasPrefix("/api/"): self = .ollama
            case let path where path.hasPrefix("/v2/"): self = .cohere
            default: self = .openAI
            }
        }

        func status(of kind: Fault.Kind) -> HTTPResponse.Status {
            switch kind {
            case .invalid, .tooLong, .tooMany:
                self == .tei ? .unprocessableContent : .badRequest
            case .empty: .badRequest
            case .bodyTooLarge: .contentTooLarge
            case .mediaType: .unsupportedMediaType
            case .unauthorized: .unauthorized
            case .forbidden: .forbidden
            case .noSuchRoute, .noSuchModel: .notFound
            case .methodNotAllowed: .methodNotAllowed
            case .wrongTask: self == .tei ? .init(code: 424, reasonPhrase: "Failed Dependency") : .badRequest
            case .overloaded: .tooManyRequests
            case .unavailable, .modelChanged: .serviceUnavailable
            case .deadline: .gatewayTimeout
            case .nonFinite, .internal: .internalServerError
            }
        }

        func response(to fault: Fault) -> Response {
            var headers: HTTPFields = [.contentType: "application/json"]
            switch fault.kind {
            case .overloaded(let seconds): headers[.retryAfter] = "\(seconds)"
            case .unavailable: headers[.retryAfter] = "1"
            case .unauthorized: headers[.wwwAuthenticate] = "Bearer"
            case .methodNotAllowed(let allow): headers[.allow] = allow
            case .bodyTooLarge: headers[.connection] = "close"
            default: break
            }
            let body = (try? JSON.encoder.encode(ErrorBody(style: self, fault: fault))) ?? Data()
            return Response(
                status: status(of: fault.kind), headers: headers,
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
        }
    }

    /// An error as it goes over the wire.
    private struct ErrorBody: Encodable {
        let style: ErrorStyle
        let fault: Fault

        private enum Key: String, CodingKey {
            case error, message, type, param, code
            case errorType = "error_type"
        }

        func encode(to encoder: any Encoder) throws {
            var body = encoder.container(keyedBy: Key.self)
            switch style {
            case .openAI:
                var error = body.nestedContainer(keyedBy: Key.self, forKey: .error)
                try error.encode(fault.message, forKey: .message)
                try error.encode(fault.kind.openAIType, forKey: .type)
                try error.encode(fault.param, forKey: .param)
                try error.encode(fault.kind.code, forKey: .code)
            case .tei:
                try body.encode(fault.message, forKey: .error)
                try body.encode(fault.kind.teiType, forKey: .errorType)
            case .ollama:
                try body.encode(fault.message, forKey: .error)
            case .cohere:
                try body.encode(fault.message, forKey: .message)
            }
        }
    }

    extension Fault.Kind {
        /// A word for programs.
        var code: String {
            switch self {
            case .invalid: "invalid_value"
            case .empty: "empty_input"
            case .tooLong: "context_length_exceeded"
            case .tooMany: "too_many_inputs"
            case .bodyTooLarge: "body_too_large"
            case .mediaType: "unsupported_media_type"
            case .unauthorized: "invalid_api_key"
            case .forbidden: "forbidden"
            case .noSuchRoute: "not_found"
            case .methodNotAllowed: "method_not_allowed"
            case .noSuchModel: "model_not_found"
            case .wrongTask: "wrong_model_type"
            case .overloaded: "overloaded"
            case .unavailable: "unavailable"
            case .deadline: "deadline_exceeded"
            case .nonFinite: "non_finite_output"
            case .modelChanged: "model_changed"
            case .internal: "internal_error"
            }
        }

        fileprivate var openAIType: String {
            switch self {
            case .unauthorized: "authentication_error"
            case .forbidden: "permission_error"
            case .noSuchRoute, .noSuchModel, .methodNotAllowed: "not_found_error"
            case .overloaded: "rate_limit_error"
            case .unavailable, .modelChanged, .deadline: "unavailable_error"
            case .nonFinite, .internal: "server_error"
            default: "invalid_request_error"
            }
        }

        fileprivate var teiType: String {
            switch self {
            case .empty: "Empty"
            case .wrongTask, .nonFinite, .internal, .deadline: "Backend"
            case .overloaded: "Overloaded"
            case .unavailable, .modelChanged: "Unhealthy"
            default: "Validation"
            }
        }
    }
#endif
