// The cut and the unit length, on numbers that can be checked by hand.
import Testing

@testable import Q3Embedding

@Suite struct NormalizationTests {
    private static let cases: [(state: [Float], dimensions: Int, vector: [Float])] = [
        ([3, 4], 2, [0.6, 0.8]),
        ([3, 4, 12], 2, [0.6, 0.8]),  // cut first: dividing by 13 first would give 3/13, 4/13
        ([3, -4, 12], 3, [3 / 13, -4 / 13, 12 / 13]),
        ([-7, 1, 1], 1, [-1]),
        ([0, 0, 2], 3, [0, 0, 1]),
        ([3e38, 4e-38], 2, [1, 0]),
        ([3e-38, 4e-38], 2, [0.6, 0.8]),
        ([2e38, 2e38], 2, [0.70710677, 0.70710677]),
    ]

    @Test(arguments: cases) func `cuts then normalizes`(_ test: (state: [Float], dimensions: Int, vector: [Float]))
        throws
    {
        let vector = try Embedding.normalized(test.state, dimensions: test.dimensions)
        #expect(vector.count == test.vector.count)
        for (got, expected) in zip(vector, test.vector) { #expect(abs(got - expected) < 1e-6) }
    }

    private static let refused: [(state: [Float], dimensions: Int, error: EmbeddingError)] = [
        ([0, 0], 2, .zeroNorm),
        ([0, 5], 1, .zeroNorm),
        ([1, .nan], 2, .nonFinite(dimension: 1)),
        ([1, 2, .infinity], 1, .nonFinite(dimension: 2)),  // damage outside the cut is damage
        ([-.infinity], 1, .nonFinite(dimension: 0)),
    ]

    @Test(arguments: refused) func `refuses`(_ test: (state: [Float], dimensions: Int, error: EmbeddingError)) {
        #expect(throws: test.error) { try Embedding.normalized(test.state, dimensions: test.dimensions) }
    }
}
