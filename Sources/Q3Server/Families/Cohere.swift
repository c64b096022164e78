// Cohere's /v1/embed and /v2/embed, vectors in several types at once, and /v2/rerank.
#if Server
import Hummingbird
import Q3Embedding

extension APIFamily {
    static func cohere(_ backend: Backend) -> APIFamily {
        let api = Cohere(backend: backend)
        return APIFamily(
            errors: .cohere,
            routes: [
                .post("/v1/embed") { request throws(APIError) in try await api.embed(request, version: "1") },
                .post("/v2/embed") { request throws(APIError) in try await api.embed(request, version: "2") },
                .post("/v2/rerank", to: api.rerank),
            ])
    }
}

private struct CohereEmbedRequest: Decodable {
    struct Content: Decodable {
        struct Part: Decodable {
            var type: String?
            var text: String?
            var imageUrl: Unsupported?
        }
        var content: [Part]
    }

    var texts: [String]?
    /// The second version's other form.
    var inputs: [Content]?
    var images: Unsupported?
    var model: String?
    var inputType: String?
    var embeddingTypes: [String]?
    var outputDimension: Whole?
    var maxTokens: Whole?
    var truncate: Truncation?
    var instruction: String?
}

struct CohereMeta: Encodable {
    struct Version: Encodable { let version: String }
    struct Units: Encodable {
        var searchUnits: Int?
        var inputTokens: Int?
    }
    let apiVersion: Version
    let billedUnits: Units

    init(version: String, searchUnits: Int? = nil, inputTokens: Int? = nil) {
        apiVersion = Version(version: version)
        billedUnits = Units(searchUnits: searchUnits, inputTokens: inputTokens)
    }
}

private struct CohereEmbeddings: Encodable {
    enum Embeddings: Encodable {
        case floats([[Float]])
        case byType([String: [WireVector]])

        func encode(to encoder: any Encoder) throws {
            var value = encoder.singleValueContainer()
            switch self {
            case .floats(let vectors): try value.encode(vectors)
            case .byType(let types): try value.encode(types)
            }
        }
    }

    let id: String
    let embeddings: Embeddings
    let texts: [String]
    let meta: CohereMeta
    let responseType: String
}

/// Results without documents unless they are asked for.
private struct CohereRerankResults: Encodable {
    let id: String
    let results: [RerankResult]
    let meta = CohereMeta(version: "2", searchUnits: 1)
}

private struct Cohere: Sendable {
    let backend: Backend

    func embed(_ request: APIRequest, version: String) async throws(APIError) -> APIResponse {
        let body = try request.decode(CohereEmbedRequest.self)
        guard let texts = body.texts ?? body.inputs?.map({ $0.content.compactMap(\.text).joined(separator: " ") })
        else {
            throw .invalid("texts", "\"texts\" is missing")
        }
        var prompt = try TextPrompt(named: body.inputType, field: "input_type")
        if let task = body.instruction, prompt != .document { prompt = .query(task: task) }
        let vectors = try await backend.embedding.embed(
            .init(
                model: body.model, items: texts.map { .text($0) }, field: "texts", prompt: prompt,
                dimensions: body.outputDimension?.value,
                cut: body.truncate.map(\.cut) ?? (backend.options.truncatesByDefault ?? true ? .end : nil),
                tokenLimit: try body.maxTokens?.tokenLimit(field: "max_tokens")), for: request)
        var types: [String: [WireVector]] = [:]
        for type in body.embeddingTypes ?? (version == "1" ? [] : ["float"]) {
            types[type] = try vectors.vectors.map { vector throws(APIError) in try Self.encoded(vector, type) }
        }
        let isPlain = body.embeddingTypes == nil && version == "1"
        return try APIResponse(
            json: CohereEmbeddings(
                id: request.id, embeddings: isPlain ? .floats(vectors.vectors) : .byType(types), texts: texts,
                meta: CohereMeta(version: version, inputTokens: vectors.timing.tokens),
                responseType: isPlain ? "embeddings_floats" : "embeddings_by_type"),
            timing: vectors.timing)
    }

    func rerank(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let body = try request.decode(RerankRequest.self)
        let scores = try await backend.reranking.score(body, options: backend.options, for: request)
        let results = try body.results(
            of: scores, withDocuments: body.returnDocuments?.value ?? false,
            asStrings: backend.options.documentsAsStrings)
        return try APIResponse(json: CohereRerankResults(id: request.id, results: results), timing: scores.timing)
    }

    /// A vector in an element type by Cohere's name.
    private static func encoded(_ vector: [Float], _ name: String) throws(APIError) -> WireVector {
        do throws(EmbeddingError) {
            switch name {
            case "float": return .list(vector)
            case "base64": return .base64(VectorEncoding().bytes(of: vector))
            case "int8": return .bits(try EmbeddingType.int8.encode(vector, ranges: ranges(vector.count)))
            case "uint8": return .bits(try EmbeddingType.uint8.encode(vector, ranges: ranges(vector.count)))
            case "binary": return .bits(try EmbeddingType.binary.encode(vector))
            case "ubinary": return .bits(try EmbeddingType.ubinary.encode(vector))
            default: break
            }
        } catch {
            throw APIError(error)
        }
        throw .invalid("embedding_types", "\"embedding_types\" takes float, int8, uint8, binary, ubinary and base64")
    }

    /// The 256 steps of `int8` and `uint8`, the same for every request so that their vectors can be compared: a value of
    /// a unit vector of n dimensions is seldom beyond 4/√n, four times its root mean square, and is clamped there.
    private static func ranges(_ dimensions: Int) throws(EmbeddingError) -> EmbeddingRanges {
        let bound = 4 / Float(dimensions).squareRoot()
        return try EmbeddingRanges(
            minimum: Array(repeating: -bound, count: dimensions), maximum: Array(repeating: bound, count: dimensions))
    }
}
#endif
