// Classes by vote of the nearest vectors.
import Q3Embedding

package enum NeighborClassifier {
    /// The class of each row of `test`: that of most of the `neighborCount` training rows with the largest cosine, which for
    /// unit vectors is the dot product. Equal rows are taken in their order, of equal votes the smallest class wins.
    package static func classes(
        of test: Vectors, training: Vectors, labels: [Int], neighborCount: Int
    ) async throws -> [Int] {
        try await Search.nearest(neighborCount, of: training, to: test).map { hits in
            var votes: [Int: Int] = [:]
            for hit in hits { votes[labels[hit.index], default: 0] += 1 }
            return votes.min { $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value }?.key ?? 0
        }
    }
}
