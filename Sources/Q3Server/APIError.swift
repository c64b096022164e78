// What can go wrong with a request.
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
struct APIError: Error, Equatable {
    enum Kind: Equatable {
        /// A field that is missing, of the wrong type or out of range.
        case invalid
        /// No text at all, where one is needed.
        case empty
        /// More tokens than are taken.
        case tooLong(tokens: Int, limit: Int)
        /// More texts than one request may hold.
        case tooMany
        /// More tokens in all than one request may have.
        case tooManyTokens
        /// A body of more bytes than the server reads.
        case bodyTooLarge
        /// The body is not `application/json`, or is compressed.
        case mediaType
        /// A transfer coding other than chunked.
        case transferCoding
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
        /// The model computed something that is not a number.
        case nonFinite
        /// The model file changed underneath.
        case modelChanged
        case `internal`
    }

    let kind: Kind
    let message: String
    /// The field that is wrong.
    var param: String?

    init(_ kind: Kind, _ message: String, param: String? = nil) {
        self.kind = kind
        self.message = message
        self.param = param
    }

    static func invalid(_ param: String, _ message: String) -> APIError {
        APIError(.invalid, message, param: param)
    }

    static func tooLong(_ tokens: Int, limit: Int, param: String?) -> APIError {
        APIError(
            .tooLong(tokens: tokens, limit: limit),
            "\(tokens) tokens are more than the maximum context length of \(limit); shorten the text, or ask for it to "
                + "be truncated", param: param)
    }

    /// What the API says of any error that a handler can meet; `path` is where the wrong text stands in the body.
    init(_ error: any Error, at path: String? = nil) {
        switch error {
        case let error as APIError: self = error
        case EmbeddingError.text(let index, let error): self.init(error, at: path.map { "\($0)[\(index)]" })
        case RerankError.pair(let index, let error): self.init(error, at: path.map { "\($0)[\(index)]" })
        case EmbeddingError.tooLong(let tokens, let limit), RerankError.tooLong(let tokens, let limit),
            ModelError.inputTooLong(_, let tokens, let limit):
            self = .tooLong(tokens, limit: limit, param: path)
        case RerankError.queryTooLong(let tokens, let limit):
            self = .tooLong(tokens, limit: limit, param: "query")
        case EmbeddingError.nonFinite, EmbeddingError.zeroNorm, RerankError.nonFinite, RerankError.zeroState:
            self.init(.nonFinite, "\(error)", param: path)
        case EmbeddingError.dimensions, EmbeddingError.unevenBits, EmbeddingError.adapterDimensions:
            self.init(.invalid, "\(error)", param: "dimensions")
        case ModelError.tokenOutOfRange, ModelError.emptyInput, is TokenizerError:
            self.init(.invalid, "\(error)", param: path)
        case ModelError.outOfMemory: self.init(.overloaded(retryAfter: 1), "\(error)")
        case GGUFError.changed: self.init(.modelChanged, "the model file changed; the server must be restarted")
        case is CancellationError: self.init(.unavailable, "the request was cancelled")
        case is EmbeddingError, is RerankError, is ModelError: self.init(.internal, "\(error)")
        default: self.init(.internal, "an unexpected error: \(type(of: error))")
        }
    }
}
#endif
