// How good rankings are: nDCG, average precision, recall, precision, reciprocal rank and hit rate at a number of cuts.
import Q3System

/// Means over queries, as trec_eval (which BEIR and MTEB call through pytrec_eval) computes them.
///
/// A grade above 0 is relevant. Gains are the grades themselves, discounted by log2(1 + rank); the ideal ranking and the
/// denominators of recall and average precision know all graded documents, found or not. A query without a relevant
/// document counts as 0.
package struct RetrievalScores: Sendable, Equatable {
    /// MTEB's cuts.
    package static let cuts = [1, 3, 5, 10, 20, 100, 1000]

    package enum Measure: String, CaseIterable, Sendable {
        case ndcg, map, recall, precision, mrr
        case hitRate = "hit_rate"
    }

    /// [measure][cut]
    private var sums = [Measure: [Double]]()
    package private(set) var queryCount = 0

    package init() {
        for measure in Measure.allCases { sums[measure] = [Double](repeating: 0, count: Self.cuts.count) }
    }

    /// Counts one query: its documents' grades in the order they were ranked, and all grades it has anywhere.
    package mutating func add(ranked: [Int], judged: [Int]) {
        queryCount += 1
        let relevantCount = judged.count { $0 > 0 }
        guard relevantCount > 0 else { return }
        let ideal = judged.sorted(by: >)
        for (index, cut) in Self.cuts.enumerated() {
            let top = ranked.prefix(cut)
            let found = top.count { $0 > 0 }
            add(.ndcg, index, Self.discountedGain(top) / Self.discountedGain(ideal.prefix(cut)))
            add(.map, index, Self.precisionSum(top) / Double(relevantCount))
            add(.recall, index, Double(found) / Double(relevantCount))
            add(.precision, index, Double(found) / Double(cut))
            add(.mrr, index, top.firstIndex { $0 > 0 }.map { 1 / Double($0 + 1) } ?? 0)
            add(.hitRate, index, found > 0 ? 1 : 0)
        }
    }

    /// The mean of a measure at one of the cuts; 0 without queries.
    package subscript(measure: Measure, at cut: Int) -> Double {
        guard let index = Self.cuts.firstIndex(of: cut), let sum = sums[measure]?[index] else { return 0 }
        return queryCount > 0 ? sum / Double(queryCount) : 0
    }

    private mutating func add(_ measure: Measure, _ cut: Int, _ value: Double) {
        sums[measure]?[cut] += value
    }

    private static func discountedGain(_ grades: ArraySlice<Int>) -> Double {
        zip(1..., grades).reduce(0) { $1.1 > 0 ? $0 + Double($1.1) / log2(Double($1.0) + 1) : $0 }
    }

    /// The sum of the precisions at the ranks of relevant documents.
    private static func precisionSum(_ grades: ArraySlice<Int>) -> Double {
        var (sum, found) = (0.0, 0)
        for (rank, grade) in zip(1..., grades) where grade > 0 {
            found += 1
            sum += Double(found) / Double(rank)
        }
        return sum
    }
}
