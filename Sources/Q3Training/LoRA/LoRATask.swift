// What a model is taught: vectors that tell answers from other passages, or scores that do.
import Q3Eval
import Q3Linear
import Q3Model
import Q3System

/// Texts as token lists, examples that steps learn from, their loss, and scores on queries that were kept aside.
package protocol LoRATask: Sendable {
    /// Every text that is computed, each once.
    var lists: [[Int32]] { get }
    /// Examples of the training queries.
    var exampleCount: Int { get }

    /// The texts that a batch of examples needs, each once.
    func texts(of examples: [Int]) -> [Int]

    /// The loss of a batch, and its gradient for the states [texts, hiddenSize] of `texts(of:)`, row-major. To be
    /// called on the inference thread.
    func loss(of examples: [Int], states: [Float], threads: Int) -> (value: Double, gradient: [Double])

    /// The text of each query; none where a query is no text of its own.
    var queryTexts: [Int] { get }

    /// The texts that the scores of a part need.
    func texts(of part: LoRAPart) -> [Int]

    /// The scores of a part's queries, from the states [texts, hiddenSize] of `texts(of: part)`.
    func scores(of part: LoRAPart, states: [Float], threads: Int) async throws -> QueryScores
}

/// Queries that scores are of.
package enum LoRAPart: Sendable {
    /// Those that choose the best step.
    case validation
    /// Those that figures are of.
    case heldOut
}

/// Collects token lists, each once.
struct TokenLists {
    private(set) var lists: [[Int32]] = []
    private var numbers: [[Int32]: Int] = [:]

    mutating func add(_ list: [Int32]) -> Int {
        if let number = numbers[list] { return number }
        numbers[list] = lists.count
        lists.append(list)
        return lists.count - 1
    }
}

extension [Int] {
    /// Each number once, in the order of the first ones.
    func uniqued() -> [Int] {
        var seen: Set<Int> = []
        return filter { seen.insert($0).inserted }
    }
}

/// Teaches vectors, by InfoNCE.
package struct EmbeddingTask: LoRATask {
    package let lists: [[Int32]]
    private let data: TrainingData
    private let split: DataSplit
    private let contrast: InfoNCE
    private let queryLists, passageLists: [Int]
    private let examples: [(query: Int, positive: Int)]
    private let negativeLimit: Int
    private let validationPassages: [Int]

    /// Passages that validation queries are searched in, besides their own: enough to tell steps apart, few enough to
    /// compute often.
    private static let otherPassages = 500

    /// `ids` are the tokens of each query with its instruction, and of each passage.
    package init(
        _ data: TrainingData, split: DataSplit, queryIDs: [[Int32]], passageIDs: [[Int32]], negatives: Int,
        loss: InfoNCE
    ) {
        var lists = TokenLists()
        queryLists = queryIDs.map { lists.add($0) }
        passageLists = passageIDs.map { lists.add($0) }
        self.lists = lists.lists
        self.data = data
        self.split = split
        contrast = loss
        negativeLimit = negatives
        examples = split.training.flatMap { query in data.queries[query].positives.map { (query, $0) } }
        let own = Set(split.validation.flatMap { data.queries[$0].positives + data.queries[$0].negatives })
        let others = data.passages.indices.filter { !own.contains($0) }
        let step = max(1, others.count / Self.otherPassages)
        validationPassages = own.sorted() + stride(from: 0, to: others.count, by: step).map { others[$0] }
    }

    package var exampleCount: Int { examples.count }

    package var queryTexts: [Int] { queryLists }

    /// Rows of the batch's queries and passages among `texts(of:)`: queries come first.
    private func rows(of batch: [Int]) -> (queries: [Int], passages: [Int]) {
        let chosen = batch.map { examples[$0] }
        let queries = chosen.map(\.query).uniqued()
        let passages =
            (chosen.map(\.positive) + chosen.flatMap { data.queries[$0.query].negatives.prefix(negativeLimit) })
            .uniqued()
        return (queries, passages)
    }

    package func texts(of batch: [Int]) -> [Int] {
        let (queries, passages) = rows(of: batch)
        return (queries.map { queryLists[$0] } + passages.map { passageLists[$0] }).uniqued()
    }

    package func loss(of batch: [Int], states: [Float], threads: Int) -> (value: Double, gradient: [Double]) {
        let (queries, passages) = rows(of: batch)
        let texts = texts(of: batch)
        let columns = states.count / texts.count
        let rowOfText = Dictionary(uniqueKeysWithValues: zip(texts, 0...))
        func gathered(_ lists: [Int]) -> [Double] {
            lists.flatMap { list in
                let row = rowOfText[list] ?? 0
                return states[row * columns..<(row + 1) * columns].map(Double.init)
            }
        }
        let queryRows = Dictionary(uniqueKeysWithValues: zip(queries, 0...))
        let passageRows = Dictionary(uniqueKeysWithValues: zip(passages, 0...))
        let contrasts = batch.map { number in
            let (query, positive) = examples[number]
            let all = data.queries[query]
            return ContrastiveExample(
                query: queryRows[query] ?? 0, positive: passageRows[positive] ?? 0,
                negatives: all.negatives.prefix(negativeLimit).compactMap { passageRows[$0] },
                otherAnswers: all.positives.filter { $0 != positive }.compactMap { passageRows[$0] })
        }
        let result = contrast(
            queries: gathered(queries.map { queryLists[$0] }), passages: gathered(passages.map { passageLists[$0] }),
            columns: columns, examples: contrasts, threads: threads)
        var gradient = [Double](repeating: 0, count: states.count)
        func add(_ part: [Double], _ lists: [Int]) {
            for (index, list) in lists.enumerated() {
                let row = rowOfText[list] ?? 0
                for column in 0..<columns { gradient[row * columns + column] += part[index * columns + column] }
            }
        }
        add(result.queryGradient, queries.map { queryLists[$0] })
        add(result.passageGradient, passages.map { passageLists[$0] })
        return (result.value, gradient)
    }

    private func queriesAndPassages(_ part: LoRAPart) -> (queries: [Int], passages: [Int]) {
        switch part {
        case .validation: (split.validation, validationPassages)
        case .heldOut: (split.heldOut, Array(data.passages.indices))
        }
    }

    package func texts(of part: LoRAPart) -> [Int] {
        let (queries, passages) = queriesAndPassages(part)
        return (queries.map { queryLists[$0] } + passages.map { passageLists[$0] }).uniqued()
    }

    package func scores(of part: LoRAPart, states: [Float], threads: Int) async throws -> QueryScores {
        let (queries, passages) = queriesAndPassages(part)
        let texts = texts(of: part)
        let columns = states.count / max(1, texts.count)
        let rowOfText = Dictionary(uniqueKeysWithValues: zip(texts, 0...))
        func matrix(_ lists: [Int]) throws -> VectorMatrix {
            try VectorMatrix(
                lists.map { list in
                    let row = rowOfText[list] ?? 0
                    return Array(states[row * columns..<(row + 1) * columns])
                }
            ).normalized()
        }
        let passageRows = Dictionary(uniqueKeysWithValues: zip(passages, 0...))
        let answers = queries.map { data.queries[$0].positives.compactMap { passageRows[$0] } }
        return try await QueryScores.measure(
            queries: matrix(queries.map { queryLists[$0] }), passages: matrix(passages.map { passageLists[$0] }),
            answers: answers, threads: threads)
    }
}

/// Teaches a reranker's answer yes or no, by the cross-entropy of the two.
package struct RerankTask: LoRATask {
    /// A query, a passage, and whether it answers.
    private struct Pair: Sendable {
        let list: Int
        let isAnswer: Bool
    }

    package let lists: [[Int32]]
    private let examples: [Pair]
    private let candidates: [LoRAPart: [[Pair]]]
    private let head: [Double]

    /// Passages that a query is measured on, its answers among them.
    private static let candidateCount = 16

    /// `head` is the row for yes less the row for no [hiddenSize]; `ids` gives the prompt of a query and a passage, by
    /// their numbers. A query with fewer than `negatives` has others drawn for it among the passages that do not answer
    /// it.
    package init(
        _ data: TrainingData, split: DataSplit, negatives: Int, seed: UInt64, head: [Double],
        ids: (_ query: Int, _ passage: Int) throws -> [Int32]
    ) throws {
        var lists = TokenLists()
        func pairs(of query: Int, negativeCount: Int) throws -> [Pair] {
            let all = data.queries[query]
            let drawn = Self.negatives(of: all, query, count: negativeCount, among: data.passages.count, seed: seed)
            return try all.positives.map { Pair(list: lists.add(try ids(query, $0)), isAnswer: true) }
                + drawn.map { Pair(list: lists.add(try ids(query, $0)), isAnswer: false) }
        }
        examples = try split.training.flatMap { try pairs(of: $0, negativeCount: negatives) }
        let parts: [(LoRAPart, [Int])] = [(.validation, split.validation), (.heldOut, split.heldOut)]
        var candidates: [LoRAPart: [[Pair]]] = [:]
        for (part, queries) in parts {
            candidates[part] = try queries.map { query in
                let answers = data.queries[query].positives.count
                return try pairs(of: query, negativeCount: max(1, Self.candidateCount - answers))
            }
        }
        self.candidates = candidates
        self.lists = lists.lists
        self.head = head
    }

    /// The negatives that are given, then others that are drawn by the seed and the query's number.
    private static func negatives(
        of query: TrainingData.Query, _ number: Int, count: Int, among passages: Int, seed: UInt64
    ) -> [Int] {
        var chosen = Array(query.negatives.prefix(count))
        var random = SeededGenerator(seed: seed ^ UInt64(number + 1) &* 0x9E37_79B9_7F4A_7C15)
        var tries = 0
        while chosen.count < count, tries < 20 * count {
            tries += 1
            let passage = Int(random.next().multipliedFullWidth(by: UInt64(passages)).high)
            if !query.positives.contains(passage), !chosen.contains(passage) { chosen.append(passage) }
        }
        return chosen
    }

    package var exampleCount: Int { examples.count }

    package var queryTexts: [Int] { [] }

    package func texts(of batch: [Int]) -> [Int] { batch.map { examples[$0].list }.uniqued() }

    private func margin(_ states: [Float], _ row: Int) -> Double {
        var sum = 0.0
        for (index, weight) in head.enumerated() { sum += weight * Double(states[row * head.count + index]) }
        return sum
    }

    package func loss(of batch: [Int], states: [Float], threads: Int) -> (value: Double, gradient: [Double]) {
        let rowOfText = Dictionary(uniqueKeysWithValues: zip(texts(of: batch), 0...))
        var (value, gradient) = (0.0, [Double](repeating: 0, count: states.count))
        for number in batch {
            let row = rowOfText[examples[number].list] ?? 0
            let (loss, slope) = YesNoLoss.of(margin: margin(states, row), isYes: examples[number].isAnswer)
            value += loss / Double(batch.count)
            for (index, weight) in head.enumerated() {
                gradient[row * head.count + index] += slope * weight / Double(batch.count)
            }
        }
        return (value, gradient)
    }

    package func texts(of part: LoRAPart) -> [Int] { (candidates[part] ?? []).flatMap { $0.map(\.list) }.uniqued() }

    package func scores(of part: LoRAPart, states: [Float], threads: Int) async throws -> QueryScores {
        let rowOfText = Dictionary(uniqueKeysWithValues: zip(texts(of: part), 0...))
        var scores = QueryScores()
        for pairs in candidates[part] ?? [] {
            let margins = pairs.map { margin(states, rowOfText[$0.list] ?? 0) }
            // Answers come first in the list, so of equal margins the others go first.
            let order = pairs.indices.sorted { margins[$0] == margins[$1] ? $0 > $1 : margins[$0] > margins[$1] }
            scores.add(ranked: order.map { pairs[$0].isAnswer }, answerCount: pairs.count(where: \.isAnswer))
        }
        return scores
    }
}

/// The cross-entropy of a reranker's answer, -log P(yes or no), by the margin between their logits.
package enum YesNoLoss {
    /// The loss, and its slope for the margin.
    package static func of(margin: Double, isYes: Bool) -> (loss: Double, slope: Double) {
        let signed = isYes ? margin : -margin
        // log(1 + e^-x) without overflow on either side.
        let loss = max(-signed, 0) + log1p(exp(-abs(signed)))
        let wrong = signed >= 0 ? exp(-signed) / (1 + exp(-signed)) : 1 / (1 + exp(signed))
        return (loss, isYes ? -wrong : wrong)
    }
}
