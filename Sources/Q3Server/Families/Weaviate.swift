// What Weaviate asks of a container that makes its vectors (text2vec-transformers).
#if Server
import HTTPTypes
import Hummingbird
import Q3Embedding

extension APIFamily {
    static func weaviate(_ backend: Backend) -> APIFamily {
        let api = Weaviate(backend: backend)
        let isReady: Route.Handler = { _ throws(APIError) in
            _ = try backend.models.all()
            return APIResponse(Response(status: .noContent))
        }
        return APIFamily(
            errors: .ollama,
            routes: [
                .post("/vectors", to: api.vector), .get("/meta", to: api.meta),
                .get("/.well-known/ready", "/.well-known/live", needsKey: false, to: isReady),
            ])
    }
}

private struct VectorRequest: Decodable {
    struct Config: Decodable {
        /// `query` or `passage`.
        var taskType: String?
        var poolingStrategy: String?
        var dimensions: Whole?
    }

    var text: String
    var config: Config?
}

private struct Vector: Encodable {
    let text: String
    let vector: [Float]
    let dim: Int
}

private struct Weaviate: Sendable {
    let backend: Backend

    func vector(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let body = try request.decode(VectorRequest.self)
        // The model decides how tokens are pooled; masked_mean is what Weaviate sends where nothing was chosen.
        if let pooling = body.config?.poolingStrategy, !["last_token", "masked_mean"].contains(pooling) {
            throw .invalid("config.pooling_strategy", "\"config.pooling_strategy\" is always the last token here")
        }
        let vectors = try await backend.embedding.embed(
            .init(
                items: [.text(body.text)], field: "text",
                prompt: try TextPrompt(named: body.config?.taskType, field: "config.task_type"),
                dimensions: body.config?.dimensions?.value,
                cut: backend.options.truncatesByDefault ?? true ? .end : nil), for: request)
        let vector = vectors.vectors[0]
        return try APIResponse(
            json: Vector(text: body.text, vector: vector, dim: vector.count), timing: vectors.timing)
    }

    func meta(_ request: APIRequest) async throws(APIError) -> APIResponse {
        try APIResponse(json: ["model": backend.models.model().name])
    }
}
#endif
