// What vectors and scores have in common: limits, the scheduler, and the counts that metrics and answers report.
#if Server
import Q3Model

struct Computation: Sendable {
    let models: ModelRegistry
    let scheduler: BatchScheduler
    let metrics: ServerMetrics
    /// Texts of one request.
    let itemLimit: Int
    /// Tokens of one request.
    let tokenLimit: Int

    /// A request's token lists, on their way from texts to hidden states.
    struct Job: Sendable {
        let kind: ServerMetrics.Work
        let request: APIRequest
        /// The field that the texts came in, for messages.
        let field: String
        let itemCount: Int
        var timing = Timing()
    }

    /// Throws if a request has no text or too many.
    func job(_ kind: ServerMetrics.Work, for request: APIRequest, field: String, itemCount: Int) throws(APIError) -> Job
    {
        guard itemCount > 0 else { throw APIError(.empty, "`\(field)` cannot be empty", param: field) }
        guard itemCount <= itemLimit else {
            throw APIError(
                .tooMany, "batch size \(itemCount) > maximum allowed batch size \(itemLimit)", param: field)
        }
        return Job(kind: kind, request: request, field: field, itemCount: itemCount)
    }

    /// The token ids of each text. Other requests get their turn between two texts, and a cancelled request stops there.
    func tokenize(
        _ job: inout Job, _ input: (_ index: Int, _ roomInRequest: Int) throws -> ModelInput
    ) async throws(APIError) -> [ModelInput] {
        let start = ContinuousClock.now
        var inputs: [ModelInput] = []
        var room = tokenLimit
        for index in 0..<job.itemCount {
            do {
                try Task.checkCancellation()
                inputs.append(try input(index, room))
            } catch {
                let path = job.itemCount == 1 ? job.field : "\(job.field)[\(index)]"
                var error = APIError(error, at: path)
                error.param = error.param ?? path
                throw error
            }
            room -= inputs[index].ids.count
            guard room >= 0 else { throw tooManyTokens(tokenLimit - room, field: job.field) }
            if index % Self.textsAtOnce == 0 { await Task.yield() }
        }
        job.timing.tokenization = ContinuousClock.now - start
        metrics.inputs(lengths: inputs.map(\.ids.count))
        job.timing.tokens = tokenLimit - room
        return inputs
    }

    private static let textsAtOnce = 16

    /// - Parameter count: Tokens that were counted before the rest was left unread.
    func tooManyTokens(_ count: Int, field: String) -> APIError {
        APIError(
            .tooManyTokens,
            "the texts have \(count) tokens or more, but one request may have \(tokenLimit); send fewer at once",
            param: field)
    }

    /// The hidden state of each list's last token.
    func states(of lists: [[Int32]], model: Qwen3Model, for job: inout Job) async throws(APIError) -> [[Float]] {
        let isBatch = job.itemCount > 1
        metrics.started(job.kind, isBatch: isBatch)
        do {
            let computed = try await scheduler.states(of: lists, model: model, deadline: job.request.deadline)
            job.timing.queue = computed.queued
            job.timing.inference = computed.computed
            job.timing.total = ContinuousClock.now - job.request.arrival
            metrics.succeeded(job.kind, isBatch: isBatch, timing: job.timing)
            return computed.states
        } catch {
            let error = APIError(error, at: job.field)
            if error.kind == .modelChanged { models.fileChanged() }
            throw error
        }
    }
}
#endif
