// BPE against its definition, on merges that training would never make.

import TestSupport
import Testing

@testable import Q3Tokenizer

@Suite struct MergerTests {
    /// BPE as defined: while any pair merges, merge the leftmost pair of the lowest rank.
    private func reference(_ text: String, _ merges: [String]) -> [String] {
        var tokens = text.map { String($0) }
        while true {
            var best: (rank: Int, index: Int)? = nil
            for index in tokens.indices.dropLast() {
                guard let rank = merges.firstIndex(of: "\(tokens[index]) \(tokens[index + 1])") else { continue }
                if rank < best?.rank ?? .max { best = (rank, index) }
            }
            guard let best else { return tokens }
            tokens.replaceSubrange(best.index...best.index + 1, with: [tokens[best.index] + tokens[best.index + 1]])
        }
    }

    private func pieces(_ text: String, _ tokenizer: Tokenizer) -> [String] {
        tokenizer.encode(text).map { String(decoding: tokenizer.piece($0), as: UTF8.self) }
    }

    @Test func `A token that merging does not reach is not used for the text it spells`() throws {
        // "abc" is made of "ab" and "c", but in "abc" itself "b" and "c" merge first.
        let tokenizer = try HandMade(merges: ["b c", "a b", "ab c"]).load()
        for _ in 0..<2 { #expect(pieces("abc", tokenizer) == ["a", "bc"]) }
        #expect(pieces("ab", tokenizer) == ["ab"])
    }

    @Test func `Equal ranks go from left to right`() throws {
        let tokenizer = try HandMade(merges: ["a a"]).load()
        #expect(pieces("aaa", tokenizer) == ["aa", "a"])
        #expect(pieces(String(repeating: "a", count: 501), tokenizer) == [String](repeating: "aa", count: 250) + ["a"])
    }

    @Test(arguments: 0..<20)
    func `Random merges give what the definition gives`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        // Parts in any order of rank: also merges that come before the merges that make their parts.
        var tokens = ["a", "b", "c"]
        var merges: [String] = []
        while merges.count < 24 {
            let (left, right) = (tokens.randomElement(using: &random)!, tokens.randomElement(using: &random)!)
            guard left.count + right.count <= 12, !merges.contains("\(left) \(right)") else { continue }
            merges.append("\(left) \(right)")
            if !tokens.contains(left + right) { tokens.append(left + right) }
        }
        merges.shuffle(using: &random)
        let tokenizer = try HandMade(merges: merges).load()
        let limit = BytePairMerger.shortPieceByteLimit
        for length in [1, 2, 3, 5, 8, 13, 21, 40, limit - 1, limit, limit + 1, 300] {
            let text = String((0..<length).map { _ in "abc".randomElement(using: &random)! })
            #expect(pieces(text, tokenizer) == reference(text, merges), "\(merges) \(text)")
        }
    }

    @Test func `Ids beyond those that are remembered encode too`() throws {
        var made = HandMade(merges: ["a b"])
        let fillers = (0..<300_000).map { "[\($0)]" }
        made.tokens = HandMade.byteAlphabet + fillers + ["ab"]
        made.types = [Int32](repeating: 1, count: 256) + [Int32](repeating: 5, count: fillers.count) + [1]
        let tokenizer = try made.load()
        for _ in 0..<2 { #expect(tokenizer.encode("ab") == [300_256]) }
    }

    @Test func `The queue gives pairs by rank, then position, in whatever order they came`() {
        var random = SeededGenerator(seed: 7)
        var queue = RankQueue(capacity: 100)
        var expected: [UInt64] = []
        for step in 0..<20_000 {
            if step % 3 == 2 {
                expected.sort(by: >)
                let pair = queue.popFirst()
                #expect(pair.map { UInt64($0.rank) << 32 | UInt64($0.position) } == expected.popLast())
            } else {
                let rank = UInt32.random(in: 0..<500, using: &random)
                let position = Int32.random(in: 0..<1000, using: &random)
                queue.insert(rank: rank, position: position)
                expected.append(UInt64(rank) << 32 | UInt64(position))
            }
            if expected.count > 200 {
                while queue.popFirst() != nil {}
                expected = []
            }
        }
    }
}
