// InfoNCE as Qwen3-Embedding is trained with it: in-batch and mined negatives, those that may be answers masked.
import Q3Kernels
import Q3System

/// One example of a batch: a query and a passage that answers it, by their rows in the batch.
public struct ContrastiveExample: Sendable, Equatable {
    /// Row of the query.
    public let query: Int
    /// Row of the passage that answers it.
    public let positive: Int
    /// Rows of its mined negatives.
    public let negatives: [Int]
    /// Rows of other passages that answer it too, which are never negatives.
    public let otherAnswers: [Int]

    /// An example.
    public init(query: Int, positive: Int, negatives: [Int] = [], otherAnswers: [Int] = []) {
        (self.query, self.positive, self.negatives, self.otherAnswers) = (query, positive, negatives, otherAnswers)
    }
}

/// The loss of a batch and its gradients.
public struct ContrastiveLoss: Sendable {
    /// Mean over the examples.
    public let value: Double
    /// [queries, columns], the slope of the loss for every value of a query.
    public let queryGradient: [Double]
    /// [passages, columns]
    public let passageGradient: [Double]
}

/// The loss -log(exp(s⁺/τ) / Z) of each example, where s is the cosine and Z sums exp(s/τ) over the positive and all negatives
/// that are not masked.
///
/// Negatives of an example are its mined ones, the passages of other examples, and, as in the report on Qwen3-Embedding
/// (section 3.1), the other queries (compared with its query) and the answers of others (compared with its answer). One is left
/// out where its score exceeds that of the positive by more than `margin`, and where it is an answer of the query. Which are
/// left out has no gradient.
///
/// Rows need no unit length: scaling is part of the loss. With several `dimensions` it is the mean of the losses of the vectors
/// cut to each, by their weights (Matryoshka representation learning).
public struct InfoNCE: Sendable, Equatable {
    /// What cosines are divided by.
    public var temperature = 0.05
    /// How much better than the positive a negative may look before it is taken for an answer; nil masks none by their scores.
    public var margin: Double? = 0.1
    /// Whether queries of other examples are negatives of a query.
    public var comparesQueries = true
    /// Whether answers of other examples are negatives of an answer.
    public var comparesAnswers = true
    /// Whether mined negatives of other examples are negatives too, as in sentence-transformers.
    public var sharesNegatives = true
    /// Values of the vectors that are compared, and the weight of each; none is all values.
    public var dimensions: [(count: Int, weight: Double)] = []

    /// As in the report, with a temperature of 0.05.
    public init() {}

    public static func == (a: InfoNCE, b: InfoNCE) -> Bool {
        a.temperature == b.temperature && a.margin == b.margin && a.comparesQueries == b.comparesQueries
            && a.comparesAnswers == b.comparesAnswers && a.sharesNegatives == b.sharesNegatives
            && a.dimensions.elementsEqual(b.dimensions, by: ==)
    }

    /// Loss and gradients of a batch: `queries` [queries, columns] and `passages` [passages, columns], row-major. Sums run in a
    /// fixed order, so the bits are the same for any number of threads.
    ///
    /// Call it where `InferenceThread` runs its jobs: it starts a team of threads.
    ///
    /// Without `needsPassageGradient` that of the passages is left zero: where only queries are learned.
    package func callAsFunction(
        queries: [Double], passages: [Double], columns: Int, examples: [ContrastiveExample], threads: Int,
        needsPassageGradient: Bool = true
    ) -> ContrastiveLoss {
        precondition(
            !examples.isEmpty && queries.count.isMultiple(of: columns) && passages.count.isMultiple(of: columns))
        let cuts = dimensions.isEmpty ? [(count: columns, weight: 1)] : dimensions
        precondition(cuts.allSatisfy { 1...columns ~= $0.count }, "dimensions of the vectors")
        let weights = cuts.reduce(0) { $0 + $1.weight }
        var value = 0.0
        var queryGradient = [Double](repeating: 0, count: queries.count)
        var passageGradient = [Double](repeating: 0, count: passages.count)
        for (count, weight) in cuts {
            let q = UnitRows(queries, columns: columns, kept: count)
            let p = UnitRows(passages, columns: columns, kept: count)
            let pass = InfoNCEPass(self, q, p, examples, threads, needsPassageGradient)
            let part = weight / weights
            value += part * pass.loss
            q.addGradient(of: pass.queryGradient, times: part, to: &queryGradient)
            if let slopes = pass.passageGradient { p.addGradient(of: slopes, times: part, to: &passageGradient) }
        }
        return ContrastiveLoss(value: value, queryGradient: queryGradient, passageGradient: passageGradient)
    }
}

/// The loss of vectors cut to one number of values, and its slopes for the unit vectors.
private struct InfoNCEPass {
    let loss: Double
    let queryGradient: RowMatrix
    /// Nil where it is not needed.
    let passageGradient: RowMatrix?

    init(
        _ options: InfoNCE, _ queries: UnitRows, _ passages: UnitRows, _ examples: [ContrastiveExample], _ threads: Int,
        _ needsPassageGradient: Bool
    ) {
        let (q, p) = (queries.rows, passages.rows)
        // The scores of all pairs; those of answers with answers only for rows that are answers.
        let scores = RowMatrix(products: q, p, threads: threads)
        let queryScores = options.comparesQueries ? RowMatrix(products: q, q, threads: threads) : nil
        let answers = Array(Set(examples.map(\.positive))).sorted()
        let answerRows = p.picking(answers)
        let answerScores = options.comparesAnswers ? RowMatrix(products: answerRows, answerRows, threads: threads) : nil
        let answerNumbers = Dictionary(uniqueKeysWithValues: zip(answers, 0...))

        var slopes = RowMatrix(zeros: q.count, columns: p.count)
        var querySlopes = RowMatrix(zeros: q.count, columns: options.comparesQueries ? q.count : 0)
        var answerSlopes = RowMatrix(zeros: answers.count, columns: options.comparesAnswers ? answers.count : 0)
        let mined = Set(examples.flatMap(\.negatives))
        let common = (0..<p.count).filter { answerNumbers[$0] != nil || options.sharesNegatives && mined.contains($0) }
        let answersOfQuery = Dictionary(examples.map { ($0.query, Set([$0.positive] + $0.otherAnswers)) }) {
            $0.union($1)
        }
        var total = 0.0
        for example in examples {
            let own = answersOfQuery[example.query] ?? []
            let positive = scores[example.query, example.positive]
            let limit = options.margin.map { positive + $0 } ?? .infinity
            let candidates = Array(Set(common + example.negatives)).sorted().filter {
                !own.contains($0) && scores[example.query, $0] <= limit
            }
            var others: [Int] = []
            if let queryScores {
                others = (0..<q.count).filter { other in
                    other != example.query && queryScores[example.query, other] <= limit
                        && answersOfQuery[other]?.isDisjoint(with: own) ?? true
                }
            }
            var rivals: [Int] = []
            let number = answerNumbers[example.positive] ?? 0
            if let answerScores {
                rivals = answers.indices.filter { !own.contains(answers[$0]) && answerScores[number, $0] <= limit }
            }
            let logits =
                [positive] + candidates.map { scores[example.query, $0] }
                + others.map { queryScores?[example.query, $0] ?? 0 } + rivals.map { answerScores?[number, $0] ?? 0 }
            let highest = logits.max() ?? positive
            let weights = logits.map { exp(($0 - highest) / options.temperature) }
            let sum = weights.reduce(0, +)
            total += log(sum) + (highest - positive) / options.temperature
            let factor = 1 / (options.temperature * Double(examples.count))
            let shares = weights.map { $0 / sum * factor }
            slopes[example.query, example.positive] += shares[0] - factor
            var next = 1
            for candidate in candidates {
                slopes[example.query, candidate] += shares[next]
                next += 1
            }
            for other in others {
                querySlopes[example.query, other] += shares[next]
                next += 1
            }
            for rival in rivals {
                answerSlopes[number, rival] += shares[next]
                next += 1
            }
        }
        loss = total / Double(examples.count)

        var queryGradient = RowMatrix(sums: slopes, of: p, threads: threads)
        if options.comparesQueries {
            queryGradient.add(RowMatrix(sums: querySlopes.withTransposeAdded, of: q, threads: threads))
        }
        self.queryGradient = queryGradient
        guard needsPassageGradient else {
            passageGradient = nil
            return
        }
        var passageGradient = RowMatrix(sums: slopes.transposed, of: q, threads: threads)
        if options.comparesAnswers {
            let part = RowMatrix(sums: answerSlopes.withTransposeAdded, of: answerRows, threads: threads)
            for (number, row) in answers.enumerated() { passageGradient.add(part, row: number, to: row) }
        }
        self.passageGradient = passageGradient
    }
}

/// Rows cut to their first values and scaled to unit length, and what the scaling does to a gradient.
private struct UnitRows {
    let rows: RowMatrix
    private let columns: Int
    private let kept: Int
    private let lengths: [Double]

    init(_ values: [Double], columns: Int, kept: Int) {
        self.columns = columns
        self.kept = kept
        let count = values.count / columns
        var rows = RowMatrix(zeros: count, columns: kept)
        var lengths: [Double] = []
        for row in 0..<count {
            let cut = values[row * columns..<row * columns + kept]
            let length = cut.reduce(0) { $0 + $1 * $1 }.squareRoot()
            lengths.append(length)
            // A row of zeros has no direction; it stays, and gets no gradient.
            for (column, value) in cut.enumerated() where length > 0 { rows[row, column] = value / length }
        }
        (self.rows, self.lengths) = (rows, lengths)
    }

    /// Adds (g - u (u · g)) / |x| of each row.
    func addGradient(of unit: RowMatrix, times weight: Double, to gradient: inout [Double]) {
        for row in 0..<rows.count where lengths[row] > 0 {
            let along = rows.dot(row, unit, row)
            for column in 0..<kept {
                let slope = (unit[row, column] - rows[row, column] * along) / lengths[row]
                gradient[row * columns + column] += weight * slope
            }
        }
    }
}
