// Reading the best candidates again beside the query, for as long as there is time.
public import Q3Reranking

extension SearchResults {
    /// Pairs that are scored together: few enough that little is lost when time is up.
    private static let groupSize = 4

    /// Scores candidates with a reranker, best first, and puts those that were read before the others.
    ///
    /// With a budget as many are read as fit into it; a group that does not end in time counts for nothing. All scores are
    /// exact: a candidate is read whole or not at all. `instruction` is the reranker's own when nil.
    public func reranked(
        by reranker: Reranker, query: String, count: Int, limit: Int, budget: Duration? = nil,
        instruction: String? = nil
    ) async throws -> SearchResults {
        let options = RerankOptions(instruction: instruction, truncates: true)
        return try await reranked(query: query, count: count, limit: limit, budget: budget) { pairs in
            try await reranker.results(for: pairs, options: options)
        }
    }

    /// The same with scores from elsewhere, such as a server that computes for many.
    package func reranked(
        query: String, count: Int, limit: Int, budget: Duration?,
        scores: @escaping @Sendable ([RerankPair]) async throws -> [Result<RerankScore, RerankError>]
    ) async throws -> SearchResults {
        let deadline = budget.map { ContinuousClock.now + $0 }
        var read: [IndexHit] = []
        var rest: [IndexHit] = []
        var next = 0
        let candidates = Array(candidates.prefix(max(limit, 0)))
        while next < candidates.count {
            // On a busy machine work that has begun may end before the clock's own task runs.
            if let deadline, ContinuousClock.now >= deadline { break }
            // Without a budget all go together, which shares the most.
            let group = candidates[
                next..<(deadline == nil ? candidates.count : min(next + Self.groupSize, candidates.count))]
            let pairs = group.map { hit in
                RerankPair(query: query, document: hit.context.isEmpty ? hit.text : "\(hit.context)\n\n\(hit.text)")
            }
            guard let results = try await Self.ended(by: deadline, { try await scores(pairs) }) else { break }
            for (var hit, result) in zip(group, results) {
                switch result {
                case .success(let score):
                    (hit.relevance, hit.margin) = (score.score, score.margin)
                    read.append(hit)
                case .failure: rest.append(hit)
                }
            }
            next += group.count
        }
        read.sort { ($0.margin ?? 0) > ($1.margin ?? 0) }
        var results = self
        results.rerankedCount = read.count
        results.candidates = read + rest + self.candidates.dropFirst(next)
        results.hits = Array(results.candidates.prefix(count))
        return results
    }

    /// What `work` gives; nil when it did not end in time.
    private static func ended<Value: Sendable>(
        by deadline: ContinuousClock.Instant?, _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value? {
        guard let deadline else { return try await work() }
        return try await withThrowingTaskGroup { tasks in
            tasks.addTask { () -> Value? in
                do {
                    return try await work()
                } catch  where Task.isCancelled {
                    return nil
                }
            }
            tasks.addTask {
                try? await ContinuousClock().sleep(until: deadline)
                return nil
            }
            // The clock ends the other task, which stops at its next layer.
            let first = try await tasks.next() ?? nil
            tasks.cancelAll()
            return first
        }
    }
}
