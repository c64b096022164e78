// From pairs of texts to scores: prompt, tokens, computation, head.
#if Server
import Q3Model
import Q3Reranking
import Q3Tokenizer

struct RerankingService: Sendable {
    let models: ModelRegistry
    let computation: Computation

    /// Max tokens to read, where a request allows fewer than the model.
    struct Limits {
        var query: Int?
        var document: Int?
        /// Of the whole prompt with query and document.
        var prompt: Int?
    }

    struct Scores: Sendable {
        let served: ServedModel
        let pairs: [RerankPair]
        /// In the order of the pairs.
        let scores: [RerankScore]
        let timing: Timing

        /// Best first; equal scores keep their order.
        var ranked: [RerankScore] { scores.sorted { $0.margin > $1.margin } }
    }

    /// A score for each document of a request.
    func score(
        _ body: RerankRequest, options: ServerOptions, for request: APIRequest
    ) async throws(APIError) -> Scores {
        let truncates = body.truncate.map { $0.cut != nil } ?? (body.truncatePromptTokens != nil ? true : nil)
        return try await score(
            body.pairs(), model: body.model,
            options: RerankOptions(
                instruction: body.instruction ?? body.instruct,
                truncates: truncates ?? options.truncatesByDefault ?? true),
            limits: body.limits(), field: "documents", for: request)
    }

    /// A score for each pair, or the error of the first that has none.
    func score(
        _ pairs: [RerankPair], model: String?, options: RerankOptions, limits: Limits = Limits(),
        kind: ServerMetrics.Work = .rerank, field: String, for request: APIRequest
    ) async throws(APIError) -> Scores {
        let (served, reranker) = try models.reranker(model)
        var job = try computation.job(kind, for: request, field: field, itemCount: pairs.count)
        let inputs = try await computation.tokenize(&job) { index, _ in
            var pair = pairs[index]
            if let limit = limits.query { pair.query = reranker.tokenizer.prefix(of: pair.query, tokens: limit) }
            if let limit = limits.document {
                pair.document = reranker.tokenizer.prefix(of: pair.document, tokens: limit)
            }
            return try reranker.input(for: pair, options: options, limit: limits.prompt)
        }
        job.timing.characters = pairs.reduce(0) {
            $0 + $1.query.unicodeScalars.count + $1.document.unicodeScalars.count
        }
        let states = try await computation.states(of: inputs.map(\.ids), model: served.model, for: &job)
        var scores: [RerankScore] = []
        for (index, state) in states.enumerated() {
            do {
                scores.append(try reranker.score(of: state, for: inputs[index], index: index))
            } catch {
                throw APIError(error, at: "\(field)[\(index)]")
            }
        }
        return Scores(served: served, pairs: pairs, scores: scores, timing: job.timing)
    }
}
#endif
