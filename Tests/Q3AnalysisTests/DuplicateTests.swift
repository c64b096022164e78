// Near-duplicates beside those that comparing every pair one by one finds.
import Q3Linear
import Testing

@testable import Q3Analysis

@Suite struct DuplicateTests {
    /// All pairs above a threshold, one by one.
    private func pairs(_ rows: VectorMatrix, _ threshold: Float) -> [SimilarPair] {
        var found: [SimilarPair] = []
        for first in 0..<rows.count {
            for second in (first + 1)..<max(rows.count, first + 1) {
                let similarity = Float(rows.dot(first, rows, second))
                if similarity >= threshold {
                    found.append(SimilarPair(first: first, second: second, similarity: similarity))
                }
            }
        }
        return found.sorted(by: SimilarPair.precedes)
    }

    /// With short heads (clouds of 96 dimensions at 0.9, of which there are enough for a sample) and without.
    @Test(arguments: [(1540, 96, Float(0.1), Float(0.9)), (400, 33, 0.6, 0.7), (100, 1, 0.5, 0.99), (300, 64, 2, 0.3)])
    func `pairs and groups are those of comparing each with each`(
        _ count: Int, _ dimensions: Int, _ spread: Float, _ threshold: Float
    ) async throws {
        let rows = try Samples.clouds(count, dimensions, centers: count / 3, spread: spread, seed: 3).rows
        var options = DuplicateOptions()
        options.threshold = threshold
        options.pairLimit = 10_000_000
        let found = try await Duplicates.find(in: rows, options: options)
        let expected = pairs(rows, threshold)
        #expect(!expected.isEmpty && found.pairs == expected && !found.hasMorePairs)

        var sets = DisjointSets(count: count)
        for pair in expected { sets.merge(pair.first, pair.second) }
        let groups = try sets.groups()
        #expect(found.groups == groups)
        options.pairLimit = 0
        #expect(try await Duplicates.find(in: rows, options: options).groups == found.groups)
        options.pairLimit = 7
        let few = try await Duplicates.find(in: rows, options: options)
        #expect(few.pairs == Array(expected.prefix(7)) && few.hasMorePairs && few.groups == found.groups)
    }

    @Test func `heads are short where they suffice`() async throws {
        let rows = try Samples.random(1600, 256, seed: 1)
        let bounds = try await HeadBounds.pair(rows, rows, threshold: 0.9, threads: nil).left
        #expect(bounds.rows.columns < 128)
        for (a, b) in [(0, 1), (17, 1599), (5, 5)] {
            #expect(bounds.rows.dot(a, bounds.rows, b) >= rows.dot(a, rows, b) - 1e-6)
        }
    }

    @Test func `equal rows are one group, whatever their number`() async throws {
        let rows = try VectorMatrix([[Float]](repeating: [0.6, 0.8, 0], count: 5000) + [[0, 0, 1], [0, -0, 1]])
        var options = DuplicateOptions()
        options.pairLimit = 5
        let found = try await Duplicates.find(in: rows, options: options)
        #expect(found.groups == [Array(0..<5000), [5000, 5001]])
        #expect(found.pairs.map(\.second).sorted() == [1, 2, 3, 4, 5] && found.hasMorePairs)
    }

    @Test func `pairs of equal rows are listed with the others`() async throws {
        var random = try Samples.random(40, 8, seed: 9)
        random = try random.rows((0..<120).map { $0 % 40 })
        var options = DuplicateOptions()
        options.threshold = 0.5
        options.pairLimit = 100_000
        let found = try await Duplicates.find(in: random, options: options)
        #expect(found.pairs == pairs(random, 0.5))
    }

    @Test func `the same bits with any number of threads`() async throws {
        let rows = try Samples.clouds(700, 48, centers: 200, spread: 0.5, seed: 4).rows
        var options = DuplicateOptions()
        options.pairLimit = 100_000
        options.threads = 1
        let one = try await Duplicates.find(in: rows, options: options)
        options.threads = 3
        let three = try await Duplicates.find(in: rows, options: options)
        #expect(one.pairs == three.pairs && one.groups == three.groups && !one.pairs.isEmpty)
    }

    @Test func `what of one file is in another`() async throws {
        let all = try Samples.clouds(500, 40, centers: 130, spread: 0.4, seed: 8).rows
        let (mine, others) = (try all.rows(0..<170), try all.rows(170..<500))
        var options = DuplicateOptions()
        options.threshold = 0.85
        let found = try await Duplicates.overlap(of: mine, with: others, options: options)
        #expect(found.count == 170 && found.contains { $0 != nil } && found.contains { $0 == nil })
        for row in 0..<mine.count {
            let best = (0..<others.count).map { Float(mine.dot(row, others, $0)) }
            let largest = best.max() ?? -1
            #expect(found[row]?.similarity == (largest >= 0.85 ? largest : nil))
            #expect(found[row]?.second == (largest >= 0.85 ? best.firstIndex(of: largest) : nil))
        }
        await #expect(throws: LinearError.otherDimensions(40, 8)) {
            _ = try await Duplicates.overlap(of: mine, with: try Samples.random(3, 8, seed: 1))
        }
    }

    @Test func `one vector has no duplicates`() async throws {
        #expect(try await Duplicates.find(in: try VectorMatrix([[1, 0]])).groups.isEmpty)
    }

    @Test func `an error names the row and what is wrong with it`() throws {
        #expect(throws: LinearError.zeroVector(row: 1)) { _ = try VectorMatrix([[1, 0], [0, 0]]).normalized() }
        #expect(throws: LinearError.notFinite(row: 2)) {
            _ = try VectorMatrix([[1, 0], [0, 1], [.nan, 0]]).normalized()
        }
        #expect(throws: LinearError.notFinite(row: 0)) { _ = try VectorMatrix([[.infinity, 0]]).normalized() }
        #expect(throws: LinearError.dimensions(row: 1, expected: 2, got: 3)) {
            _ = try VectorMatrix([[1, 0], [1, 2, 3]])
        }
        #expect(throws: LinearError.badDimensions(0)) { _ = try VectorMatrix([]) }
        #expect(throws: LinearError.self) { _ = try VectorMatrixBuilder(dimensions: 65_536, capacity: 1 << 40) }
    }
}
