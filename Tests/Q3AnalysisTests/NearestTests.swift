// The nearest rows beside those of sums in double precision.
import Q3Embedding
import Testing

@testable import Q3Linear

@Suite struct NearestTests {
    @Test(arguments: [(300, 300, 64, 5), (10, 300, 700, 40), (1, 1, 1, 3)])
    func `the nearest rows are those of exact products`(
        _ queryCount: Int, _ count: Int, _ dimensions: Int, _ limit: Int
    ) async throws {
        let queries = try Samples.random(queryCount, dimensions, seed: 1)
        let rows = try Samples.random(count, dimensions, seed: 2)
        let found = try await NearestRows.find(limit, of: rows, to: queries)
        let candidates = try await NearestRows.candidates(limit, of: rows, to: queries)
        for query in 0..<queryCount {
            let exact = (0..<count).map { queries.dot(query, rows, $0) }
            let expected = exact.indices.sorted { exact[$0] > exact[$1] }.prefix(limit)
            #expect(found[query].count == expected.count)
            for (hit, row) in zip(found[query], expected) { #expect(abs(Double(hit.score) - exact[row]) < 1e-5) }
            #expect(Set(expected).isSubset(of: candidates[query]))
        }
    }

    @Test func `of equal rows the first come first, and a row is not its own neighbour`() async throws {
        let rows = try VectorMatrix([[Float]](repeating: [0.6, 0.8], count: 400))
        let found = try await NearestRows.find(3, of: rows, to: rows, skipsSelf: true)
        #expect(found[0].map(\.index) == [1, 2, 3] && found[399].map(\.index) == [0, 1, 2])
    }
}
