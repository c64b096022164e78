// The batch trie: hand-made batches row by row, and random ones whose paths must spell their lists.

import Q3Kernels
import TestSupport
import Testing

@testable import Q3Model

struct BatchTrieTests {
    private func trie(_ lists: [[Int32]], sharing: Bool = true) -> BatchTrie {
        BatchTrie(lists.map { $0[...] }, sharing: sharing)
    }

    @Test func `one list is one run`() {
        let trie = trie([[7, 8, 9]])
        #expect(trie.tokens == [7, 8, 9])
        #expect(trie.positions == [0, 1, 2])
        #expect(trie.runs == [TokenRun(parent: nil, position: 0, row: 0, count: 3)])
        #expect(trie.pooled == [.init(run: 0, offset: 2, row: 2)])
    }

    /// A double adds no row, a list that goes on adds a run under it, one that parts leaves it in the middle.
    @Test func `lists that share a prefix share its rows`() {
        let trie = trie([[1, 2, 3], [1, 2, 3], [1, 2, 3, 4], [1, 2, 5], [1, 6], [9]])
        #expect(trie.tokens == [1, 2, 3, 4, 5, 6, 9])
        #expect(trie.positions == [0, 1, 2, 3, 2, 1, 0])
        #expect(
            trie.runs == [
                TokenRun(parent: nil, position: 0, row: 0, count: 3),
                TokenRun(parent: 0, position: 3, row: 3, count: 1),
                TokenRun(parent: 0, position: 2, row: 4, count: 1), TokenRun(parent: 0, position: 1, row: 5, count: 1),
                TokenRun(parent: nil, position: 0, row: 6, count: 1),
            ])
        #expect(
            trie.pooled == [
                .init(run: 0, offset: 2, row: 2), .init(run: 0, offset: 2, row: 2), .init(run: 1, offset: 0, row: 3),
                .init(run: 2, offset: 0, row: 4), .init(run: 3, offset: 0, row: 5), .init(run: 4, offset: 0, row: 6),
            ])
    }

    @Test func `without sharing every list has its own rows`() {
        let trie = trie([[1, 2], [1, 2], [1, 2, 3]], sharing: false)
        #expect(trie.tokens == [1, 2, 1, 2, 1, 2, 3])
        #expect(trie.positions == [0, 1, 0, 1, 0, 1, 2])
        #expect(trie.runs.allSatisfy { $0.parent == nil && $0.position == 0 })
        #expect(trie.pooled.map(\.row) == [1, 3, 6])
    }

    @Test func `queries cover a block`() {
        let trie = trie([[1, 2, 3, 4, 5], [1, 2, 9, 9, 9], [8]])  // runs of 5, 3 and 1 rows
        #expect(
            trie.queries(in: 0..<9, limit: 2) == [
                AttentionQuery(run: 0, first: 0, count: 2, row: 0), AttentionQuery(run: 0, first: 2, count: 2, row: 2),
                AttentionQuery(run: 0, first: 4, count: 1, row: 4), AttentionQuery(run: 1, first: 0, count: 2, row: 5),
                AttentionQuery(run: 1, first: 2, count: 1, row: 7), AttentionQuery(run: 2, first: 0, count: 1, row: 8),
            ])
        #expect(
            trie.queries(in: 3..<7, limit: 100) == [
                AttentionQuery(run: 0, first: 3, count: 2, row: 0), AttentionQuery(run: 1, first: 0, count: 2, row: 2),
            ])
    }

    /// Random lists over few tokens, so that they share much: each path spells its list, no two rows are one prefix,
    /// and parents come before children.
    @Test(arguments: 1...60)
    func `paths through the trie spell their lists`(_ seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let lists = randomLists(&random).sorted { $0.lexicographicallyPrecedes($1) }
        let trie = trie(lists)
        #expect(lists.indices.allSatisfy { spelled(trie, trie.pooled[$0]) == lists[$0] })
        #expect(trie.tokens.count == Set(lists.flatMap { list in (1...list.count).map { list.prefix($0) } }).count)
        #expect(
            trie.runs.enumerated().allSatisfy { index, run in run.parent.map { $0 < index } ?? (run.position == 0) })
        for index in trie.runs.indices {
            let rows = trie.runs[index].row..<trie.runs[index].row + trie.runs[index].count
            #expect(
                trie.positions[rows].elementsEqual(
                    (0..<Int32(rows.count)).map { $0 + Int32(trie.runs[index].position) }))
        }
        let plain = self.trie(lists, sharing: false)
        #expect(lists.indices.allSatisfy { spelled(plain, plain.pooled[$0]) == lists[$0] })
        // Blocks of any size: every row asks once.
        let size = Int.random(in: 1...40, using: &random)
        var asked = [Int](repeating: 0, count: trie.tokens.count)
        for first in stride(from: 0, to: asked.count, by: size) {
            for query in trie.queries(in: first..<min(first + size, asked.count), limit: 3) {
                #expect(query.count <= 3 && trie.runs[query.run].row + query.first == first + query.row)
                for row in 0..<query.count { asked[first + query.row + row] += 1 }
            }
        }
        #expect(asked == [Int](repeating: 1, count: asked.count))
    }

    /// The same with prefixes of some lists in a cache: their rows are not computed, and all pooled ones are.
    @Test(arguments: 1...60)
    func `cached prefixes are not computed`(_ seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let lists = randomLists(&random).sorted { $0.lexicographicallyPrecedes($1) }
        var cached: [BatchTrie.Cached] = []
        for list in lists where list.count > 1 && Bool.random(using: &random) {
            let length = Int.random(in: 1..<list.count, using: &random)
            let tokens = list.prefix(length) + random.ids(Int.random(in: 0...4, using: &random), below: 3)
            let entry = try #require(PrefixCache.Entry(tokens: Array(tokens), layerCount: 1, width: 32))
            cached.append(BatchTrie.Cached(entry: entry, length: length))
        }
        let trie = BatchTrie(lists.map { $0[...] }, sharing: true, cached: cached)
        #expect(lists.indices.allSatisfy { spelled(trie, trie.pooled[$0]) == lists[$0] })
        #expect(trie.pooled.allSatisfy { $0.row < trie.tokens.count })
        #expect(
            trie.runs.enumerated().allSatisfy { index, run in run.parent.map { $0 < index } ?? (run.position == 0) })
        #expect(trie.keyRows == trie.tokens.count + trie.fills.reduce(0) { $0 + $1.rows.count })
        // A row is computed for each beginning that is not cached, or that is a list of its own.
        let beginnings = Set(lists.flatMap { list in (1...list.count).map { list.prefix($0) } })
        let known = Set(cached.flatMap { item in (1...item.length).map { item.entry.tokens.prefix($0) } })
        #expect(trie.tokens.count >= beginnings.subtracting(known).count)
        #expect(trie.tokens.count <= beginnings.count)
        let rows = trie.queries(in: 0..<trie.tokens.count, limit: 5).flatMap { $0.row..<$0.row + $0.count }
        #expect(rows == Array(0..<trie.tokens.count))
    }

    /// The tokens from the root to a pooled one, those of cached rows from their entries.
    private func spelled(_ trie: BatchTrie, _ pooled: BatchTrie.Pooled) -> [Int32] {
        let rows = trie.rows(to: pooled, length: trie.runs[pooled.run].position + pooled.offset + 1)
        return rows.enumerated().map { position, row in
            if row < trie.tokens.count { return trie.positions[row] == position ? trie.tokens[row] : -1 }
            guard let fill = trie.fills.first(where: { $0.rows.contains(row) }) else { return -1 }
            let source = fill.source.lowerBound + row - fill.rows.lowerBound
            return source == position ? fill.entry.tokens[source] : -1
        }
    }
}

/// Up to 40 lists of up to 30 tokens that are 0, 1 or 2, some of them doubles.
func randomLists(_ random: inout SeededGenerator) -> [[Int32]] {
    var lists: [[Int32]] = []
    for _ in 0..<Int.random(in: 1...40, using: &random) {
        let start = lists.randomElement(using: &random)?.prefix(Int.random(in: 0...30, using: &random)) ?? []
        let rest = random.ids(Int.random(in: start.isEmpty ? 1...8 : 0...8, using: &random), below: 3)
        lists.append(Array(start) + rest)
    }
    return lists
}
