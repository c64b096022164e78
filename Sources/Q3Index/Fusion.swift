// How a chunk's nearness to the query and the query's words in it become one score.
import Q3System

/// A chunk's score is `(cosine - floor) / (1 - floor) + wordWeight * (BM25 / total) ^ wordExponent`.
///
/// `floor` is the cosine of the hundredth nearest chunk, since models differ in how near to everything they put everything.
/// `total` is the BM25 of a chunk of average length that has each word of the query once. So words count by how much of the
/// query they make up, rare ones most, and not by rank: some chunk is always first, be it for a "how" and a "the".
///
/// Chosen with q3-mini by the nDCG@10 of three sets (`Tests/EndToEnd/Index/ndcg.py --ways`): of one words find nearly nothing, of
/// another twice what vectors find. Reciprocal ranks lost two thirds of the first.
enum Fusion {
    /// What all words of the query count beside the nearest chunk there could be, which counts 1.
    static let wordWeight: Float = 3
    /// A third of the words is worth much less than a third of all of them.
    static let wordExponent = 3
    /// Which of the nearest chunks gives the floor, counted from 1.
    static let floorRank = 100

    /// The share of a chunk's nearness; 0 for what is not among the nearest.
    static func nearness(_ cosine: Float, floor: Float) -> Float {
        floor < 1 ? max(0, (cosine - floor) / (1 - floor)) : 0
    }

    /// The share of its words.
    static func words(_ bm25: Float, total: Float) -> Float {
        guard total > 0 else { return 0 }
        let coverage = bm25 / total
        return wordWeight * (0..<wordExponent).reduce(1) { power, _ in power * coverage }
    }

    /// The inverse document frequency of a word that `count` of `all` chunks have, as FTS5's `bm25` has it.
    static func inverseFrequency(_ count: Int, of all: Int) -> Float {
        Float(max(log((Double(max(all - count, 0)) + 0.5) / (Double(count) + 0.5)), 1e-6))
    }
}
