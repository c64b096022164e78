// llama-server's own routes, /embedding, /tokenize and /detokenize, and vLLM's form of the last two.
#if Server
import Hummingbird
import Q3Embedding
import Q3Model
import Q3Tokenizer

extension APIFamily {
    static func llamaServer(_ backend: Backend) -> APIFamily {
        let api = LlamaServer(backend: backend)
        return APIFamily(
            errors: .llamaServer,
            routes: [
                .post("/embedding", to: api.embedding),
                .post("/embeddings", when: .has("content", butNot: "input"), to: api.embedding),
                .post("/tokenize", when: .has("content"), to: api.tokenize),
                .post("/tokenize", when: .has("prompt"), to: api.tokenizeForVLLM),
                .post("/tokenize", when: .has("messages"), to: api.tokenizeForVLLM),
                .post("/detokenize", to: api.detokenize),
            ])
    }
}

private struct LlamaEmbeddingRequest: Decodable {
    var content: LlamaContents?
    var input: LlamaContents?
    var model: String?
    var embdNormalize: Whole?
    var encodingFormat: String?
}

/// What `Inputs` takes, and a list of parts of type `text`, which are one text.
private struct LlamaContents: Decodable {
    private struct Part: Decodable {
        var type: String
        var text: String
    }

    let items: [TextOrTokens]

    init(from decoder: any Decoder) throws {
        if let parts = try? decoder.singleValueContainer().decode([Part].self), !parts.isEmpty,
            parts.allSatisfy({ $0.type == "text" })
        {
            items = [.text(parts.map(\.text).joined())]
        } else {
            items = try Inputs(from: decoder).items
        }
    }
}

private struct LlamaEmbedding: Encodable {
    let index: Int
    /// A list of one vector, also where there is one for the whole text.
    let embedding: [[Float]]
}

private struct LlamaTokenizeRequest: Decodable {
    var content: String
    var addSpecial: Flag?
    var parseSpecial: Flag?
    var withPieces: Flag?
}

private struct VLLMTokenizeRequest: Decodable {
    var model: String?
    var prompt: String?
    var messages: [ChatMessage]?
    var addGenerationPrompt: Flag?
    var addSpecialTokens: Flag?
    var returnTokenStrs: Flag?
}

private struct LlamaPiece: Encodable {
    /// Bytes where they are not text by themselves.
    enum Piece: Encodable {
        case text(String)
        case bytes([UInt8])

        func encode(to encoder: any Encoder) throws {
            var value = encoder.singleValueContainer()
            switch self {
            case .text(let text): try value.encode(text)
            case .bytes(let bytes): try value.encode(bytes)
            }
        }
    }

    let id: Int32
    let piece: Piece
}

private struct LlamaTokens<Token: Encodable>: Encodable {
    let tokens: [Token]
}

private struct VLLMTokens: Encodable {
    let count: Int
    let maxModelLen: Int
    let tokens: [Int32]
    @Null var tokenStrs: [String]?
}

private struct DetokenizeRequest: Decodable {
    var tokens: [Int32]
    var model: String?
}

private struct Detokenized: Encodable {
    /// llama-server's name and vLLM's.
    let content: String
    let prompt: String
}

private struct LlamaServer: Sendable {
    let backend: Backend

    func embedding(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let body = try request.decode(LlamaEmbeddingRequest.self)
        guard let content = body.content ?? body.input else { throw .invalid("content", "\"content\" is missing") }
        guard [nil, "float"].contains(body.encodingFormat) else {
            throw .invalid("encoding_format", "\"encoding_format\" must be float; /v1/embeddings also has base64")
        }
        let vectors = try await backend.embedding.embed(
            .init(
                model: body.model, items: content.items, field: body.content == nil ? "input" : "content",
                cut: backend.options.truncatesByDefault ?? false ? .end : nil,
                norm: try VectorNorm(embdNormalize: body.embdNormalize)),
            for: request)
        return try APIResponse(
            json: vectors.vectors.enumerated().map { LlamaEmbedding(index: $0, embedding: [$1]) },
            timing: vectors.timing)
    }

    func tokenize(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let body = try request.decode(LlamaTokenizeRequest.self)
        let served = try backend.models.model()
        let ids = try backend.tokens(
            body.content, of: served, field: "content", parseSpecial: body.parseSpecial?.value ?? true,
            closing: body.addSpecial?.value ?? false)
        guard body.withPieces?.value == true else { return try APIResponse(json: LlamaTokens(tokens: ids)) }
        return try APIResponse(
            json: LlamaTokens(
                tokens: ids.map { id in
                    let bytes = served.tokenizer.piece(id)
                    let text = String(validating: bytes, as: UTF8.self)
                    return LlamaPiece(id: id, piece: text.map { .text($0) } ?? .bytes(bytes))
                }))
    }

    func tokenizeForVLLM(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let body = try request.decode(VLLMTokenizeRequest.self)
        let served = try backend.models.model(body.model)
        let ids: [Int32]
        if let messages = body.messages {
            ids = ChatMessage.tokens(
                messages, served.tokenizer, asksForAnswer: body.addGenerationPrompt?.value ?? true)
        } else {
            ids = try backend.tokens(
                body.prompt ?? "", of: served, field: "prompt", closing: body.addSpecialTokens?.value ?? true)
        }
        let strings = ids.lazy.map { String(decoding: served.tokenizer.piece($0), as: UTF8.self) }
        return try APIResponse(
            json: VLLMTokens(
                count: ids.count, maxModelLen: served.model.config.contextLength, tokens: ids,
                tokenStrs: body.returnTokenStrs?.value == true ? Array(strings) : nil))
    }

    func detokenize(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let body = try request.decode(DetokenizeRequest.self)
        let served = try backend.models.model(body.model)
        let text: String
        do { text = try served.tokenizer.decode(body.tokens) } catch { throw APIError(error, at: "tokens") }
        return try APIResponse(json: Detokenized(content: text, prompt: text))
    }
}
#endif
