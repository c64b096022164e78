// The best of many scores, without keeping the others.

/// The `limit` largest of scores that come one by one, in memory for `limit` of them.
///
///     var best = TopK(10)
///     for (index, document) in documents.enumerated() { best.insert(query.dot(document), at: index) }
///     for hit in best.hits { print(hit.index, hit.score) }
///
/// Of equal scores the smaller index is the better one, so the result does not depend on the order of insertion. A NaN
/// is worse than every number.
public struct TopK: Sendable {
    /// A score and what it belongs to.
    public struct Hit: Sendable, Equatable, Codable {
        /// What the score belongs to.
        public let index: Int
        /// The score.
        public let score: Float

        /// A hit.
        public init(index: Int, score: Float) {
            self.index = index
            self.score = score
        }

        func precedes(_ other: Hit) -> Bool {
            if score == other.score || score.isNaN && other.score.isNaN { return index < other.index }
            return score > other.score || other.score.isNaN
        }
    }

    /// Hits to keep at most; 0 and less keep none.
    public let limit: Int
    /// A heap with the worst hit first.
    private var heap: [Hit] = []

    /// An empty list of the `limit` best.
    public init(_ limit: Int) { self.limit = limit }

    /// The hit that the next better one replaces; nil while there is space for all.
    public var worst: Hit? { heap.count >= limit ? heap.first : nil }

    /// The hits so far, best first.
    public var hits: [Hit] { heap.sorted { $0.precedes($1) } }

    /// Adds a score. Returns the index that falls out: that of the worst hit so far, or of the new score; nil while there is
    /// space for all.
    @discardableResult
    public mutating func insert(_ score: Float, at index: Int) -> Int? {
        let hit = Hit(index: index, score: score)
        guard heap.count >= limit else {
            heap.append(hit)
            var child = heap.count - 1
            while child > 0, heap[(child - 1) / 2].precedes(heap[child]) {
                heap.swapAt(child, (child - 1) / 2)
                child = (child - 1) / 2
            }
            return nil
        }
        guard let worst = heap.first, hit.precedes(worst) else { return index }
        heap[0] = hit
        var parent = 0
        while 2 * parent + 1 < heap.count {
            let (left, right) = (2 * parent + 1, 2 * parent + 2)
            let child = right < heap.count && heap[left].precedes(heap[right]) ? right : left
            guard heap[parent].precedes(heap[child]) else { break }
            heap.swapAt(parent, child)
            parent = child
        }
        return worst.index
    }
}

extension Embedding {
    /// The `limit` embeddings with the largest dot product, best first; of equals the first. Embeddings have unit length, so
    /// that is the cosine. All must have the dimensions of this one (a precondition).
    public func nearest(_ limit: Int, of embeddings: some Sequence<Embedding>) -> [TopK.Hit] {
        var best = TopK(limit)
        for (index, embedding) in embeddings.enumerated() { best.insert(dot(embedding), at: index) }
        return best.hits
    }
}
