// Ollama's /api routes.
#if Server
import HTTPTypes
import Hummingbird
import Q3Embedding
import Q3GGUF
import Q3Model
import Q3System

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension APIFamily {
    static func ollama(_ backend: Backend) -> APIFamily {
        let api = Ollama(backend: backend)
        func post(_ path: String, to handler: @escaping Route.Handler) -> Route {
            .post(path, takesAnyContentType: true, to: handler)
        }
        return APIFamily(
            errors: .ollama,
            routes: [
                .get("/", needsKey: false) { request in
                    // What clients of Ollama look for; a person in a browser wants the page.
                    guard request.headers[.accept]?.contains("text/html") == true else {
                        return APIResponse(text: "Ollama is running")
                    }
                    return APIResponse(Response(status: .found, headers: [.location: "/ui"]))
                },
                post("/api/embed", to: api.embed), post("/api/embeddings", to: api.embeddings),
                post("/api/pull", to: api.pull), post("/api/generate", to: api.refuse),
                post("/api/chat", to: api.refuse),
                post("/api/show", to: api.show), .get("/api/tags", to: api.tags), .get("/api/ps", to: api.running),
                .get("/api/version") { _ throws(APIError) in try APIResponse(json: ["version": Release.version]) },
            ])
    }
}

/// Of Ollama's options only the context's length changes a vector; the others are for generating text.
private struct OllamaOptions: Decodable {
    var numCtx: Whole?

    var tokenLimit: Int? {
        get throws(APIError) { try numCtx?.tokenLimit(field: "options.num_ctx") }
    }
}

private struct OllamaPullRequest: Decodable {
    var model: String?
    var name: String?
    var stream: Flag?
}

private struct OllamaEmbedRequest: Decodable {
    var model: String?
    var input: OneOrMany?
    var truncate: Flag?
    var dimensions: Whole?
    var options: OllamaOptions?
}

private struct OllamaEmbeddings: Encodable {
    let model: String
    let embeddings: [[Float]]
    var totalDuration: Int64?
    var loadDuration: Int64?
    var promptEvalCount: Int?
}

private struct OllamaPromptRequest: Decodable {
    var model: String?
    var prompt: String?
    var options: OllamaOptions?
}

private struct OllamaEmbedding: Encodable {
    let embedding: [Float]
}

private struct OllamaModels: Encodable {
    let models: [OllamaModel]
}

private struct OllamaModel: Encodable {
    struct Details: Encodable {
        let parentModel = ""
        let format = "gguf"
        let family = "qwen3"
        let families = ["qwen3"]
        let parameterSize: String
        let quantizationLevel: String

        init(_ served: ServedModel) {
            let millions = served.parameterCount / 1_000_000
            parameterSize = millions < 1000 ? "\(millions)M" : "\(millions / 1000).\(millions % 1000 / 100)B"
            quantizationLevel = served.dominantType ?? "unknown"
        }
    }

    let name: String
    let model: String
    let modifiedAt: String
    let size: Int
    let digest = ""
    let details: Details
    var expiresAt: String?
    var sizeVram: Int?
    var contextLength: Int?

    init(_ served: ServedModel) {
        // Ollama's names have a tag.
        name = served.name.utf8.contains(UInt8(ascii: ":")) ? served.name : "\(served.name):latest"
        model = name
        modifiedAt = served.modifiedAt
        size = served.model.file.byteCount
        details = Details(served)
    }
}

private struct OllamaShowRequest: Decodable {
    var model: String?
    var name: String?
}

private struct OllamaShow: Encodable {
    enum Value: Encodable {
        case text(String)
        case number(Int)

        func encode(to encoder: any Encoder) throws {
            var value = encoder.singleValueContainer()
            switch self {
            case .text(let text): try value.encode(text)
            case .number(let number): try value.encode(number)
            }
        }
    }

    let modelfile: String
    let parameters = ""
    let template = "{{ .Prompt }}"
    let details: OllamaModel.Details
    /// Keys with dots, which the encoder leaves alone.
    let modelInfo: [String: Value]
    let capabilities: [String]
    let modifiedAt: String
}

extension ServedModel {
    fileprivate var modifiedAt: String { Date(timeIntervalSince1970: Double(created)).formatted(.iso8601) }
}

private struct Ollama: Sendable {
    let backend: Backend

    func embed(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let body = try request.decode(OllamaEmbedRequest.self)
        let (served, embedder) = try backend.models.embedder(body.model)
        // No input is how clients ask for a model to be loaded.
        guard let input = body.input, !input.texts.isEmpty, !(input.isSingle && input.texts[0].isEmpty) else {
            return try APIResponse(json: OllamaEmbeddings(model: body.model ?? served.name, embeddings: []))
        }
        let vectors = try await backend.embedding.embed(
            .init(
                model: body.model, items: input.texts.map { .text($0) },
                // Sizes that a model does not have mean all of it there.
                dimensions: (body.dimensions?.value).flatMap { (1...embedder.dimensions).contains($0) ? $0 : nil },
                cut: body.truncate?.value ?? backend.options.truncatesByDefault ?? true ? .end : nil,
                tokenLimit: try body.options?.tokenLimit,
                allowsEmpty: true),
            for: request)
        return try APIResponse(
            json: OllamaEmbeddings(
                model: body.model ?? served.name, embeddings: vectors.vectors,
                totalDuration: vectors.timing.total.nanoseconds, loadDuration: 0,
                promptEvalCount: vectors.timing.tokens), timing: vectors.timing)
    }

    /// The legacy route: one text, one vector.
    func embeddings(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let body = try request.decode(OllamaPromptRequest.self)
        guard let prompt = body.prompt, !prompt.isEmpty else {
            _ = try backend.models.embedder(body.model)
            return try APIResponse(json: OllamaEmbedding(embedding: []))
        }
        let vectors = try await backend.embedding.embed(
            .init(
                model: body.model, items: [.text(prompt)], field: "prompt", cut: .end,
                tokenLimit: try body.options?.tokenLimit), for: request)
        return try APIResponse(json: OllamaEmbedding(embedding: vectors.vectors[0]), timing: vectors.timing)
    }

    /// A model that is served is there already; others are not fetched for a client.
    func pull(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let body = try request.decode(OllamaPullRequest.self)
        guard let name = body.model ?? body.name else { throw .invalid("model", "model is required") }
        _ = try backend.models.named(name)
        guard body.stream?.value != false else { return try APIResponse(json: ["status": "success"]) }
        return APIResponse(
            text: "{\"status\":\"pulling manifest\"}\n{\"status\":\"success\"}\n", type: "application/x-ndjson")
    }

    func refuse(_ request: APIRequest) async throws(APIError) -> APIResponse {
        throw APIError(.wrongTask, "q3 makes vectors and scores, and generates no text; see /api/embed")
    }

    func tags(_ request: APIRequest) async throws(APIError) -> APIResponse {
        try APIResponse(json: OllamaModels(models: backend.models.all().map(OllamaModel.init)))
    }

    func running(_ request: APIRequest) async throws(APIError) -> APIResponse {
        try APIResponse(
            json: OllamaModels(
                models: backend.models.all().map { served in
                    var model = OllamaModel(served)
                    // Served models stay until the process ends.
                    model.expiresAt = "9999-12-31T23:59:59Z"
                    model.sizeVram = 0
                    model.contextLength = served.model.config.contextLength
                    return model
                }))
    }

    func show(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let body = try request.decode(OllamaShowRequest.self)
        guard let name = body.model ?? body.name else { throw .invalid("model", "model is required") }
        let served = try backend.models.model(name)
        let config = served.model.config
        return try APIResponse(
            json: OllamaShow(
                modelfile: "FROM \(served.name)\n", details: OllamaModel.Details(served),
                modelInfo: [
                    "general.architecture": .text("qwen3"),
                    "general.parameter_count": .number(served.parameterCount),
                    "qwen3.block_count": .number(config.layerCount),
                    "qwen3.context_length": .number(config.contextLength),
                    "qwen3.embedding_length": .number(config.hiddenSize),
                    "qwen3.attention.head_count": .number(config.heads),
                    "qwen3.attention.head_count_kv": .number(config.kvHeads),
                    "qwen3.attention.key_length": .number(config.headDim),
                    "qwen3.feed_forward_length": .number(config.ffnSize),
                ], capabilities: [served.isEmbedder ? "embedding" : "rerank"], modifiedAt: served.modifiedAt))
    }
}
#endif
