// What the server reports about itself, under the names of Text Embeddings Inference and some that begin with q3_.
#if Server
import CoreMetrics
import Metrics
import Q3Model
import Q3System
import Synchronization

struct ServerMetrics: Sendable {
    private let factory: any MetricsFactory
    private let queueRequests, queueTokens, inFlight: Meter
    private let batchSize, batchTokens, inputLength: Recorder
    private let cancellations: Counter
    private let computedTokens, computedSeconds: FloatingPointCounter

    init(factory: any MetricsFactory) {
        self.factory = factory
        queueRequests = Meter(label: "te_queue_size", dimensions: [], factory: factory)
        queueTokens = Meter(label: "q3_queue_tokens", dimensions: [], factory: factory)
        inFlight = Meter(label: "q3_requests_in_flight", dimensions: [], factory: factory)
        batchSize = Recorder(label: "te_batch_next_size", dimensions: [], aggregate: true, factory: factory)
        batchTokens = Recorder(label: "te_batch_next_tokens", dimensions: [], aggregate: true, factory: factory)
        inputLength = Recorder(label: "te_request_input_length", dimensions: [], aggregate: true, factory: factory)
        cancellations = Counter(label: "q3_requests_cancelled_total", dimensions: [], factory: factory)
        computedTokens = FloatingPointCounter(label: "q3_tokens_computed_total", dimensions: [], factory: factory)
        computedSeconds = FloatingPointCounter(label: "q3_compute_seconds_total", dimensions: [], factory: factory)
        cancellations.increment(by: 0)
        _ = [queueRequests, queueTokens, inFlight].map { $0.set(0) }
    }

    /// Every metric of the server, with few buckets: each is a time series of its own.
    static let descriptions: [String: PrometheusRegistry.Description] = {
        let counts = [1, 4, 16, 64, 256, 1024].map(Double.init)
        let tokens = [16, 64, 256, 1024, 4096, 16384, 65536].map(Double.init)
        var all: [String: PrometheusRegistry.Description] = [
            "te_queue_size": .init(help: "Requests that wait or are computed."),
            "te_batch_next_size": .init(help: "Token lists of a batch.", buckets: counts),
            "te_batch_next_tokens": .init(help: "Tokens of a batch.", buckets: tokens),
            "te_request_input_length": .init(help: "Tokens of a text or a pair.", buckets: tokens),
            "te_request_count": .init(help: "Requests for vectors or scores."),
            "te_request_success": .init(help: "Requests that got their vectors or scores."),
            "te_request_failure": .init(help: "Requests that got an error, by its kind."),
            "q3_queue_tokens": .init(help: "Tokens that wait."),
            "q3_requests_in_flight": .init(help: "Requests that are being read or answered."),
            "q3_requests_cancelled_total": .init(help: "Requests given up by their client or their deadline."),
            "q3_tokens_computed_total": .init(help: "Tokens that the model computed."),
            "q3_compute_seconds_total": .init(help: "Seconds that the model computed."),
            "q3_http_requests_total": .init(help: "Answers, by route and status."),
            "q3_http_request_duration_seconds": .init(help: "Time from a request's header to its answer."),
            "q3_prefix_cache_lookups_total": .init(help: "Texts that were looked up in the prefix cache."),
            "q3_prefix_cache_hits_total": .init(help: "Texts of which a prefix was in the cache."),
            "q3_prefix_cache_reused_tokens_total": .init(help: "Tokens that were not computed again."),
            "q3_prefix_cache_bytes": .init(help: "Bytes of keys and values in the prefix cache."),
            "q3_build_info": .init(help: "The version that runs; always 1."),
            "q3_model_info": .init(help: "A model that is served; always 1."),
        ]
        for work in ["request"] + Work.allCases.map(\.rawValue) {
            let what = work == "request" ? "a request" : "a request to \(work)"
            all["te_\(work)_duration"] = .init(help: "Time of \(what) until everything was computed.")
            all["te_\(work)_tokenization_duration"] = .init(help: "Time in which the texts of \(what) were tokenized.")
            all["te_\(work)_queue_duration"] = .init(help: "Time that \(what) waited for its first batch.")
            all["te_\(work)_inference_duration"] = .init(help: "Time from the first batch of \(what) to its last.")
        }
        for work in Work.allCases.map(\.rawValue) {
            all["te_\(work)_count"] = .init(help: "Requests to \(work).")
            all["te_\(work)_success"] = .init(help: "Requests to \(work) that succeeded.")
        }
        return all
    }()

    // MARK: - Scheduler

    func queue(requests: Int, tokens: Int) {
        queueRequests.set(requests)
        queueTokens.set(tokens)
    }

    func batch(size: Int, tokens: Int) {
        batchSize.record(size)
        batchTokens.record(tokens)
    }

    func computed(tokens: Int, seconds: Double) {
        computedTokens.increment(by: Double(tokens))
        computedSeconds.increment(by: seconds)
    }

    func cancelled() { cancellations.increment() }

    // MARK: - Requests

    /// What kind of work a request asks for.
    enum Work: String, CaseIterable { case embed, predict, rerank }

    func started(_ work: Work, isBatch: Bool) {
        counter("te_request_count", ("method", isBatch ? "batch" : "single")).increment()
        counter("te_\(work.rawValue)_count").increment()
    }

    func succeeded(_ work: Work, isBatch: Bool, timing: Timing) {
        counter("te_request_success", ("method", isBatch ? "batch" : "single")).increment()
        counter("te_\(work.rawValue)_success").increment()
        for name in ["request", work.rawValue] {
            timer("te_\(name)_duration").record(duration: timing.total)
            timer("te_\(name)_tokenization_duration").record(duration: timing.tokenization)
            timer("te_\(name)_queue_duration").record(duration: timing.queue)
            timer("te_\(name)_inference_duration").record(duration: timing.inference)
        }
    }

    func inputs(lengths: some Sequence<Int>) { lengths.forEach { inputLength.record($0) } }

    func failed(_ kind: APIError.Kind) {
        let name =
            switch kind {
            case .overloaded: "overloaded"
            case .tooMany, .tooManyTokens: "batch_size"
            case .nonFinite, .internal, .modelChanged: "inference"
            case .wrongTask: "model_type"
            case .deadline, .unavailable: "dropped"
            default: "validation"
            }
        counter("te_request_failure", ("err", name)).increment()
    }

    /// `route` is the pattern that matched and never the path itself: paths are the clients' to invent.
    func answered(route: String, status: Int, after duration: Duration) {
        counter("q3_http_requests_total", ("route", route), ("status", "\(status)")).increment()
        timer("q3_http_request_duration_seconds", ("route", route)).record(duration: duration)
    }

    func requestBegan() { inFlight.increment() }
    func requestEnded() { inFlight.decrement() }

    /// Copies the caches' own counts, which only ever grow.
    func prefixCaches(of models: [ServedModel]) {
        for served in models {
            let use = served.model.prefixCacheUse
            let model = ("model", served.name)
            gauge("q3_prefix_cache_lookups_total", model).set(use.lookups)
            gauge("q3_prefix_cache_hits_total", model).set(use.hits)
            gauge("q3_prefix_cache_reused_tokens_total", model).set(use.reusedTokens)
            gauge("q3_prefix_cache_bytes", model).set(use.byteCount)
        }
    }

    /// What runs here, as labels of a metric that is 1.
    func information(about models: [ServedModel]) {
        gauge("q3_build_info", ("version", Release.version)).set(1)
        for served in models {
            let type = served.dominantType ?? "unknown"
            gauge(
                "q3_model_info", ("model", served.name), ("role", served.isEmbedder ? "embedding" : "reranker"),
                ("type", type), ("dimensions", "\(served.model.config.hiddenSize)"),
                ("context", "\(served.model.config.contextLength)")
            ).set(1)
        }
    }

    private func counter(_ label: String, _ dimensions: (String, String)...) -> Counter {
        Counter(label: label, dimensions: dimensions, factory: factory)
    }

    private func timer(_ label: String, _ dimensions: (String, String)...) -> Metrics.Timer {
        Metrics.Timer(label: label, dimensions: dimensions, factory: factory)
    }

    private func gauge(_ label: String, _ dimensions: (String, String)...) -> Meter {
        Meter(label: label, dimensions: dimensions, factory: factory)
    }
}
#endif
