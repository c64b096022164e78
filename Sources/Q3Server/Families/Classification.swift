// POST /classify: labels of texts, as clients of vLLM, Infinity and Text Embeddings Inference read them.
#if Server
import Hummingbird
import Q3Analysis
import Q3Embedding
import Q3Linear

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension APIFamily {
    /// The form with `input`; that with `inputs` is Text Embeddings Inference's.
    static func classification(_ backend: Backend) -> APIFamily {
        let api = Classification(backend: backend)
        return APIFamily(errors: .openAI, headers: \.headers, routes: [.post("/classify", to: api.classify)])
    }
}

private struct ClassifyRequest: Decodable {
    var input: Inputs?
    var model: String?
    /// Must be the one that the classifier was made with.
    var instruction: String?
    // Logits instead of probabilities: vLLM's newer and older name, Infinity's.
    var useActivation: Flag?
    var activation: Flag?
    var rawScores: Flag?
    var truncate: Truncation?
    var truncatePromptTokens: Whole?
    var truncationSide: Truncation?

    var messages: Unsupported?
    var promptName: Unsupported?
    var addSpecialTokens: Flag?

    var asksForLogits: Bool { rawScores?.value ?? (useActivation ?? activation).map { !$0.value } ?? false }
}

private struct TEIClassifyRequest: Decodable {
    var inputs: Inputs
    var model: String?
    var instruction: String?
    var truncate: Flag?
    var truncationDirection: Truncation?
    var rawScores: Flag?
    var promptName: Unsupported?
}

/// A label and its score, as Text Embeddings Inference and Infinity write them.
struct LabelScore: Encodable {
    let score: Double
    let label: String
}

/// What vLLM answers.
private struct Classifications: Encodable {
    struct Item: Encodable {
        let index: Int
        let label: String
        /// In the order of the labels' bytes.
        let probs: [Double]
        let numClasses: Int
    }

    let id: String
    let object = "list"
    let created: Int
    let model: String
    let data: [Item]
    let usage: OpenAIUsage
}

/// What Infinity answers.
private struct InfinityClassifications: Encodable {
    let object = "classify"
    let data: [[LabelScore]]
    let model: String
    let usage: OpenAIUsage
    let id: String
    let created: Int
}

struct Classification: Sendable {
    let backend: Backend

    /// Texts to label, and how.
    struct Work {
        var classifier: String?
        var items: [TextOrTokens]
        let field: String
        var instruction: String?
        var cut: Embedder.Cut?
        var tokenLimit: Int?
        /// Whether scores are logits, which have no bounds, instead of probabilities.
        var asksForLogits = false
    }

    struct Found: Sendable {
        let name: String
        let labels: [String]
        /// [texts][labels]
        let scores: [[Double]]
        let timing: Timing

        /// The place of the largest score of a text; the first of equals.
        func best(_ text: Int) -> Int {
            let scores = scores[text]
            return scores.indices.max { scores[$0] == scores[$1] ? $0 > $1 : scores[$0] < scores[$1] } ?? 0
        }

        /// All labels of each text, the best first.
        var ranked: [[LabelScore]] {
            scores.map { scores in
                scores.indices.sorted { scores[$0] != scores[$1] ? scores[$0] > scores[$1] : $0 < $1 }
                    .map { LabelScore(score: scores[$0], label: labels[$0]) }
            }
        }
    }

    /// vLLM's form, or Infinity's where the request has the field that only that has.
    func classify(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let body = try request.decode(ClassifyRequest.self)
        guard let input = body.input else { throw .invalid("input", "\"input\" is missing") }
        if body.addSpecialTokens?.value == false {
            throw .invalid(
                "add_special_tokens", "\"add_special_tokens\" must be true: the vector is that of the closing token")
        }
        let isCut = body.truncatePromptTokens != nil || backend.options.truncatesByDefault ?? true
        let cut = body.truncate.map(\.cut) ?? (isCut ? .end : nil)
        let work = Work(
            classifier: body.model, items: input.items, field: "input", instruction: body.instruction,
            cut: cut.map { body.truncationSide?.cut ?? $0 },
            tokenLimit: try body.truncatePromptTokens?.promptTokenLimit(field: "truncate_prompt_tokens"),
            asksForLogits: body.asksForLogits)
        let found = try await labels(work, for: request)
        let usage = OpenAIUsage(tokens: found.timing.tokens)
        let created = Int(Date().timeIntervalSince1970)
        if body.rawScores != nil {
            return try APIResponse(
                json: InfinityClassifications(
                    data: found.ranked, model: found.name, usage: usage, id: request.id, created: created),
                timing: found.timing)
        }
        let items = found.scores.enumerated().map { index, scores in
            Classifications.Item(
                index: index, label: found.labels[found.best(index)], probs: scores, numClasses: scores.count)
        }
        return try APIResponse(
            json: Classifications(
                id: "classify-\(request.id)", created: created, model: found.name, data: items, usage: usage),
            timing: found.timing)
    }

    /// Text Embeddings Inference's form: a list of labels for a lone text, a list of such lists for many.
    func predict(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let body = try request.decode(TEIClassifyRequest.self)
        return try await predict(
            body.inputs.items, isSingle: body.inputs.isSingle, model: body.model, instruction: body.instruction,
            truncate: body.truncate, direction: body.truncationDirection, asksForLogits: body.rawScores?.value ?? false,
            for: request)
    }

    func predict(
        _ items: [TextOrTokens], isSingle: Bool, model: String?, instruction: String?, truncate: Flag?,
        direction: Truncation?, asksForLogits: Bool, for request: APIRequest
    ) async throws(APIError) -> APIResponse {
        let isCut = truncate?.value ?? backend.options.truncatesByDefault ?? true
        let found = try await labels(
            Work(
                classifier: model, items: items, field: "inputs", instruction: instruction,
                cut: isCut ? direction?.cut ?? .end : nil, asksForLogits: asksForLogits), for: request)
        return isSingle
            ? try APIResponse(json: found.ranked[0], timing: found.timing)
            : try APIResponse(json: found.ranked, timing: found.timing)
    }

    private func labels(_ work: Work, for request: APIRequest) async throws(APIError) -> Found {
        let served = try backend.classifier(work.classifier)
        let file = served.file
        if let instruction = work.instruction, instruction != file.instruct {
            throw .invalid(
                "instruction",
                "classifier \(served.name) was made "
                    + (file.instruct.map { "with the instruction \"\($0)\"" } ?? "without an instruction")
                    + "; leave the instruction out")
        }
        let vectors = try await backend.embedding.embed(
            EmbeddingService.Work(
                model: served.model, items: work.items, field: work.field,
                prompt: file.instruct.map { .query(task: $0) } ?? .document, dimensions: file.dimensions,
                cut: work.cut, tokenLimit: work.tokenLimit, kind: .predict), for: request)
        let scores: [[Double]]
        do {
            let rows = try VectorMatrix(vectors.vectors)
            scores =
                try await work.asksForLogits
                ? file.classifier.calibratedLogits(of: rows) : file.classifier.probabilities(of: rows)
        } catch {
            throw APIError(error)
        }
        return Found(name: served.name, labels: file.classifier.labels, scores: scores, timing: vectors.timing)
    }
}

extension Backend {
    /// The classifier of a name, or the first that reads the vectors of a model of that name; for no name, or one that is not
    /// served, the first.
    func classifier(_ name: String?) throws(APIError) -> ServedClassifier {
        _ = try models.all()
        guard let first = classifiers.first else {
            throw APIError(
                .wrongTask, "this server has no classifier; start it with q3 serve --classifier FILE", param: "model")
        }
        guard let name else { return first }
        if let named = classifiers.first(where: { $0.name.utf8.elementsEqual(name.utf8) }) { return named }
        if let named = classifiers.first(where: { $0.model.utf8.elementsEqual(name.utf8) }) { return named }
        guard options.strictModelNames else { return first }
        throw APIError(.noSuchModel, "classifier \"\(name.prefix(100))\" is not served here", param: "model")
    }
}
#endif
