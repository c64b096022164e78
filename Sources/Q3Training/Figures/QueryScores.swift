// How well each held-out query finds its passages: nDCG and reciprocal rank among the first ten.
import Q3Eval
public import Q3Linear

/// The scores of queries, a value for each.
public struct QueryScores: Sendable, Equatable {
    /// nDCG@10 of each query, 0...1.
    public private(set) var ndcg: [Double] = []
    /// Reciprocal rank of the first answer among ten, 0 where there is none.
    public private(set) var mrr: [Double] = []

    /// Ranks that count.
    public static let cut = 10

    /// Without queries yet.
    public init() {}

    /// Counts a query: whether each of its passages answers it, in the order they were ranked, and how many passages do.
    public mutating func add(ranked isAnswer: some Sequence<Bool>, answerCount: Int) {
        var one = RetrievalScores()
        one.add(ranked: isAnswer.map { $0 ? 1 : 0 }, judged: [Int](repeating: 1, count: answerCount))
        ndcg.append(one[.ndcg, at: Self.cut])
        mrr.append(one[.mrr, at: Self.cut])
    }

    /// The mean nDCG@10; 0 without queries.
    public var meanNDCG: Double { ndcg.isEmpty ? 0 : ndcg.reduce(0, +) / Double(ndcg.count) }

    /// Scores of queries among all passages by cosine. Rows have unit length; `answers` are the rows of the passages that answer
    /// each query. Of equals the first row ranks first. Throws `LinearError`.
    public static func measure(
        queries: VectorMatrix, passages: VectorMatrix, answers: [[Int]], threads: Int? = nil
    ) async throws -> QueryScores {
        precondition(answers.count == queries.count, "answers for each query")
        let found = try await NearestRows.find(cut, of: passages, to: queries, threads: threads)
        var scores = QueryScores()
        for (hits, answers) in zip(found, answers) {
            scores.add(ranked: hits.map { answers.contains($0.index) }, answerCount: answers.count)
        }
        return scores
    }
}
