// Figures before and after, and the intervals around them.
import Q3Linear
import Testing

@testable import Q3Training

@Suite struct FigureTests {
    private func scores(_ ranks: [Int?]) -> QueryScores {
        var scores = QueryScores()
        for rank in ranks { scores.add(ranked: (0..<10).map { $0 == rank }, answerCount: 1) }
        return scores
    }

    @Test func `scores are those of the ranks`() {
        let scores = scores([0, 1, nil, 9])
        #expect(scores.mrr == [1, 0.5, 0, 0.1])
        #expect(scores.ndcg[0] == 1 && abs(scores.ndcg[1] - 0.6309) < 1e-4 && scores.ndcg[2] == 0)
    }

    @Test func `queries are measured among all passages`() async throws {
        let passages = try VectorMatrix([[1, 0], [0, 1], [0.6, 0.8]])
        let queries = try VectorMatrix([[0, 1], [1, 0]])
        let scores = try await QueryScores.measure(queries: queries, passages: passages, answers: [[2], [0, 1]])
        #expect(scores.mrr == [0.5, 1])
        #expect(abs(scores.ndcg[1] - (1 + 0.5) / (1 + 1 / 1.5849625)) < 1e-6)
    }

    @Test func `a clear gain, a loss and chance are told apart`() {
        let low = scores((0..<100).map { $0 % 5 + 2 })
        let high = scores((0..<100).map { $0 % 3 })
        #expect(Comparison(before: low, after: high).verdict == .gain)
        #expect(Comparison(before: high, after: low).verdict == .loss)
        let same = Comparison(before: high, after: high)
        #expect(same.verdict == .noGain && same.gain.mean == 0 && same.gain.low == 0)
        #expect(same.conclusion.hasPrefix("no gain"))
        let one = Comparison(before: scores([1, 1, 1]), after: scores([0, 1, 2]))
        #expect(one.verdict == .noGain && one.conclusion.contains("few"))
        let full = scores([Int](repeating: 0, count: 60))
        #expect(Comparison(before: full, after: full).conclusion.contains("nearly all passages before"))
    }

    /// The standard error of a mean of 0 and 1, each half of the time, is 0.5 / sqrt(n); 95 % lie within 1.96 of it.
    @Test func `intervals have the width of the normal approximation`() {
        let values = (0..<400).map { Double($0 % 2) }
        let interval = Comparison.intervals(of: [values], seed: 3)[0]
        #expect(interval.mean == 0.5)
        #expect(abs(interval.high - 0.549) < 0.004 && abs(interval.low - 0.451) < 0.004)
        #expect(Comparison.intervals(of: [values], seed: 3)[0] == interval)
        #expect(Comparison.intervals(of: [[]], seed: 3)[0].mean == 0)
    }
}
