// Text Embeddings Inference's own routes, and the root to which Hugging Face's client posts.
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

    private struct TEIEmbedRequest: Decodable {
        var inputs: Inputs
        var truncate: Bool?
        var truncationDirection: Truncate?
        var promptName: String?
        var normalize: Bool?
        var dimensions: Whole?
        /// Sent by huggingface_hub; only float is an array.
        var encodingFormat: String?
    }

    struct TEIRerankRequest: Decodable {
        var query: String
        var texts: [String]
        var truncate: Bool?
        var truncationDirection: Truncate?
        var rawScores: Bool?
        var returnText: Bool?
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
        var truncate: Bool?
        var rawScores: Bool?
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
            var truncate: Bool?
            var truncationDirection: Truncate?
            var promptName: String?
        }

        var inputs: Inputs
        var parameters: Parameters?
    }

    private struct TEITokenizeRequest: Decodable {
        var inputs: OneOrMany
        var addSpecialTokens: Bool?
        var promptName: String?
    }

    private struct TEIToken: Encodable {
        let id: Int32
        let text: String
        let special: Bool
        /// Byte offsets into the text; none for a token that stands for no part of it.
        let start: Int?
        let stop: Int?

        private enum Key: CodingKey { case id, text, special, start, stop }

        func encode(to encoder: any Encoder) throws {
            var object = encoder.container(keyedBy: Key.self)
            try object.encode(id, forKey: .id)
            try object.encode(text, forKey: .text)
            try object.encode(special, forKey: .special)
            try object.encode(start, forKey: .start)
            try object.encode(stop, forKey: .stop)
        }
    }

    private struct TEIDecodeRequest: Decodable {
        struct IDs: Decodable {
            let lists: [[Int32]]

            init(from decoder: any Decoder) throws {
                let value = try decoder.singleValueContainer()
                if let ids = try? value.decode([Int32].self) {
                    lists = [ids]
                } else {
                    lists = try value.decode([[Int32]].self)
                }
            }
        }

        var ids: IDs
        var skipSpecialTokens: Bool?
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

    /// What a body posted to `/` looks like, to tell the routes apart.
    private struct RootShape: Decodable {
        private enum Key: CodingKey { case inputs, query, texts, sourceSentence }
        let route: String

        init(from decoder: any Decoder) throws {
            let body = try decoder.container(keyedBy: Key.self)
            if body.contains(.query), body.contains(.texts) {
                route = "/rerank"
            } else if let inputs = try? body.nestedContainer(keyedBy: Key.self, forKey: .inputs),
                inputs.contains(.sourceSentence)
            {
                route = "/similarity"
            } else {
                route = "/embed"
            }
        }
    }

    struct TEIRoutes: Sendable {
        let inference: Inference

        /// The route is told from the body; `inputs` alone asks a reranker for predictions and any other model for vectors.
        func root(_ call: Call) async throws(Fault) -> Response {
            switch try call.decode(RootShape.self).route {
            case "/rerank": return try await rerank(call)
            case "/similarity": return try await similarity(call)
            default:
                let hasEmbedder = try inference.shelf.models().contains(where: \.isEmbedder)
                return hasEmbedder ? try await embed(call) : try await predict(call)
            }
        }

        private func request(_ body: TEIEmbedRequest) throws(Fault) -> Inference.EmbeddingRequest {
            .init(
                items: body.inputs.items, field: "inputs",
                prompt: try body.promptName.map { name throws(Fault) in
                    try TextPrompt(named: name, field: "prompt_name")
                },
                dimensions: body.dimensions?.value, cut: try cut(body.truncate, body.truncationDirection),
                normalizes: body.normalize ?? true)
        }

        private func cut(_ truncate: Bool?, _ direction: Truncate?) throws(Fault) -> Embedder.Cut? {
            let side = try direction?.cut(field: "truncation_direction") ?? .end
            return truncate ?? inference.options.truncatesByDefault ? side : nil
        }

        func embed(_ call: Call) async throws(Fault) -> Response {
            let body = try call.decode(TEIEmbedRequest.self)
            let asBase64 = body.encodingFormat?.lowercased() == "base64"
            let vectors = try await inference.embed(try request(body), for: call)
            return try Response(
                json: vectors.vectors.map { asBase64 ? WireVector.base64($0) : .float($0) }, timing: vectors.timing)
        }

        func embedAll(_ call: Call) async throws(Fault) -> Response {
            let result = try await inference.embedTokens(try request(call.decode(TEIEmbedRequest.self)), for: call)
            return try Response(json: result.states, timing: result.timing)
        }

        func rerank(_ call: Call) async throws(Fault) -> Response {
            let body = try call.decode(TEIRerankRequest.self)
            let cut = try cut(body.truncate, body.truncationDirection)
            let scores = try await inference.score(
                body.texts.map { RerankPair(query: body.query, document: $0) }, model: nil,
                options: RerankOptions(instruction: body.instruction, truncates: cut != nil), work: .rerank,
                field: "texts",
                for: call)
            // Equal scores come with the later text first, as there.
            let ranked = scores.scores.sorted { $0.margin != $1.margin ? $0.margin > $1.margin : $0.index > $1.index }
            return try Response(
                json: ranked.prefix(try limit(body.topN?.value)).map { score in
                    TEIRank(
                        index: score.index, score: body.rawScores == true ? score.margin : score.score,
                        text: body.returnText == true ? body.texts[score.index] : nil)
                }, timing: scores.timing)
        }

        private func limit(_ topN: Int?) throws(Fault) -> Int {
            guard let topN else { return .max }
            guard topN > 0 else { throw .invalid("top_n", "\"top_n\" must be at least 1") }
            return topN
        }

        /// The pair's first text is the query. A lone text is scored as a document for the reranker's default instruction.
        func predict(_ call: Call) async throws(Fault) -> Response {
            let body = try call.decode(TEIPredictRequest.self)
            let (lists, isSingle) =
                switch body.inputs {
                case .single(let texts): ([texts], true)
                case .batch(let lists): (lists, false)
                }
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
            let scores = try await inference.score(
                pairs, model: nil,
                options: RerankOptions(truncates: body.truncate ?? inference.options.truncatesByDefault),
                work: .predict,
                field: "inputs", for: call)
            let predictions = scores.scores.map {
                [TEIPrediction(score: body.rawScores == true ? $0.margin : $0.score, label: "yes")]
            }
            return isSingle
                ? try Response(json: predictions[0], timing: scores.timing)
                : try Response(json: predictions, timing: scores.timing)
        }

        func similarity(_ call: Call) async throws(Fault) -> Response {
            let body = try call.decode(TEISimilarityRequest.self)
            guard !body.inputs.sentences.isEmpty else {
                throw Fault(.empty, "`sentences` cannot be empty", param: "inputs.sentences")
            }
            let texts = [body.inputs.sourceSentence] + body.inputs.sentences
            let vectors = try await inference.embed(
                .init(
                    items: texts.map { .text($0) }, field: "inputs",
                    prompt: try body.parameters?.promptName.map { name throws(Fault) in
                        try TextPrompt(named: name, field: "prompt_name")
                    },
                    cut: try cut(body.parameters?.truncate, body.parameters?.truncationDirection)),
                for: call)
            let source = vectors.vectors[0]
            return try Response(
                json: vectors.vectors.dropFirst().map { Similarity.dot(source, $0) }, timing: vectors.timing)
        }

        func tokenize(_ call: Call) async throws(Fault) -> Response {
            let body = try call.decode(TEITokenizeRequest.self)
            let served = try inference.shelf.model(nil, orElse: \.isEmbedder)
            let prompt = try body.promptName.map { name throws(Fault) in
                try TextPrompt(named: name, field: "prompt_name")
            }
            let tokenizer = served.tokenizer
            return try Response(
                json: body.inputs.texts.map { text in
                    let text = prompt?.applied(to: text, takesInstructions: served.takesInstructions) ?? text
                    var tokens = tokenizer.encodeWithOffsets(text).map { piece in
                        TEIToken(
                            id: piece.id, text: String(decoding: tokenizer.piece(piece.id), as: UTF8.self),
                            special: tokenizer.isSpecial(piece.id), start: piece.range.lowerBound,
                            stop: piece.range.upperBound)
                    }
                    if body.addSpecialTokens != false, served.isEmbedder, let end = tokenizer.endOfTextID {
                        let text = String(decoding: tokenizer.piece(end), as: UTF8.self)
                        tokens.append(TEIToken(id: end, text: text, special: true, start: nil, stop: nil))
                    }
                    return tokens
                })
        }

        func decode(_ call: Call) async throws(Fault) -> Response {
            let body = try call.decode(TEIDecodeRequest.self)
            let served = try inference.shelf.model(nil, orElse: \.isEmbedder)
            guard body.ids.lists.contains(where: { !$0.isEmpty }) else {
                throw Fault(.empty, "`ids` cannot be empty", param: "ids")
            }
            var texts: [String] = []
            for (index, ids) in body.ids.lists.enumerated() {
                do {
                    texts.append(try served.tokenizer.decode(ids, skipSpecial: body.skipSpecialTokens ?? true))
                } catch {
                    throw Fault(error, at: "ids[\(index)]")
                }
            }
            return try Response(json: texts)
        }

        func info(_ call: Call) async throws(Fault) -> Response {
            let served = try inference.shelf.model(nil, orElse: \.isEmbedder)
            let types = Dictionary(grouping: served.model.file.tensors, by: \.type.name)
                .mapValues { $0.reduce(0) { $0 + $1.byteCount } }
            let options = inference.options
            return try Response(
                json: TEIInfo(
                    modelId: served.name, modelSha: nil,
                    modelDtype: types.max { $0.value < $1.value }?.key.lowercased() ?? "float32",
                    servedModelName: served.name,
                    modelType: .init(
                        embedding: served.isEmbedder ? .init() : nil, reranker: served.isEmbedder ? nil : .init()),
                    maxConcurrentRequests: options.requestLimit, maxInputLength: served.model.config.contextLength,
                    maxBatchTokens: options.batchTokens, maxBatchRequests: nil, maxClientBatchSize: options.itemLimit,
                    autoTruncate: options.truncatesByDefault, tokenizationWorkers: 1, version: Release.version,
                    sha: nil, dockerLabel: nil))
        }
    }
#endif
