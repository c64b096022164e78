// Micro-batches: sorted groups that hold every list once and keep to the limit of distinct tokens.

import TestSupport
import Testing

@testable import Q3Model

struct MicroBatchesTests {
    private func groups(_ lists: [[Int32]], limit: Int, sharing: Bool = true) -> [[Int]] {
        MicroBatches(lists, tokenLimit: limit, sharing: sharing).groups
    }

    @Test func `groups keep to the limit and to the order`() {
        let lists: [[Int32]] = [[5, 6, 7], [1, 2, 3, 4], [1, 2, 3, 9], [1, 2], [5, 6, 7]]
        // In order: [1 2] 2, [1 2 3 4] +2, [1 2 3 9] +1, [5 6 7] +3, [5 6 7] +0.
        #expect(groups(lists, limit: 8) == [[3, 1, 2, 0, 4]])
        #expect(groups(lists, limit: 7) == [[3, 1, 2], [0, 4]])
        #expect(groups(lists, limit: 4) == [[3, 1], [2], [0, 4]])
        #expect(groups(lists, limit: 8, sharing: false) == [[3, 1], [2, 0], [4]])
    }

    @Test func `a list longer than the limit is a group of its own`() {
        let lists: [[Int32]] = [[1], [2, 2, 2, 2, 2], [3]]
        #expect(groups(lists, limit: 3) == [[0], [1], [2]])
        #expect(groups(lists, limit: 1) == [[0], [1], [2]])
        #expect(groups([], limit: 3).isEmpty)
        #expect(groups([[2, 2, 2, 2], [2, 2, 2, 2]], limit: 3) == [[0, 1]])
    }

    @Test(arguments: 1...60, [true, false])
    func `every list is in one group within the limit`(_ seed: Int, _ sharing: Bool) {
        var random = SeededGenerator(seed: UInt64(seed))
        let lists = randomLists(&random)
        let limit = Int.random(in: 1...100, using: &random)
        let groups = groups(lists, limit: limit, sharing: sharing)
        #expect(groups.flatMap { $0 }.sorted() == Array(lists.indices))
        for group in groups {
            let sorted = group.map { lists[$0] }
            #expect(zip(sorted, sorted.dropFirst()).allSatisfy { !$1.lexicographicallyPrecedes($0) })
            let rows = BatchTrie(sorted.map { $0[...] }, sharing: sharing).tokens.count
            #expect(rows <= limit || Set(sorted).count == 1)
        }
    }

    private static let sorted: [(lists: [[Int32]], counts: [Int])] = [
        ([], []), ([[1, 2, 3]], [3]), ([[1, 2, 3], [1, 2, 3], [1, 2, 4]], [3, 0, 1]),
        ([[1], [1, 2], [2, 1]], [1, 1, 2]),
    ]

    @Test(arguments: sorted) func `shared prefixes count once`(_ test: (lists: [[Int32]], counts: [Int])) {
        #expect(test.lists.newTokenCounts == test.counts)
    }
}
