// llama-server's own routes: /embedding, /tokenize and /detokenize, which vLLM has as well.
#if Server
    import Hummingbird
    import Q3Embedding
    import Q3GGUF
    import Q3Model
    import Q3Reranking
    import Q3Tokenizer

    private struct LlamaEmbeddingRequest: Decodable {
        var content: Inputs?
        var input: Inputs?
        var model: String?
        /// -1 none, 2 (the default) Euclidean length 1.
        var embdNormalize: Whole?
    }

    private struct LlamaEmbedding: Encodable {
        let index: Int
        /// A list of one vector, also where there is one for the whole text.
        let embedding: [[Float]]
    }

    private struct LlamaTokenizeRequest: Decodable {
        var content: String
        var addSpecial: Bool?
        var withPieces: Bool?
    }

    private struct VLLMTokenizeRequest: Decodable {
        var prompt: String
        var addSpecialTokens: Bool?
        var returnTokenStrs: Bool?
    }

    private struct LlamaPiece: Encodable {
        /// Bytes where they are no text by themselves.
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
    }

    private struct Detokenized: Encodable {
        /// llama-server's name and vLLM's.
        let content: String
        let prompt: String
    }

    /// Which family's body this is.
    private struct TokenizeShape: Decodable {
        enum Family { case tei, llama, vLLM }
        private enum Key: CodingKey { case inputs, content, prompt }
        let family: Family

        init(from decoder: any Decoder) throws {
            let body = try decoder.container(keyedBy: Key.self)
            family = body.contains(.content) ? .llama : body.contains(.prompt) ? .vLLM : .tei
        }
    }

    struct LlamaRoutes: Sendable {
        let inference: Inference

        func embedding(_ call: Call) async throws(Fault) -> Response {
            let body = try call.decode(LlamaEmbeddingRequest.self)
            guard let content = body.content ?? body.input else { throw .invalid("content", "\"content\" is missing") }
            guard [-1, 2, nil].contains(body.embdNormalize?.value) else {
                throw .invalid("embd_normalize", "\"embd_normalize\" must be -1 (as computed) or 2 (unit length)")
            }
            let vectors = try await inference.embed(
                .init(
                    model: body.model, items: content.items, field: body.content == nil ? "input" : "content",
                    normalizes: body.embdNormalize?.value != -1),
                for: call)
            return try Response(
                json: vectors.vectors.enumerated().map { LlamaEmbedding(index: $0, embedding: [$1]) },
                timing: vectors.timing)
        }

        /// `POST /tokenize`, told apart by its field: `inputs`, `content` or `prompt`.
        func tokenize(_ call: Call) async throws(Fault) -> Response {
            switch try call.decode(TokenizeShape.self).family {
            case .tei: return try await TEIRoutes(inference: inference).tokenize(call)
            case .llama:
                let body = try call.decode(LlamaTokenizeRequest.self)
                let served = try inference.shelf.model(nil, orElse: \.isEmbedder)
                let ids = ids(of: body.content, served: served, closing: body.addSpecial ?? false)
                guard body.withPieces == true else { return try Response(json: LlamaTokens(tokens: ids)) }
                return try Response(
                    json: LlamaTokens(
                        tokens: ids.map { id in
                            let bytes = served.tokenizer.piece(id)
                            let text = String(validating: bytes, as: UTF8.self)
                            return LlamaPiece(id: id, piece: text.map { .text($0) } ?? .bytes(bytes))
                        }))
            case .vLLM:
                let body = try call.decode(VLLMTokenizeRequest.self)
                let served = try inference.shelf.model(nil, orElse: \.isEmbedder)
                let ids = ids(of: body.prompt, served: served, closing: body.addSpecialTokens ?? true)
                let strings = ids.map { String(decoding: served.tokenizer.piece($0), as: UTF8.self) }
                return try Response(
                    json: VLLMTokens(
                        count: ids.count, maxModelLen: served.model.config.contextLength, tokens: ids,
                        tokenStrs: body.returnTokenStrs == true ? strings : nil))
            }
        }

        private func ids(of text: String, served: ServedModel, closing: Bool) -> [Int32] {
            let ids = served.tokenizer.encode(text)
            guard closing, served.isEmbedder, let end = served.tokenizer.endOfTextID else { return ids }
            return ids + [end]
        }

        func detokenize(_ call: Call) async throws(Fault) -> Response {
            let body = try call.decode(DetokenizeRequest.self)
            let served = try inference.shelf.model(nil, orElse: \.isEmbedder)
            let text: String
            do { text = try served.tokenizer.decode(body.tokens) } catch { throw Fault(error, at: "tokens") }
            return try Response(json: Detokenized(content: text, prompt: text))
        }
    }
#endif
