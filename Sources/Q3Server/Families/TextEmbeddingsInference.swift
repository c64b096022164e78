// Text Embeddings Inference's own routes, and the root to which Hugging Face's client posts.
#if Server
import Hummingbird
import Q3Embedding
import Q3Model
import Q3Reranking
import Q3System

extension APIFamily {
    static func textEmbeddingsInference(_ backend: Backend) -> APIFamily {
        let api = TextEmbeddingsInference(backend: backend)
        // The root has the routes of all kinds of models.
        let roots = ["/", "/v1", "/invocations"]
        func post(
            _ paths: [String], when condition: BodyCondition = BodyCondition(), to handler: @escaping Route.Handler
        )
            -> Route
        {
            Route(methods: [.post], paths: paths, condition: condition, handler: handler)
        }
        return APIFamily(
            errors: .textEmbeddingsInference, headers: \.headers,
            routes: [
                post(roots, when: .has("query", "texts"), to: api.rerank),
                post(roots, when: .has("inputs.source_sentence"), to: api.similarity),
                post(roots, to: api.embedOrPredict),
                post(
                    ["/rerank", "/v1/rerank", "/reranking", "/v1/reranking"], when: .has("texts", butNot: "documents"),
                    to: api.rerank),
                .post("/embed", to: api.embed),
                .post("/embed_all", to: api.embedAll),
                .post("/embed_sparse") { _ throws(APIError) in
                    throw APIError(.wrongTask, "model is not a SPLADE model: it gives dense vectors only, see /embed")
                },
                .post("/predict", to: api.predict),
                .post("/classify", when: .has("inputs", butNot: "input"), to: Classification(backend: backend).predict),
                .post("/similarity", to: api.similarity),
                .post("/tokenize", to: api.tokenize),
                .post("/decode", to: api.decode),
                .get("/info", to: api.info),
            ])
    }
}

private struct TEIEmbedRequest: Decodable {
    var inputs: Inputs
    var truncate: Flag?
    var truncationDirection: Truncation?
    var promptName: String?
    var normalize: Flag?
    var dimensions: Whole?
    /// Not TEI's: the name of an adapter, which changes the vectors of queries.
    var adapter: String?
    /// Sent by huggingface_hub.
    var encodingFormat: String?
}

private struct TEIRerankRequest: Decodable {
    var query: String
    var texts: [String]
    var truncate: Flag?
    var truncationDirection: Truncation?
    var rawScores: Flag?
    var returnText: Flag?
    /// Not TEI's, but sent to it by clients that expect it to be honoured.
    var topN: Whole?
    var instruction: String?
}

private struct TEIRank: Encodable {
    let index: Int
    let score: Float
    let text: String?
}

private struct TEIPredictRequest: Decodable {
    /// A text, a pair of them, or a list of either in lists.
    enum Pairs: Decodable {
        case single([String])
        case batch([[String]])

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let text = try? value.decode(String.self) {
                self = .single([text])
            } else if let pair = try? value.decode([String].self) {
                self = .single(pair)
            } else {
                self = .batch(try value.decode([[String]].self))
            }
        }
    }

    var inputs: Pairs
    var truncate: Flag?
    var truncationDirection: Truncation?
    var rawScores: Flag?
    /// Not TEI's: which classifier.
    var model: String?
}

private struct TEIPrediction: Encodable {
    let score: Float
    let label: String
}

private struct TEISimilarityRequest: Decodable {
    struct Inputs: Decodable {
        var sourceSentence: String
        var sentences: [String]
    }
    struct Parameters: Decodable {
        var truncate: Flag?
        var truncationDirection: Truncation?
        var promptName: String?
    }

    var inputs: Inputs
    var parameters: Parameters?
}

private struct TEIInfo: Encodable {
    struct ModelType: Encodable {
        struct Embedding: Encodable { let pooling = "last_token" }
        struct Reranker: Encodable {
            let id2label = ["0": "yes"]
            let label2id = ["yes": 0]
        }
        let embedding: Embedding?
        let reranker: Reranker?
    }

    let modelId: String
    @Null var modelSha: String?
    let modelDtype: String
    let servedModelName: String
    let modelType: ModelType
    let maxConcurrentRequests: Int
    let maxInputLength: Int
    let maxBatchTokens: Int
    @Null var maxBatchRequests: Int?
    let maxClientBatchSize: Int
    let autoTruncate: Bool
    let tokenizationWorkers: Int
    let version: String
    @Null var sha: String?
    @Null var dockerLabel: String?
}

struct TextEmbeddingsInference: Sendable {
    let backend: Backend

    /// `inputs` alone asks a reranker for predictions and any other model for vectors.
    func embedOrPredict(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let hasEmbedder = try backend.models.all().contains(where: \.isEmbedder)
        return hasEmbedder ? try await embed(request) : try await predict(request)
    }

    private func work(_ body: TEIEmbedRequest) throws(APIError) -> EmbeddingService.Work {
        .init(
            items: body.inputs.items, field: "inputs",
            prompt: try TextPrompt(named: body.promptName, field: "prompt_name"),
            dimensions: body.dimensions?.value, adapter: body.adapter,
            cut: cut(body.truncate, body.truncationDirection),
            norm: body.normalize?.value == false ? .none : .unitLength)
    }

    private func cut(_ truncate: Flag?, _ direction: Truncation?) -> Embedder.Cut? {
        truncate?.value ?? backend.options.truncatesByDefault ?? true ? direction?.cut ?? .end : nil
    }

    func embed(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let body = try request.decode(TEIEmbedRequest.self)
        let encoding = try VectorEncoding(format: body.encodingFormat, field: "encoding_format")
        let vectors = try await backend.embedding.embed(try work(body), for: request)
        return try APIResponse(
            json: vectors.vectors.map { vector throws(APIError) in try WireVector(vector, encoding) },
            timing: vectors.timing)
    }

    func embedAll(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let result = try await backend.embedding.embedTokens(
            try work(request.decode(TEIEmbedRequest.self)), for: request)
        return try APIResponse(json: result.states, timing: result.timing)
    }

    func rerank(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let body = try request.decode(TEIRerankRequest.self)
        try body.truncationDirection?.refuseStart(field: "truncation_direction")
        let cut = cut(body.truncate, body.truncationDirection)
        let scores = try await backend.reranking.score(
            body.texts.map { RerankPair(query: body.query, document: $0) }, model: nil,
            options: RerankOptions(instruction: body.instruction, truncates: cut != nil), field: "texts",
            for: request)
        // Equal scores come with the later text first, as there.
        let ranked = scores.scores.sorted { $0.margin != $1.margin ? $0.margin > $1.margin : $0.index > $1.index }
        return try APIResponse(
            json: ranked.prefix(try limit(body.topN?.value)).map { score in
                TEIRank(
                    index: score.index, score: body.rawScores?.value == true ? score.margin : score.score,
                    text: body.returnText?.value == true ? body.texts[score.index] : nil)
            }, timing: scores.timing)
    }

    private func limit(_ topN: Int?) throws(APIError) -> Int {
        guard let topN else { return .max }
        guard topN > 0 else { throw .invalid("top_n", "\"top_n\" must be at least 1") }
        return topN
    }

    /// The pair's first text is the query. Lone texts go to the classifier, where there is one; else each is scored as a document for
    /// the reranker's default instruction.
    func predict(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let body = try request.decode(TEIPredictRequest.self)
        let (lists, isSingle) =
            switch body.inputs {
            case .single(let texts): ([texts], true)
            case .batch(let lists): (lists, false)
            }
        if !backend.classifiers.isEmpty, !lists.isEmpty, lists.allSatisfy({ $0.count == 1 }) {
            return try await Classification(backend: backend).predict(
                lists.map { .text($0[0]) }, isSingle: isSingle, model: body.model, instruction: nil,
                truncate: body.truncate, direction: body.truncationDirection,
                asksForLogits: body.rawScores?.value ?? false, for: request)
        }
        try body.truncationDirection?.refuseStart(field: "truncation_direction")
        var pairs: [RerankPair] = []
        for (index, texts) in lists.enumerated() {
            switch texts.count {
            case 1: pairs.append(RerankPair(query: "", document: texts[0]))
            case 2: pairs.append(RerankPair(query: texts[0], document: texts[1]))
            default:
                throw .invalid(
                    "inputs[\(index)]", "`inputs` must be texts or pairs of them, not \(texts.count) texts")
            }
        }
        let scores = try await backend.reranking.score(
            pairs, model: nil,
            options: RerankOptions(truncates: body.truncate?.value ?? backend.options.truncatesByDefault ?? true),
            kind: .predict,
            field: "inputs", for: request)
        let predictions = scores.scores.map {
            [TEIPrediction(score: body.rawScores?.value == true ? $0.margin : $0.score, label: "yes")]
        }
        return isSingle
            ? try APIResponse(json: predictions[0], timing: scores.timing)
            : try APIResponse(json: predictions, timing: scores.timing)
    }

    func similarity(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let body = try request.decode(TEISimilarityRequest.self)
        guard !body.inputs.sentences.isEmpty else {
            throw APIError(.empty, "`sentences` cannot be empty", param: "inputs.sentences")
        }
        let texts = [body.inputs.sourceSentence] + body.inputs.sentences
        let vectors = try await backend.embedding.embed(
            .init(
                items: texts.map { .text($0) }, field: "inputs",
                prompt: try TextPrompt(named: body.parameters?.promptName, field: "prompt_name"),
                cut: cut(body.parameters?.truncate, body.parameters?.truncationDirection)),
            for: request)
        let source = vectors.vectors[0]
        return try APIResponse(
            json: vectors.vectors.dropFirst().map { Similarity.dot(source, $0) }, timing: vectors.timing)
    }

    func info(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let served = try backend.models.model()
        let options = backend.options
        return try APIResponse(
            json: TEIInfo(
                modelId: served.name, modelSha: nil,
                modelDtype: served.dominantType?.lowercased() ?? "float32",
                servedModelName: served.name,
                modelType: .init(
                    embedding: served.isEmbedder ? .init() : nil, reranker: served.isEmbedder ? nil : .init()),
                maxConcurrentRequests: options.requestLimit, maxInputLength: served.model.config.contextLength,
                maxBatchTokens: options.batchTokens, maxBatchRequests: nil, maxClientBatchSize: options.itemLimit,
                autoTruncate: options.truncatesByDefault ?? true, tokenizationWorkers: 1, version: Release.version,
                sha: nil, dockerLabel: nil))
    }
}
#endif
