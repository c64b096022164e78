// From the texts of a request to vectors and scores: tokens, the scheduler, the heads.
#if Server
    import Q3Embedding
    import Q3Model
    import Q3Reranking
    import Q3Tokenizer

    /// What all handlers share.
    struct Inference: Sendable {
        let shelf: Shelf
        let scheduler: BatchScheduler
        let options: ServerOptions
        let metrics: ServerMetrics

        /// With an empty shelf.
        init(options: ServerOptions, registry: PrometheusRegistry) {
            self.options = options
            shelf = Shelf(strict: options.strictModelNames)
            metrics = ServerMetrics(factory: registry)
            scheduler = BatchScheduler(
                limits: .init(batchTokens: options.batchTokens, queuedTokens: options.queuedTokenLimit),
                metrics: metrics)
        }

        // MARK: - Vectors

        struct EmbeddingRequest {
            var model: String?
            var items: [TextOrTokens]
            /// The field that the texts came in, for messages.
            var field = "input"
            var prompt: TextPrompt?
            var dimensions: Int?
            /// Which end of a text that is too long is lost; nil makes it an error.
            var cut: Embedder.Cut?
            var normalizes = true
            /// Whether an empty text has a vector, which is that of the lone `<|endoftext|>`.
            var allowsEmpty = false
        }

        struct Vectors: Sendable {
            let served: ServedModel
            let vectors: [[Float]]
            let tokenCounts: [Int]
            let timing: Timing
            var tokenCount: Int { timing.tokens }
        }

        /// A vector for each text, or the fault of the first that has none.
        func embed(_ request: EmbeddingRequest, for call: Call) async throws(Fault) -> Vectors {
            let (served, embedder) = try shelf.embedder(request.model)
            let kept: Int
            do { kept = try embedder.dimensions(requested: request.dimensions) } catch { throw Fault(error) }
            var timing = Timing()
            let inputs = try tokenize(request, embedder: embedder, timing: &timing)
            let states = try await compute(
                inputs.map(\.ids), work: .embed, isBatch: request.items.count > 1, model: served.model, call: call,
                at: request.field, timing: &timing)
            var vectors: [[Float]] = []
            for (index, state) in states.enumerated() {
                do {
                    // Also finds what is no number where the vector itself is not asked for at unit length.
                    let unit = try Embedding.normalized(state, dimensions: kept)
                    vectors.append(request.normalizes ? unit : Array(state.prefix(kept)))
                } catch {
                    throw Fault(error, at: "\(request.field)[\(index)]")
                }
            }
            return Vectors(
                served: served, vectors: vectors, tokenCounts: inputs.map(\.ids.count), timing: timing)
        }

        /// The final hidden state of every token, not normalized: [texts][tokens][hiddenSize].
        ///
        /// Each beginning of a text is computed as a text of its own, which costs nothing twice: they share all their rows.
        func embedTokens(_ request: EmbeddingRequest, for call: Call) async throws(Fault) -> (
            states: [[[Float]]], timing: Timing
        ) {
            let (served, embedder) = try shelf.embedder(request.model)
            var timing = Timing()
            let inputs = try tokenize(request, embedder: embedder, timing: &timing)
            for (index, input) in inputs.enumerated() where input.ids.count > Self.tokenStatesLimit {
                throw Fault(
                    .tooLong,
                    "\(input.ids.count) tokens, but the states of all tokens are given for at most "
                        + "\(Self.tokenStatesLimit)", param: "\(request.field)[\(index)]")
            }
            let beginnings = inputs.flatMap { input in (1...input.ids.count).map { Array(input.ids.prefix($0)) } }
            let states = try await compute(
                beginnings, work: .embed, isBatch: request.items.count > 1, model: served.model, call: call,
                at: request.field, timing: &timing)
            timing.tokens = inputs.reduce(0) { $0 + $1.ids.count }
            var rest = states[...]
            return (
                inputs.map { input in
                    defer { rest = rest.dropFirst(input.ids.count) }
                    return Array(rest.prefix(input.ids.count))
                }, timing
            )
        }

        /// Beginnings of a text hold as many ids as the square of its length.
        private static let tokenStatesLimit = 4096

        private func tokenize(
            _ request: EmbeddingRequest, embedder: Embedder, timing: inout Timing
        ) throws(Fault) -> [ModelInput] {
            try checkCount(request.items.count, field: request.field)
            let start = ContinuousClock.now
            let prompt = request.prompt ?? options.defaultPrompt
            var inputs: [ModelInput] = []
            for (index, item) in request.items.enumerated() {
                let path = request.items.count == 1 ? request.field : "\(request.field)[\(index)]"
                do {
                    inputs.append(
                        try embedder.input(
                            for: ids(of: item, prompt: prompt, request: request, embedder: embedder, path: path),
                            truncate: request.cut))
                } catch {
                    throw Fault(error, at: path)
                }
            }
            timing.tokenization = ContinuousClock.now - start
            metrics.inputs(lengths: inputs.lazy.map(\.ids.count))
            timing.characters = request.items.reduce(0) { $0 + $1.characterCount }
            return inputs
        }

        private func ids(
            of item: TextOrTokens, prompt: TextPrompt, request: EmbeddingRequest, embedder: Embedder, path: String
        ) throws -> [Int32] {
            switch item {
            case .text(let text):
                guard request.allowsEmpty || !text.isEmpty else {
                    throw Fault(.empty, "`\(request.field)` cannot be empty", param: path)
                }
                // To cut a text at its end, no more of it need be read.
                return embedder.tokenizer.encode(
                    prompt.applied(to: text, takesInstructions: embedder.takesInstructions), parseSpecial: false,
                    atLeast: request.cut == .end ? embedder.tokenLimit : .max)
            case .tokens(let tokens):
                guard !tokens.isEmpty else { throw Fault(.empty, "`\(request.field)` cannot be empty", param: path) }
                let size = embedder.tokenizer.vocabularySize
                if let place = tokens.firstIndex(where: { !(0..<size).contains(Int($0)) }) {
                    throw Fault(
                        .invalid, "token id \(tokens[place]) at \(path)[\(place)] is outside the vocabulary of \(size)",
                        param: "\(path)[\(place)]")
                }
                let before = prompt.applied(to: "", takesInstructions: embedder.takesInstructions)
                return before.isEmpty ? tokens : embedder.tokenizer.encode(before) + tokens
            }
        }

        // MARK: - Scores

        struct Scores: Sendable {
            let served: ServedModel
            /// In the order of the pairs.
            let scores: [RerankScore]
            let timing: Timing
        }

        /// A score for each pair, or the fault of the first that has none.
        func score(
            _ pairs: [RerankPair], model: String?, options: RerankOptions, work: ServerMetrics.Work, field: String,
            for call: Call
        ) async throws(Fault) -> Scores {
            let (served, reranker) = try shelf.reranker(model)
            try checkCount(pairs.count, field: field)
            var timing = Timing()
            let start = ContinuousClock.now
            var inputs: [ModelInput] = []
            for (index, pair) in pairs.enumerated() {
                do {
                    inputs.append(try reranker.input(for: pair, options: options))
                } catch {
                    throw Fault(error, at: "\(field)[\(index)]")
                }
            }
            timing.tokenization = ContinuousClock.now - start
            metrics.inputs(lengths: inputs.lazy.map(\.ids.count))
            timing.characters = pairs.reduce(0) {
                $0 + $1.query.unicodeScalars.count + $1.document.unicodeScalars.count
            }
            let states = try await compute(
                inputs.map(\.ids), work: work, isBatch: pairs.count > 1, model: served.model, call: call, at: field,
                timing: &timing)
            var scores: [RerankScore] = []
            for (index, state) in states.enumerated() {
                do {
                    scores.append(try reranker.score(of: state, for: inputs[index], index: index))
                } catch {
                    throw Fault(error, at: "\(field)[\(index)]")
                }
            }
            return Scores(served: served, scores: scores, timing: timing)
        }

        // MARK: - Both

        private func checkCount(_ count: Int, field: String) throws(Fault) {
            guard count > 0 else { throw Fault(.empty, "`\(field)` cannot be empty", param: field) }
            guard count <= options.itemLimit else {
                throw Fault(
                    .tooMany, "batch size \(count) > maximum allowed batch size \(options.itemLimit)", param: field)
            }
        }

        private func compute(
            _ lists: [[Int32]], work: ServerMetrics.Work, isBatch: Bool, model: Qwen3Model, call: Call,
            at field: String,
            timing: inout Timing
        ) async throws(Fault) -> [[Float]] {
            metrics.started(work, isBatch: isBatch)
            timing.tokens = lists.reduce(0) { $0 + $1.count }
            do {
                let computed = try await scheduler.states(of: lists, model: model, deadline: call.deadline)
                timing.queue = computed.queued
                timing.inference = computed.computed
                timing.total = ContinuousClock.now - call.arrival
                metrics.succeeded(work, isBatch: isBatch, timing: timing)
                return computed.states
            } catch {
                let fault = Fault(error, at: field)
                if fault.kind == .modelChanged { shelf.fileChanged() }
                throw fault
            }
        }
    }
#endif
