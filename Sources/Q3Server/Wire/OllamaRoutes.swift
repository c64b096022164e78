// Ollama's /api routes.
#if Server
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

    private struct OllamaEmbedRequest: Decodable {
        var model: String?
        var input: OneOrMany?
        var truncate: Bool?
        var dimensions: Whole?
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
    }

    private struct OllamaEmbedding: Encodable {
        let embedding: [Float]
    }

    private struct OllamaDetails: Encodable {
        let parentModel = ""
        let format = "gguf"
        let family = "qwen3"
        let families = ["qwen3"]
        let parameterSize: String
        let quantizationLevel: String
    }

    private struct OllamaModels: Encodable {
        struct Model: Encodable {
            let name: String
            let model: String
            let modifiedAt: String
            let size: Int
            let digest: String
            let details: OllamaDetails
            var expiresAt: String?
            var sizeVram: Int?
            var contextLength: Int?
        }

        let models: [Model]
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
        let details: OllamaDetails
        /// Keys with dots, which the encoder leaves alone.
        let modelInfo: [String: Value]
        let capabilities: [String]
        let modifiedAt: String
    }

    struct OllamaRoutes: Sendable {
        let inference: Inference

        func embed(_ call: Call) async throws(Fault) -> Response {
            let body = try call.decode(OllamaEmbedRequest.self)
            let (served, embedder) = try inference.shelf.embedder(body.model)
            // No input is how clients ask for a model to be loaded.
            guard let input = body.input, !input.texts.isEmpty, !(input.isSingle && input.texts[0].isEmpty) else {
                return try Response(json: OllamaEmbeddings(model: body.model ?? served.name, embeddings: []))
            }
            // Sizes that a model does not have mean all of it there.
            let dimensions = (body.dimensions?.value).flatMap { (1...embedder.dimensions).contains($0) ? $0 : nil }
            let vectors = try await inference.embed(
                .init(
                    model: body.model, items: input.texts.map { .text($0) }, dimensions: dimensions,
                    cut: body.truncate ?? true ? .end : nil, allowsEmpty: true),
                for: call)
            return try Response(
                json: OllamaEmbeddings(
                    model: body.model ?? served.name, embeddings: vectors.vectors,
                    totalDuration: vectors.timing.total.nanoseconds, loadDuration: 0,
                    promptEvalCount: vectors.tokenCount), timing: vectors.timing)
        }

        /// The legacy route: one text, one vector.
        func embeddings(_ call: Call) async throws(Fault) -> Response {
            let body = try call.decode(OllamaPromptRequest.self)
            guard let prompt = body.prompt, !prompt.isEmpty else {
                _ = try inference.shelf.embedder(body.model)
                return try Response(json: OllamaEmbedding(embedding: []))
            }
            let vectors = try await inference.embed(
                .init(model: body.model, items: [.text(prompt)], field: "prompt", cut: .end), for: call)
            return try Response(json: OllamaEmbedding(embedding: vectors.vectors[0]), timing: vectors.timing)
        }

        func tags(_ call: Call) async throws(Fault) -> Response {
            try Response(json: OllamaModels(models: inference.shelf.models().map { describe($0) }))
        }

        func running(_ call: Call) async throws(Fault) -> Response {
            try Response(
                json: OllamaModels(
                    models: inference.shelf.models().map { served in
                        var model = describe(served)
                        // Served models stay until the process ends.
                        model.expiresAt = "9999-12-31T23:59:59Z"
                        model.sizeVram = 0
                        model.contextLength = served.model.config.contextLength
                        return model
                    }))
        }

        func show(_ call: Call) async throws(Fault) -> Response {
            let body = try call.decode(OllamaShowRequest.self)
            guard let name = body.model ?? body.name else { throw .invalid("model", "model is required") }
            let served = try inference.shelf.model(name, orElse: \.isEmbedder)
            let config = served.model.config
            return try Response(
                json: OllamaShow(
                    modelfile: "FROM \(served.name)\n", details: details(served),
                    modelInfo: [
                        "general.architecture": .text("qwen3"),
                        "general.parameter_count": .number(parameterCount(served)),
                        "qwen3.block_count": .number(config.layerCount),
                        "qwen3.context_length": .number(config.contextLength),
                        "qwen3.embedding_length": .number(config.hiddenSize),
                        "qwen3.attention.head_count": .number(config.heads),
                        "qwen3.attention.head_count_kv": .number(config.kvHeads),
                        "qwen3.attention.key_length": .number(config.headDim),
                        "qwen3.feed_forward_length": .number(config.ffnSize),
                    ], capabilities: [served.isEmbedder ? "embedding" : "rerank"],
                    modifiedAt: date(served.created)))
        }

        func version(_ call: Call) async throws(Fault) -> Response {
            try Response(json: ["version": Release.version])
        }

        private func describe(_ served: ServedModel) -> OllamaModels.Model {
            .init(
                name: "\(served.name):latest", model: "\(served.name):latest", modifiedAt: date(served.created),
                size: served.model.file.byteCount, digest: "", details: details(served))
        }

        private func details(_ served: ServedModel) -> OllamaDetails {
            let types = Dictionary(grouping: served.model.file.tensors, by: \.type.name)
                .mapValues { $0.reduce(0) { $0 + $1.byteCount } }
            let millions = parameterCount(served) / 1_000_000
            return OllamaDetails(
                parameterSize: millions < 1000 ? "\(millions)M" : "\(millions / 1000).\(millions % 1000 / 100)B",
                quantizationLevel: types.max { $0.value < $1.value }?.key ?? "unknown")
        }

        private func parameterCount(_ served: ServedModel) -> Int {
            served.model.file.tensors.reduce(0) { $0 + $1.shape.reduce(1, *) }
        }

        private func date(_ seconds: Int) -> String {
            Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601)
        }
    }

    extension Duration {
        fileprivate var nanoseconds: Int64 {
            components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
        }
    }
#endif
