// Reranking by `documents`, as the clients of Jina, Cohere, vLLM, Infinity and llama-server speak, and /score.
#if Server
import Hummingbird
import Q3Embedding
import Q3Reranking

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension APIFamily {
    static func reranking(_ backend: Backend) -> APIFamily {
        let api = Reranking(backend: backend)
        return APIFamily(
            errors: .openAI, headers: \.headers,
            routes: [
                // Text Embeddings Inference's form of the first two has `texts`.
                .post("/rerank", "/v1/rerank", "/reranking", "/v1/reranking", to: api.rerank),
                .post("/invocations", when: .has("documents"), to: api.rerank),
                .post("/score", "/v1/score", to: api.score),
            ])
    }
}

/// The fields of all who rank `documents`.
struct RerankRequest: Decodable {
    var query: String
    var documents: [Document]
    var model: String?
    var topN: Whole?
    var returnDocuments: Flag?
    /// Cohere's first version: which fields of documents that are objects are read.
    var rankFields: [String]?
    // The logit instead of the probability: Infinity's name, vLLM's, Jina's.
    var rawScores: Flag?
    var useActivation: Flag?
    var normalize: Flag?
    // Tokens to read of each document: Cohere's and vLLM's name, Jina's; of the query; of the whole prompt.
    var maxTokensPerDoc: Whole?
    var maxDocLength: Whole?
    var maxTokensPerQuery: Whole?
    var maxQueryLength: Whole?
    var truncatePromptTokens: Whole?
    /// What counts as relevant, in a sentence; vLLM's template takes either name.
    var instruction: String?
    var instruct: String?
    var truncate: Truncation?
    var truncationSide: Truncation?

    var maxChunksPerDoc: Unsupported?
    var relevantSpans: Unsupported?
    var returnEmbeddings: Unsupported?

    var asksForLogits: Bool {
        rawScores?.value ?? (useActivation ?? normalize).map { !$0.value } ?? false
    }

    func pairs() throws(APIError) -> [RerankPair] {
        guard !documents.isEmpty else { throw APIError(.empty, "\"documents\" cannot be empty", param: "documents") }
        var pairs: [RerankPair] = []
        for (index, document) in documents.enumerated() {
            do {
                pairs.append(RerankPair(query: query, document: try document.text(fields: rankFields)))
            } catch {
                var error = error
                error.param = "documents[\(index)]"
                throw error
            }
        }
        return pairs
    }

    func limits() throws(APIError) -> RerankingService.Limits {
        try truncationSide?.refuseStart(field: "truncation_side")
        try truncate?.refuseStart(field: "truncate")
        return .init(
            query: try (maxTokensPerQuery ?? maxQueryLength)?.tokenLimit(field: "max_tokens_per_query"),
            document: try (maxTokensPerDoc ?? maxDocLength)?.tokenLimit(field: "max_tokens_per_doc"),
            prompt: try truncatePromptTokens?.promptTokenLimit(field: "truncate_prompt_tokens"))
    }

    /// The best of the results, with the documents where they are asked for.
    func results(
        of scores: RerankingService.Scores, withDocuments: Bool, asStrings: Bool
    ) throws(APIError) -> [RerankResult] {
        let count = topN?.value ?? 0
        guard count >= 0 else { throw .invalid("top_n", "\"top_n\" must not be negative") }
        // vLLM's clients send 0 for all, and more than there are means all as well.
        return scores.ranked.prefix(count > 0 ? count : .max).map { score in
            RerankResult(
                index: score.index, relevanceScore: asksForLogits ? score.margin : score.score,
                document: withDocuments
                    ? .init(document: documents[score.index], text: scores.pairs[score.index].document, asStrings)
                    : nil)
        }
    }
}

struct RerankResult: Encodable {
    let index: Int
    let relevanceScore: Float
    let document: WireDocument?
}

/// A document in a result: an object, or the text.
enum WireDocument: Encodable {
    case object([String: String])
    case text(String)

    init(document: Document, text: String, _ asString: Bool) {
        self = asString ? .text(text) : .object(document.fields.isEmpty ? ["text": text] : document.fields)
    }

    func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        switch self {
        case .object(let fields): try value.encode(fields)
        case .text(let text): try value.encode(text)
        }
    }
}

private struct RerankResults: Encodable {
    let id: String
    /// The one word that Infinity's client knows.
    let object = "rerank"
    let model: String
    let results: [RerankResult]
    let usage: OpenAIUsage
    /// For the clients of Cohere's first version.
    let meta = CohereMeta(version: "1", searchUnits: 1)
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
    var useActivation: Flag?
    var normalize: Flag?
    var instruction: String?
    var maxTokensPerQuery: Whole?
    var maxTokensPerDoc: Whole?
    var truncatePromptTokens: Whole?
    var truncationSide: Truncation?
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

extension Truncation {
    /// Only the end of a document is ever cut, since the prompt goes on after it.
    func refuseStart(field: String) throws(APIError) {
        guard cut == .start else { return }
        throw .invalid(field, "\"\(field)\" must be the end: the start of a document is not cut in reranking")
    }
}

private struct Reranking: Sendable {
    let backend: Backend

    /// Results with the documents, as Jina, vLLM and Cohere's first version give them.
    func rerank(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let body = try request.decode(RerankRequest.self)
        let scores = try await backend.reranking.score(body, options: backend.options, for: request)
        let results = try body.results(
            of: scores, withDocuments: body.returnDocuments?.value ?? true,
            asStrings: backend.options.documentsAsStrings)
        return try APIResponse(
            json: RerankResults(
                id: request.id, model: scores.served.name, results: results,
                usage: OpenAIUsage(tokens: scores.timing.tokens)), timing: scores.timing)
    }

    /// Scores in the order of the pairs.
    func score(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let body = try request.decode(ScoreRequest.self)
        guard let queries = (body.queries ?? body.text1 ?? body.data1)?.texts,
            let documents = (body.documents ?? body.items ?? body.text2 ?? body.data2)?.texts
        else {
            throw .invalid("text_1", "expected \"text_1\" and \"text_2\", or \"queries\" and \"documents\"")
        }
        guard queries.count == 1 || queries.count == documents.count else {
            throw .invalid(
                "text_2",
                "\(queries.count) queries and \(documents.count) documents make no pairs; there must be one query, "
                    + "or as many queries as documents")
        }
        try body.truncationSide?.refuseStart(field: "truncation_side")
        let scores = try await backend.reranking.score(
            documents.enumerated().map { index, document in
                RerankPair(query: queries[queries.count == 1 ? 0 : index], document: document)
            }, model: body.model,
            options: RerankOptions(
                instruction: body.instruction,
                truncates: body.truncatePromptTokens != nil || backend.options.truncatesByDefault ?? true),
            limits: .init(
                query: try body.maxTokensPerQuery?.tokenLimit(field: "max_tokens_per_query"),
                document: try body.maxTokensPerDoc?.tokenLimit(field: "max_tokens_per_doc"),
                prompt: try body.truncatePromptTokens?.promptTokenLimit(field: "truncate_prompt_tokens")),
            field: "text_2", for: request)
        let asksForLogits = (body.useActivation ?? body.normalize)?.value == false
        return try APIResponse(
            json: ScoreResults(
                id: request.id, created: Int(Date().timeIntervalSince1970), model: scores.served.name,
                data: scores.scores.map { .init(index: $0.index, score: asksForLogits ? $0.margin : $0.score) },
                usage: OpenAIUsage(tokens: scores.timing.tokens)), timing: scores.timing)
    }
}
#endif
