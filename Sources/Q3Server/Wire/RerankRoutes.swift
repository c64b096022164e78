// Reranking by `documents` (Jina, Cohere, vLLM, Infinity, llama-server) and /score.
#if Server
    import Hummingbird
    import Q3Embedding
    import Q3GGUF
    import Q3Model
    import Q3Reranking
    import Q3Tokenizer

    private struct RerankRequest: Decodable {
        var query: String
        var documents: [Document]
        var model: String?
        var topN: Whole?
        var returnDocuments: Bool?
        var rawScores: Bool?
        /// Cohere: most tokens to read of each document.
        var maxTokensPerDoc: Whole?
        /// What counts as relevant, in a sentence; vLLM's template takes either name.
        var instruction: String?
        var instruct: String?
        var truncate: Truncate?
    }

    private struct RerankResults: Encodable {
        struct Result: Encodable {
            let index: Int
            let relevanceScore: Float
            let document: WireDocument?
        }
        struct Meta: Encodable {
            struct Version: Encodable { let version: String }
            struct Units: Encodable {
                var searchUnits: Int?
                var inputTokens: Int?
            }
            let apiVersion: Version
            let billedUnits: Units
        }

        let id: String
        var object: String?
        var model: String?
        let results: [Result]
        var usage: OpenAIUsage?
        var meta: Meta?
    }

    /// A document in a result: an object with a `text`, or the text.
    private enum WireDocument: Encodable {
        case object(String)
        case text(String)

        private enum Key: CodingKey { case text }

        func encode(to encoder: any Encoder) throws {
            switch self {
            case .object(let text):
                var object = encoder.container(keyedBy: Key.self)
                try object.encode(text, forKey: .text)
            case .text(let text):
                var value = encoder.singleValueContainer()
                try value.encode(text)
            }
        }
    }

    /// `texts` means Text Embeddings Inference's form; `documents` or neither, the other one.
    private struct RerankShape: Decodable {
        private enum Key: CodingKey { case texts, documents }
        let isTEI: Bool

        init(from decoder: any Decoder) throws {
            let body = try decoder.container(keyedBy: Key.self)
            isTEI = body.contains(.texts) && !body.contains(.documents)
        }
    }

    private struct ScoreRequest: Decodable {
        /// Pairs under any of vLLM's names: one to one, one to many, or side by side.
        var queries: OneOrMany?
        var text1: OneOrMany?
        var data1: OneOrMany?
        var documents: OneOrMany?
        var items: OneOrMany?
        var text2: OneOrMany?
        var data2: OneOrMany?
        var model: String?
        var useActivation: Bool?
        var instruction: String?
        var truncatePromptTokens: Whole?
    }

    private struct ScoreResults: Encodable {
        struct Item: Encodable {
            let index: Int
            let object = "score"
            let score: Float
        }

        let id: String
        let object = "list"
        let created: Int
        let model: String
        let data: [Item]
        let usage: OpenAIUsage
    }

    struct RerankRoutes: Sendable {
        let inference: Inference

        /// `POST /rerank`, which two families claim.
        func either(_ call: Call) async throws(Fault) -> Response {
            guard try call.decode(RerankShape.self).isTEI else { return try await byDocuments(call) }
            do {
                return try await TEIRoutes(inference: inference).rerank(call)
            } catch {
                var fault = error
                fault.style = .tei
                throw fault
            }
        }

        /// Results with the documents, as Jina, vLLM and Cohere's first version give them.
        func byDocuments(_ call: Call) async throws(Fault) -> Response {
            let body = try call.decode(RerankRequest.self)
            let scores = try await scores(of: body, for: call)
            var results = RerankResults(
                id: call.id, results: ranked(scores, body, withDocuments: body.returnDocuments ?? true))
            results.object = "rerank"  // the one word that Infinity's client knows
            results.model = scores.served.name
            results.usage = OpenAIUsage(tokens: scores.timing.tokens)
            results.meta = meta("1")
            return try Response(json: results, timing: scores.timing)
        }

        /// `POST /v2/rerank`: Cohere's second version, whose results have no documents unless asked for.
        func cohere(_ call: Call) async throws(Fault) -> Response {
            let body = try call.decode(RerankRequest.self)
            let scores = try await scores(of: body, for: call)
            var results = RerankResults(
                id: call.id, results: ranked(scores, body, withDocuments: body.returnDocuments ?? false))
            results.meta = meta("2")
            return try Response(json: results, timing: scores.timing)
        }

        private func meta(_ version: String) -> RerankResults.Meta {
            .init(apiVersion: .init(version: version), billedUnits: .init(searchUnits: 1))
        }

        private func scores(of body: RerankRequest, for call: Call) async throws(Fault) -> Inference.Scores {
            if let count = body.topN?.value, count < 0 { throw .invalid("top_n", "\"top_n\" must not be negative") }
            guard !body.documents.isEmpty else {
                throw Fault(.empty, "\"documents\" cannot be empty", param: "documents")
            }
            var documents = body.documents.map(\.text)
            if let most = body.maxTokensPerDoc?.value, most != 0 {
                guard most > 0 else {
                    throw .invalid("max_tokens_per_doc", "\"max_tokens_per_doc\" must be at least 1")
                }
                let (_, reranker) = try inference.shelf.reranker(body.model)
                documents = documents.map { reranker.tokenizer.prefix(of: $0, tokens: most) }
            }
            let truncates = try body.truncate.map { truncate throws(Fault) in
                try truncate.cut(field: "truncate") != nil
            }
            return try await inference.score(
                documents.map { RerankPair(query: body.query, document: $0) }, model: body.model,
                options: RerankOptions(
                    instruction: body.instruction ?? body.instruct,
                    truncates: truncates ?? inference.options.truncatesByDefault),
                work: .rerank, field: "documents", for: call)
        }

        private func ranked(
            _ scores: Inference.Scores, _ body: RerankRequest, withDocuments: Bool
        ) -> [RerankResults.Result] {
            let sorted = scores.scores.sorted { $0.margin > $1.margin }
            // vLLM's clients send 0 for all, and more than there are means all as well.
            let count = (body.topN?.value).map { $0 > 0 ? $0 : .max } ?? .max
            return sorted.prefix(count).map { score in
                let text = body.documents[score.index].text
                return .init(
                    index: score.index, relevanceScore: body.rawScores == true ? score.margin : score.score,
                    document: withDocuments ? inference.options.documentsAsStrings ? .text(text) : .object(text) : nil)
            }
        }

        /// `POST /score`: scores in the order of the pairs.
        func score(_ call: Call) async throws(Fault) -> Response {
            let body = try call.decode(ScoreRequest.self)
            guard let queries = body.queries ?? body.text1 ?? body.data1,
                let documents = body.documents ?? body.items ?? body.text2 ?? body.data2
            else {
                throw .invalid("text_1", "\"text_1\" and \"text_2\", or \"queries\" and \"documents\", are wanted")
            }
            let (first, second) = (queries.texts, documents.texts)
            guard first.count == 1 || first.count == second.count else {
                throw .invalid(
                    "text_2",
                    "\(first.count) queries and \(second.count) documents make no pairs; there must be one query, "
                        + "or as many queries as documents")
            }
            let scores = try await inference.score(
                second.enumerated().map { index, document in
                    RerankPair(query: first[first.count == 1 ? 0 : index], document: document)
                }, model: body.model,
                options: RerankOptions(
                    instruction: body.instruction,
                    truncates: body.truncatePromptTokens != nil || inference.options.truncatesByDefault),
                work: .rerank, field: "text_2", for: call)
            return try Response(
                json: ScoreResults(
                    id: call.id, created: secondsSince1970(), model: scores.served.name,
                    data: scores.scores.map {
                        .init(index: $0.index, score: body.useActivation == false ? $0.margin : $0.score)
                    }, usage: OpenAIUsage(tokens: scores.timing.tokens)), timing: scores.timing)
        }
    }
#endif
