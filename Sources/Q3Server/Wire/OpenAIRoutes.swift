// /v1/embeddings and /v1/models, as OpenAI's clients and those of vLLM, Jina and Infinity speak.
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

    /// `POST /v1/embeddings`. All fields but `input` may be left out; `content` is llama-server's name for it.
    private struct OpenAIEmbeddingsRequest: Decodable {
        var input: Inputs?
        var content: Inputs?
        var model: String?
        var dimensions: Whole?
        var encodingFormat: String?
        /// What counts as relevant, in a sentence: the texts are queries.
        var instruction: String?
        var promptName: String?
        var inputType: String?
        var truncate: Truncate?
        /// vLLM: most tokens to keep, -1 for the model's own limit.
        var truncatePromptTokens: Whole?
    }

    struct OpenAIUsage: Encodable {
        let promptTokens: Int
        let totalTokens: Int

        init(tokens: Int) {
            promptTokens = tokens
            totalTokens = tokens
        }
    }

    private struct OpenAIEmbeddings: Encodable {
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

    /// A vector as numbers, or as the base64 of its little-endian floats.
    enum WireVector: Encodable {
        case float([Float])
        case base64([Float])

        func encode(to encoder: any Encoder) throws {
            var value = encoder.singleValueContainer()
            switch self {
            case .float(let vector): try value.encode(vector)
            case .base64(let vector): try value.encode(Data(EncodedVector.float32(vector).bytes).base64EncodedString())
            }
        }
    }

    private struct ModelList: Encodable {
        struct Model: Encodable {
            let id: String
            let object = "model"
            let created: Int
            /// Infinity's client knows no other owner.
            let ownedBy = "infinity"
            let capabilities: [String]
            let maxModelLen: Int
            /// Values of a full vector; none for a reranker.
            let dimensions: Int?
        }

        let object = "list"
        let data: [Model]
    }

    extension String {
        /// `%2F` and the like as the bytes they stand for; OpenAI's client writes ids with slashes so.
        fileprivate var percentDecoded: String {
            var bytes: [UInt8] = []
            var rest = utf8[...]
            while let byte = rest.popFirst() {
                if byte == UInt8(ascii: "%"), let code = UInt8(String(rest.prefix(2)) ?? "", radix: 16), rest.count >= 2
                {
                    bytes.append(code)
                    rest = rest.dropFirst(2)
                } else {
                    bytes.append(byte)
                }
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    struct OpenAIRoutes: Sendable {
        let inference: Inference

        func embeddings(_ call: Call) async throws(Fault) -> Response {
            let body = try call.decode(OpenAIEmbeddingsRequest.self)
            if body.input == nil, body.content != nil, call.path == "/embeddings" {
                return try await LlamaRoutes(inference: inference).embedding(call)
            }
            guard let input = body.input else { throw .invalid("input", "\"input\" is missing") }
            let asBase64 = try isBase64(body.encodingFormat)
            let prompt = try prompt(body)
            var cut = try body.truncate?.cut(field: "truncate")
            if body.truncatePromptTokens != nil { cut = .end }
            let vectors = try await inference.embed(
                .init(
                    model: body.model,
                    items: try limited(input.items, to: body.truncatePromptTokens?.value, body.model),
                    // Infinity's client sends 0 for all.
                    prompt: prompt, dimensions: body.dimensions?.value == 0 ? nil : body.dimensions?.value, cut: cut),
                for: call)
            return try Response(
                json: OpenAIEmbeddings(
                    data: vectors.vectors.enumerated().map {
                        .init(index: $0, embedding: asBase64 ? .base64($1) : .float($1))
                    },
                    model: vectors.served.name, usage: OpenAIUsage(tokens: vectors.tokenCount)),
                timing: vectors.timing)
        }

        private func isBase64(_ format: String?) throws(Fault) -> Bool {
            switch format?.lowercased() {
            case "base64": true
            case "float", nil: false
            default: throw .invalid("encoding_format", "\"encoding_format\" must be \"float\" or \"base64\"")
            }
        }

        private func prompt(_ body: OpenAIEmbeddingsRequest) throws(Fault) -> TextPrompt? {
            if let task = body.instruction { return .query(task: task) }
            if let name = body.promptName { return try TextPrompt(named: name, field: "prompt_name") }
            if let type = body.inputType { return try TextPrompt(named: type, field: "input_type") }
            return nil
        }

        /// The first `count` tokens of each text, as vLLM's `truncate_prompt_tokens` asks for.
        private func limited(_ items: [TextOrTokens], to count: Int?, _ model: String?) throws(Fault) -> [TextOrTokens]
        {
            guard let count, count != -1 else { return items }
            let (_, embedder) = try inference.shelf.embedder(model)
            guard (1...embedder.tokenLimit).contains(count) else {
                throw .invalid(
                    "truncate_prompt_tokens", "\"truncate_prompt_tokens\" must be -1 or 1 to \(embedder.tokenLimit)")
            }
            return items.map { item in
                switch item {
                // One token is the closing one.
                case .tokens(let ids): .tokens(Array(ids.prefix(max(1, count - 1))))
                case .text(let text): .text(embedder.tokenizer.prefix(of: text, tokens: count - 1))
                }
            }
        }

        func models(_ call: Call) async throws(Fault) -> Response {
            try Response(json: ModelList(data: inference.shelf.models().map(description)))
        }

        func model(_ call: Call) async throws(Fault) -> Response {
            let id = call.parameters.getCatchAll().joined(separator: "/").percentDecoded
            guard let served = try inference.shelf.models().first(where: { $0.name.utf8.elementsEqual(id.utf8) }) else {
                throw Fault(.noSuchModel, "model \"\(id.prefix(100))\" is not served here", param: "model")
            }
            return try Response(json: description(served))
        }

        private func description(_ served: ServedModel) -> ModelList.Model {
            .init(
                id: served.name, created: served.created, capabilities: [served.isEmbedder ? "embed" : "rerank"],
                maxModelLen: served.model.config.contextLength,
                dimensions: served.isEmbedder ? served.model.config.hiddenSize : nil)
        }
    }
#endif
