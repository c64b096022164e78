// What the server reports about itself: the names of Text Embeddings Inference, and our own beginning with q3_.
#if Server
    import CoreMetrics
    import Metrics
    import Q3Model
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

        /// Bounds of the histograms, as Text Embeddings Inference has them.
        static func buckets(of name: String) -> [Double] {
            switch name {
            case "te_batch_next_size": (0...12).map { Double(1 << $0) }
            case "te_batch_next_tokens", "te_request_input_length": (0...20).map { Double(1 << $0) }
            default: (0..<35).map { power in (0..<power).reduce(1.5e-5) { value, _ in value * 1.5 } }
            }
        }

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
        enum Work: String { case embed, predict, rerank }

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

        func failed(_ kind: Fault.Kind) {
            let name =
                switch kind {
                case .overloaded: "overloaded"
                case .tooMany: "batch_size"
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

    /// How long the parts of a request took, and how much it was.
    struct Timing: Sendable {
        var total = Duration.zero
        var tokenization = Duration.zero
        var queue = Duration.zero
        var inference = Duration.zero
        var characters = 0
        var tokens = 0
    }
#endif
