// What the families of routes share.
#if Server
import Logging
import Q3Tokenizer

#if Index
import Q3IndexAPI
#endif

/// The models, and the two things that can be computed with them.
struct Backend: Sendable {
    let options: ServerOptions
    let models: ModelRegistry
    let scheduler: BatchScheduler
    let notices: Notices
    let embedding: EmbeddingService
    let reranking: RerankingService
    var classifiers: [ServedClassifier] = []
    #if Index
    var indexes: [NamedIndex] = []
    var hasIndexes: Bool { !indexes.isEmpty }
    #else
    let hasIndexes = false
    #endif

    init(
        _ served: [ServedModel], options: ServerOptions, metrics: ServerMetrics, logger: Logger
    ) {
        metrics.information(about: served)
        notices = Notices(logger: logger)
        self.options = options
        models = ModelRegistry(served, isStrict: options.strictModelNames)
        scheduler = BatchScheduler(
            limits: .init(batchTokens: options.batchTokens, queuedTokens: options.queuedTokenLimit), metrics: metrics)
        let computation = Computation(
            models: models, scheduler: scheduler, metrics: metrics, itemLimit: options.itemLimit,
            tokenLimit: options.queuedTokenLimit)
        embedding = EmbeddingService(
            models: models, computation: computation, options: options, notices: notices)
        reranking = RerankingService(models: models, computation: computation)
    }

    /// The ids of a text that is only counted or shown, at most as many as a request may have.
    func tokens(
        _ text: String, of served: ServedModel, field: String, parseSpecial: Bool = false, closing: Bool,
        limit: Int? = nil
    ) throws(APIError) -> [Int32] {
        let limit = limit ?? options.queuedTokenLimit
        let ids = served.tokenizer.encode(text, parseSpecial: parseSpecial, atLeast: limit + 1)
        guard ids.count <= limit else { throw reranking.computation.tooManyTokens(ids.count, field: field) }
        guard closing, served.isEmbedder, let end = served.tokenizer.endOfTextID else { return ids }
        return ids + [end]
    }
}
#endif
