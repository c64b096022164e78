// /v1/embeddings and /v1/models, as OpenAI's clients and those of vLLM, Jina and Infinity speak.
#if Server
import Hummingbird
import Q3Embedding
import Q3Model

extension APIFamily {
    /// OpenAI's routes, with the timing headers that Text Embeddings Inference sends on them.
    static func openAI(_ backend: Backend) -> APIFamily {
        let api = OpenAI(backend: backend)
        return APIFamily(
            errors: .openAI, headers: \.headers,
            routes: [
                .post("/v1/embeddings") { request throws(APIError) in try await api.embeddings(request) },
                // Infinity's own path, where 0 dimensions are all.
                .post("/embeddings") { request throws(APIError) in
                    try await api.embeddings(request, zeroDimensionsMeanAll: true)
                },
                .post("/invocations", when: .has("input")) { request throws(APIError) in
                    try await api.embeddings(request)
                },
                .get("/v1/models") { request throws(APIError) in try await api.models(request, owner: "q3") },
                // Infinity's own path, whose client knows no other owner.
                .get("/models") { request throws(APIError) in try await api.models(request, owner: "infinity") },
                .get("/v1/models/**", to: api.model),
            ])
    }
}

/// The fields of OpenAI, and those that vLLM, Jina, Infinity and llama-server have beside them.
private struct EmbeddingsRequest: Decodable {
    var input: Inputs?
    /// vLLM: a conversation, instead of the input.
    var messages: [ChatMessage]?
    var addGenerationPrompt: Flag?
    var model: String?
    var dimensions: Whole?
    /// What counts as relevant, in a sentence: the texts are queries.
    var instruction: String?
    /// The name of an adapter, which changes the vectors of queries.
    var adapter: String?
    var promptName: String?
    var inputType: String?
    /// Jina: retrieval.query and others.
    var task: String?
    var truncate: Truncation?
    var truncatePromptTokens: Whole?
    var truncationSide: Truncation?
    // Length: vLLM's older and newer name, Jina's, llama-server's.
    var normalize: Flag?
    var useActivation: Flag?
    var normalized: Flag?
    var embdNormalize: Whole?
    // Encoding: OpenAI's, vLLM's and Jina's.
    var encodingFormat: String?
    var embeddingType: String?
    var embedDtype: String?
    var endianness: String?

    var chatTemplate: Unsupported?
    var lateChunking: Unsupported?
    var addSpecialTokens: Flag?
    var modality: String?
}

struct OpenAIUsage: Encodable {
    let promptTokens: Int
    let totalTokens: Int

    init(tokens: Int) {
        promptTokens = tokens
        totalTokens = tokens
    }
}

private struct Embeddings: Encodable {
    struct Item: Encodable {
        let object = "embedding"
        let index: Int
        let embedding: WireVector
    }

    let object = "list"
    let data: [Item]
    let model: String
    let usage: OpenAIUsage
}

private struct ModelList: Encodable {
    struct Model: Encodable {
        /// What Infinity's client reads.
        struct Stats: Encodable {
            let queueFraction: Double
            let queueAbsolute: Int
            let resultsPending: Int
            let batchSize: Int
        }

        let id: String
        let object = "model"
        let created: Int
        let ownedBy: String
        let capabilities: [String]
        let maxModelLen: Int
        /// Values of a full vector; none for a reranker.
        let dimensions: Int?
        let takesInstructions: Bool
        /// Names of the adapters that requests may ask for.
        let adapters: [String]
        let backend = "q3"
        let stats: Stats
    }

    let object = "list"
    let data: [Model]
}

extension String {
    /// `%2F` and the like as the bytes they stand for.
    var percentDecoded: String {
        var bytes: [UInt8] = []
        var rest = utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let code = UInt8(String(rest.prefix(2)) ?? "", radix: 16), rest.count >= 2 {
                bytes.append(code)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

private struct OpenAI: Sendable {
    let backend: Backend

    func embeddings(
        _ request: APIRequest, zeroDimensionsMeanAll: Bool = false
    ) async throws(APIError) -> APIResponse {
        let body = try request.decode(EmbeddingsRequest.self)
        let encoding = try VectorEncoding(
            format: body.encodingFormat ?? body.embeddingType,
            field: body.encodingFormat == nil ? "embedding_type" : "encoding_format", type: body.embedDtype,
            endianness: body.endianness)
        try refuse(body)
        let norm = try VectorNorm(embdNormalize: body.embdNormalize)
        let isNormalized = body.normalize ?? body.useActivation ?? body.normalized
        let work = EmbeddingService.Work(
            model: body.model, items: try items(body), field: body.input == nil ? "messages" : "input",
            prompt: try prompt(body),
            dimensions: zeroDimensionsMeanAll && body.dimensions?.value == 0 ? nil : body.dimensions?.value,
            adapter: body.adapter,
            cut: cut(body),
            tokenLimit: try body.truncatePromptTokens?.promptTokenLimit(field: "truncate_prompt_tokens"),
            norm: isNormalized?.value == false ? .none : norm)
        let vectors = try await backend.embedding.embed(work, for: request)
        var items: [Embeddings.Item] = []
        for vector in vectors.vectors {
            items.append(.init(index: items.count, embedding: try WireVector(vector, encoding)))
        }
        return try APIResponse(
            json: Embeddings(
                data: items, model: vectors.served.name, usage: OpenAIUsage(tokens: vectors.timing.tokens)),
            timing: vectors.timing)
    }

    private func items(_ body: EmbeddingsRequest) throws(APIError) -> [TextOrTokens] {
        if let input = body.input { return input.items }
        guard let messages = body.messages else { throw .invalid("input", "\"input\" is missing") }
        let tokenizer = try backend.models.embedder(body.model).embedder.tokenizer
        return [
            .tokens(ChatMessage.tokens(messages, tokenizer, asksForAnswer: body.addGenerationPrompt?.value ?? false))
        ]
    }

    private func refuse(_ body: EmbeddingsRequest) throws(APIError) {
        if body.addSpecialTokens?.value == false {
            throw .invalid(
                "add_special_tokens", "\"add_special_tokens\" must be true: the vector is that of the closing token")
        }
        if let modality = body.modality, modality != "text" {
            throw .invalid("modality", "\"modality\" must be text: the models read nothing else")
        }
    }

    /// A limit cuts the end, unless a side is given.
    private func cut(_ body: EmbeddingsRequest) -> Embedder.Cut? {
        if let truncate = body.truncate { return truncate.cut.map { body.truncationSide?.cut ?? $0 } }
        let isCut = body.truncatePromptTokens != nil || backend.options.truncatesByDefault ?? false
        return isCut ? body.truncationSide?.cut ?? .end : nil
    }

    private func prompt(_ body: EmbeddingsRequest) throws(APIError) -> TextPrompt? {
        if body.input == nil { return .document }  // a conversation says itself what it is for
        if let task = body.instruction { return .query(task: task) }
        let names = [(body.promptName, "prompt_name"), (body.inputType, "input_type"), (body.task, "task")]
        guard let (name, field) = names.first(where: { $0.0 != nil }) else { return nil }
        return try TextPrompt(named: name, field: field)
    }

    func models(_ request: APIRequest, owner: String) async throws(APIError) -> APIResponse {
        var models: [ModelList.Model] = []
        for served in try backend.models.all() { models.append(await description(served, owner: owner)) }
        for classifier in backend.classifiers {
            let embedder = try backend.models.named(classifier.model)
            models.append(await description(embedder, owner: owner, classifier: classifier.name))
        }
        return try APIResponse(json: ModelList(data: models))
    }

    func model(_ request: APIRequest) async throws(APIError) -> APIResponse {
        // OpenAI's client writes a slash in an id as %2F.
        let id = request.parameters.getCatchAll().joined(separator: "/").percentDecoded
        if let classifier = backend.classifiers.first(where: { $0.name.utf8.elementsEqual(id.utf8) }) {
            let embedder = try backend.models.named(classifier.model)
            return try APIResponse(json: await description(embedder, owner: "q3", classifier: classifier.name))
        }
        return try APIResponse(json: await description(backend.models.named(id), owner: "q3"))
    }

    /// A model, or a classifier over it.
    private func description(
        _ served: ServedModel, owner: String, classifier: String? = nil
    ) async -> ModelList.Model {
        let waiting = await backend.scheduler.waitingRequests
        return .init(
            id: classifier ?? served.name, created: served.created, ownedBy: owner,
            capabilities: [classifier != nil ? "classify" : served.isEmbedder ? "embed" : "rerank"],
            maxModelLen: served.model.config.contextLength,
            dimensions: served.isEmbedder && classifier == nil ? served.model.config.hiddenSize : nil,
            takesInstructions: served.takesInstructions, adapters: served.adapters.map(\.name),
            stats: .init(
                queueFraction: Double(waiting) / Double(backend.options.requestLimit), queueAbsolute: waiting,
                resultsPending: waiting, batchSize: backend.options.batchTokens))
    }
}
#endif
