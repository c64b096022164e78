// Which sentence of the other language is the translation: the most similar one is taken.
import Q3Embedding

package enum Bitext {
    /// Scores of taking the nearest row of `right` for each row of `left`; row i belongs to row i. As MTEB does, each row
    /// of `right` is a class, and the scores are weighted ones. Of equally near rows the first is taken.
    package static func scores(left: Vectors, right: Vectors) async throws -> ClassScores {
        let nearest = try await Search.nearest(1, of: right, to: left).map { $0.first?.index ?? 0 }
        return ClassScores(truth: Array(0..<left.count), predictions: nearest)
    }
}
