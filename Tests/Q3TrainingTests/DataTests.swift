// Queries and passages, and the three parts that queries fall into.
import Q3Linear
import Testing

@testable import Q3Training

@Suite struct DataTests {
    /// `count` queries, each with an answer of its own.
    private func data(_ count: Int, part: TrainingData.Part? = nil) -> TrainingData {
        var data = TrainingData()
        for number in 0..<count {
            data.add(query: "question \(number)", part: part, positives: ["answer \(number)"])
        }
        return data
    }

    @Test func `a query that comes again gets further passages`() {
        var data = TrainingData()
        data.add(query: "a", positives: ["x"], negatives: ["y"])
        data.add(query: "a", positives: ["z", "x"], negatives: ["w"])
        data.add(query: "a", instruction: "another task", positives: ["x"])
        #expect(data.queries.count == 2 && data.passages == ["x", "y", "z", "w"])
        #expect(data.queries[0].positives == [0, 2] && data.queries[0].negatives == [1, 3])
        #expect(data.row(ofPassage: "z") == 2 && data.row(ofPassage: "q") == nil)
    }

    @Test func `texts that only look alike are two`() {
        var data = TrainingData()
        data.add(query: "caf\u{E9}", positives: ["x"])
        data.add(query: "cafe\u{301}", positives: ["x"])
        #expect(data.queries.count == 2)
    }

    @Test func `data that nothing can be learned from is refused`() {
        #expect(throws: TrainingError.noQueries) { try TrainingData().check(for: .embedding) }
        var data = TrainingData()
        data.add(query: "a", positives: ["x"])
        data.add(query: "b", positives: ["x"])
        #expect(throws: TrainingError.oneClass("all queries have the same answer and no negatives")) {
            try data.check(for: .embedding)
        }
        #expect(throws: TrainingError.self) { try data.check(for: .reranking) }
        data.add(query: "b", positives: [], negatives: ["y"])
        #expect(throws: Never.self) { try data.check(for: .embedding) }
        data.add(query: "c", positives: [], negatives: ["y"], place: "line 4")
        #expect(throws: TrainingError.noPositive(place: "line 4")) { try data.check(for: .embedding) }
        let dropped = data.dropUnanswered()
        #expect(dropped == ["line 4"] && data.queries.count == 2)
        data.add(query: "a", positives: ["y"], negatives: ["x"])
        #expect(throws: TrainingError.contradiction(place: "query 1", passage: "x")) { try data.check(for: .embedding) }
    }

    @Test func `parts are disjoint, of the size asked for, and the same in any order`() throws {
        let data = data(200)
        let split = try DataSplit(of: data)
        #expect(split.heldOut.count == 40 && split.validation.count == 16 && split.training.count == 144)
        #expect(Set(split.heldOut + split.validation + split.training).count == 200)
        var reversed = TrainingData()
        for query in data.queries.reversed() { reversed.add(query: query.text, positives: ["a \(query.text)"]) }
        let again = try DataSplit(of: reversed)
        #expect(
            Set(again.heldOut.map { reversed.queries[$0].text }) == Set(split.heldOut.map { data.queries[$0].text }))
        var options = DataSplit.Options()
        options.seed = 1
        #expect(try DataSplit(of: data, options: options).heldOut != split.heldOut)
    }

    @Test func `queries that differ in case and punctuation alone stay together`() throws {
        var data = data(60)
        for number in 0..<60 { data.add(query: "Question, \(number)?", positives: ["answer \(number)"]) }
        let split = try DataSplit(of: data)
        #expect(split.repeatedCount == 60)
        for part in [split.training, split.validation, split.heldOut] {
            #expect(part.allSatisfy { part.contains(($0 + 60) % 120) })
        }
    }

    @Test func `queries with a common answer are named, or stay together`() throws {
        var data = TrainingData()
        for number in 0..<100 { data.add(query: "question \(number)", positives: ["answer \(number / 2)"]) }
        #expect(!(try DataSplit(of: data).sharedAnswers.isEmpty))
        var options = DataSplit.Options()
        options.separatesAnswers = true
        #expect(try DataSplit(of: data, options: options).sharedAnswers.isEmpty)
    }

    @Test func `a leak between given parts stops with its places`() throws {
        var data = data(10, part: .training)
        data.add(query: "other", part: .heldOut, positives: ["x"], place: "test.jsonl, line 1")
        data.add(query: "another", part: .heldOut, positives: ["y"])
        #expect(try DataSplit(of: data).heldOut == [10, 11])
        data.add(query: "QUESTION  3!", part: .heldOut, positives: ["z"], place: "test.jsonl, line 3")
        #expect(throws: TrainingError.leak([.init(training: "query 4", heldOut: "test.jsonl, line 3")])) {
            try DataSplit(of: data)
        }
    }

    @Test func `held-out queries that are nearly learned from are found by their vectors`() async throws {
        let split = try DataSplit(of: data(40))
        // Each query has an axis of its own, but for two held-out ones that lie beside a training query.
        var rows = (0..<40).map { row in (0..<40).map { Float($0 == row ? 2 : 0) } }
        let (near, nearest, other) = (split.heldOut[1], split.heldOut[4], split.training[3])
        for (row, part) in [(near, Float(0.5)), (nearest, Float(0.25))] {
            rows[row] = rows[other]
            rows[row][row] = part
        }
        let found = try await NearQuery.find(split, queries: VectorMatrix(rows))
        #expect(found.map(\.heldOut) == [nearest, near] && found.allSatisfy { $0.training == other })
        #expect(abs(found[1].cosine - 2 / (4 + 0.25 as Double).squareRoot()) < 1e-6)
        #expect(try await NearQuery.find(split, queries: VectorMatrix(rows), leastCosine: 0.98).count == 1)
    }

    @Test func `too few queries are refused`() {
        #expect(throws: TrainingError.self) { try DataSplit(of: data(3)) }
        #expect(throws: TrainingError.self) { try DataSplit(of: TrainingData()) }
        var options = DataSplit.Options()
        options.heldOut = 1
        #expect(throws: TrainingError.self) { try DataSplit(of: data(30), options: options) }
    }
}
