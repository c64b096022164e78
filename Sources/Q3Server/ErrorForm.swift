// The form in which a family of clients reads errors: status, body and words.
#if Server
import HTTPTypes
import Hummingbird
import NIOCore

/// What a family makes of an error.
struct ErrorForm: Sendable {
    var status: @Sendable (APIError.Kind) -> Int = \.status
    /// What clients look for when a text is too long.
    var tooLong: (@Sendable (_ tokens: Int, _ limit: Int) -> String)?
    /// Whether a body has a place of its own for the field, or the item of a list, that is wrong.
    var hasField = false
    let body: @Sendable (_ error: APIError, _ message: String) -> any Encodable & Sendable

    func response(to error: APIError) -> Response {
        var headers: HTTPFields = [.contentType: "application/json"]
        switch error.kind {
        case .overloaded(let seconds): headers[.retryAfter] = "\(seconds)"
        case .unavailable: headers[.retryAfter] = "1"
        case .unauthorized: headers[.wwwAuthenticate] = "Bearer"
        case .methodNotAllowed(let allow): headers[.allow] = allow
        case .bodyTooLarge, .transferCoding: headers[.connection] = "close"
        default: break
        }
        let bytes = try? JSON.bytes(of: body(error, message(error)))
        return Response(
            status: .init(code: status(error.kind)), headers: headers,
            body: ResponseBody(byteBuffer: bytes ?? ByteBuffer()))
    }

    /// The family's words. One bad text of many is named, so that a client can send the others.
    private func message(_ error: APIError) -> String {
        var message = error.message
        if case .tooLong(let tokens, let limit) = error.kind, let tooLong { message = tooLong(tokens, limit) }
        guard !hasField, let item = error.param, item.utf8.last == UInt8(ascii: "]"), !message.contains(item) else {
            return message
        }
        return "\(message) (\(item))"
    }

    /// `{"error": {"message", "type", "param", "code"}}`: OpenAI, Jina, vLLM.
    static let openAI = ErrorForm(hasField: true) { ["error": OpenAIErrorBody($0, message: $1)] }

    /// `{"error": text, "error_type": name}` with 422 for what is invalid.
    static let textEmbeddingsInference = ErrorForm(
        status: { kind in
            switch kind {
            case .invalid, .tooLong, .tooMany, .tooManyTokens: 422
            case .wrongTask: 424
            default: kind.status
            }
        },
        tooLong: { "Input validation error: `inputs` must have less than \($1 + 1) tokens. Given: \($0)" },
        body: { ["error": $1, "error_type": $0.kind.teiType] })

    static let llamaServer = ErrorForm(
        tooLong: { "input (\($0) tokens) is too large to process: the context size is \($1) tokens" },
        hasField: true,
        body: { ["error": LlamaServerErrorBody($0, message: $1)] })

    /// `{"error": text}`.
    static let ollama = ErrorForm(
        tooLong: { "the input length exceeds the context length: \($0) tokens, but the context holds \($1)" },
        body: { ["error": $1] })

    /// `{"message": text}`.
    static let cohere = ErrorForm { ["message": $1] }
}

private struct OpenAIErrorBody: Encodable, Sendable {
    let message: String
    let type: String
    @Null var param: String?
    let code: String

    init(_ error: APIError, message: String) {
        (self.message, type, code) = (message, error.kind.openAIType, error.kind.code)
        _param = Null(wrappedValue: error.param)
    }
}

private struct LlamaServerErrorBody: Encodable, Sendable {
    let message: String
    var type: String
    let code: Int
    @Null var param: String?
    var nPromptTokens: Int?
    var nCtx: Int?

    init(_ error: APIError, message: String) {
        (self.message, type, code) = (message, error.kind.openAIType, error.kind.status)
        _param = Null(wrappedValue: error.param)
        guard case .tooLong(let tokens, let limit) = error.kind else { return }
        (type, nPromptTokens, nCtx) = ("exceed_context_size_error", tokens, limit)
    }
}

extension APIError.Kind {
    /// The HTTP status where a family has no other.
    var status: Int {
        switch self {
        case .invalid, .empty, .tooLong, .tooMany, .wrongTask: 400
        case .unauthorized: 401
        case .forbidden: 403
        case .noSuchRoute, .noSuchModel: 404
        case .methodNotAllowed: 405
        case .bodyTooLarge, .tooManyTokens: 413
        case .mediaType: 415
        case .overloaded: 429
        case .nonFinite, .internal: 500
        case .transferCoding: 501
        case .unavailable, .modelChanged: 503
        case .deadline: 504
        }
    }

    /// A word for programs.
    var code: String {
        switch self {
        case .invalid: "invalid_value"
        case .empty: "empty_input"
        case .tooLong: "context_length_exceeded"
        case .tooMany: "too_many_inputs"
        case .tooManyTokens: "too_many_tokens"
        case .bodyTooLarge: "body_too_large"
        case .mediaType: "unsupported_media_type"
        case .transferCoding: "unsupported_transfer_coding"
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

    var teiType: String {
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
