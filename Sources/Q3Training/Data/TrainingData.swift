// What a model is tuned on: queries, and the passages that answer them or do not, each text once.
import Q3System

/// Queries and passages; rows are counted from 0.
///
///     var data = TrainingData()
///     data.add(query: "how do I renew a token", positives: [renewal], negatives: [revocation])
///
/// The same query may be added again, with further passages.
public struct TrainingData: Sendable {
    /// Which side of the split a query was given for.
    public enum Part: Sendable, Equatable {
        /// It may be learned from.
        case training
        /// It is only measured on.
        case heldOut
    }

    /// A query and its passages.
    public struct Query: Sendable, Equatable {
        /// The text, without its instruction.
        public let text: String
        /// The instruction that it came with; nil for the one of all queries.
        public let instruction: String?
        /// The side that it was given for; nil to let the split decide.
        public let part: Part?
        /// Rows of the passages that answer it, in the order of the input.
        public fileprivate(set) var positives: [Int] = []
        /// Rows of passages that are near and do not answer it.
        public fileprivate(set) var negatives: [Int] = []
        /// Where it stands, for messages.
        public let place: String
        /// Number of the record that it came from first, in all of the input.
        public let record: Int
    }

    /// Different queries, in the order of the input.
    public private(set) var queries: [Query] = []
    /// Different passages, in the order of the input.
    public private(set) var passages: [String] = []
    private var queryRows: [QueryKey: Int] = [:]
    private var passageRows: [ExactText: Int] = [:]

    private struct QueryKey: Hashable {
        let text: ExactText
        let instruction: ExactText?
        let part: Part?
    }

    /// Data without queries yet.
    public init() {}

    /// Adds a query, or passages to one that is there. `place` and `record` say where it came from. Returns its row.
    @discardableResult
    public mutating func add(
        query text: String, instruction: String? = nil, part: Part? = nil, positives: [String],
        negatives: [String] = [],
        place: String? = nil, record: Int? = nil
    ) -> Int {
        let key = QueryKey(text: ExactText(text), instruction: instruction.map(ExactText.init), part: part)
        let row = queryRows[key] ?? queries.count
        if row == queries.count {
            queryRows[key] = row
            queries.append(
                Query(
                    text: text, instruction: instruction, part: part, place: place ?? "query \(row + 1)",
                    record: record ?? row))
        }
        for text in positives {
            let passage = add(passage: text)
            if !queries[row].positives.contains(passage) { queries[row].positives.append(passage) }
        }
        for text in negatives {
            let passage = add(passage: text)
            if !queries[row].negatives.contains(passage) { queries[row].negatives.append(passage) }
        }
        return row
    }

    /// Adds a passage that answers nothing yet, for the queries to be measured against. Returns its row, which is that of the
    /// same text where it is there already.
    @discardableResult
    public mutating func add(passage text: String) -> Int {
        if let row = passageRows[ExactText(text)] { return row }
        passageRows[ExactText(text)] = passages.count
        passages.append(text)
        return passages.count - 1
    }

    /// The row of a passage, nil where it is not there.
    public func row(ofPassage text: String) -> Int? { passageRows[ExactText(text)] }

    /// Drops queries that nothing answers, as those of which only negatives are known. Returns their places.
    public mutating func dropUnanswered() -> [String] {
        let dropped = queries.filter(\.positives.isEmpty).map(\.place)
        queries.removeAll(where: \.positives.isEmpty)
        queryRows = [:]
        for (row, query) in queries.enumerated() {
            let instruction = query.instruction.map(ExactText.init)
            queryRows[QueryKey(text: ExactText(query.text), instruction: instruction, part: query.part)] = row
        }
        return dropped
    }

    /// What is learned from the data.
    public enum Use: Sendable {
        /// To bring queries near to passages.
        case embedding
        /// To judge pairs of a query and a passage.
        case reranking
    }

    /// Throws `noQueries`, `noPositive`, `contradiction` and `oneClass` for data that nothing can be learned from.
    public func check(for use: Use) throws(TrainingError) {
        guard !queries.isEmpty else { throw .noQueries }
        var positives: Set<Int> = []
        for query in queries {
            guard !query.positives.isEmpty else { throw .noPositive(place: query.place) }
            if let both = query.positives.first(where: query.negatives.contains) {
                throw .contradiction(place: query.place, passage: passages[both])
            }
            positives.formUnion(query.positives)
        }
        switch use {
        case .embedding:
            guard positives.count > 1 || queries.contains(where: { !$0.negatives.isEmpty }) else {
                throw .oneClass("all queries have the same answer and no negatives")
            }
        case .reranking:
            guard queries.contains(where: { !$0.negatives.isEmpty }) || positives.count > 1 else {
                throw .oneClass("all pairs are answers, and no other passage can stand for a wrong one")
            }
        }
    }
}
