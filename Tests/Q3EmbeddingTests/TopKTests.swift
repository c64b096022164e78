// The k best of many scores: the same as sorting them all, in any order of insertion.
import Q3Embedding
import TestSupport
import Testing

@Suite struct TopKTests {
    @Test(arguments: [0, 1, 2, 7, 50, 1000]) func `the best are those of a sort of all, in any order`(_ limit: Int) {
        var generator = SeededGenerator(seed: 7)
        // Few different scores, so that most have equals.
        let scores = (0..<500).map { _ in Float(Int.random(in: 0..<20, using: &generator)) }
        let sorted = scores.enumerated().sorted { ($1.element, $0.offset) < ($0.element, $1.offset) }
        let expected = sorted.prefix(limit).map { TopK.Hit(index: $0.offset, score: $0.element) }
        for _ in 0..<5 {
            var best = TopK(limit)
            for index in scores.indices.shuffled(using: &generator) { best.insert(scores[index], at: index) }
            #expect(best.hits == expected)
        }
    }

    @Test func `what is not among the best is handed back`() {
        var best = TopK(2)
        #expect(best.insert(1, at: 0) == nil)
        #expect(best.insert(3, at: 1) == nil)
        #expect(best.insert(0, at: 2) == 2)
        #expect(best.insert(1, at: 3) == 3, "the first of equals stays")
        #expect(best.insert(2, at: 4) == 0)
        #expect(best.hits.map(\.index) == [1, 4])
    }

    @Test func `a NaN is worse than every number`() {
        var best = TopK(3)
        for (index, score) in [Float.nan, -.infinity, .nan, 1].enumerated() { best.insert(score, at: index) }
        #expect(best.hits.map(\.index) == [3, 1, 0])
    }

    @Test func `the nearest embeddings come first`() async throws {
        let embedder = try Embedder(file: Fixture.model("tiny-embed-F32"))
        let documents = try await embedder.embed(["a", "b c", "d e f", "b c"])
        let hits = documents[1].nearest(3, of: documents)
        #expect(hits.prefix(2).map(\.index) == [1, 3])
        #expect(hits[0].score == documents[1].dot(documents[1]))
        #expect(abs(documents[0].cosine(to: documents[2]) - documents[0].dot(documents[2])) < 1e-6)
    }
}
