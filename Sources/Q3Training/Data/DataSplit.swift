// Queries to learn from, to choose the best step by, and to measure on: split by query, before anything else is done.
import Q3System

/// The three parts of the queries of a `TrainingData`.
///
/// Queries that differ only in case, punctuation or white space count as one and stay together. Which part a query falls into
/// depends on its text and the seed alone, so that data may grow or change its order, and what was measured on yesterday is
/// not learned from today.
public struct DataSplit: Sendable, Equatable {
    /// Queries that are learned from, by their rows.
    public let training: [Int]
    /// Queries that choose the best step, none where that was not asked for.
    public let validation: [Int]
    /// Queries that figures are of, which nothing was chosen by.
    public let heldOut: [Int]
    /// Queries that repeat another one but for case, punctuation and white space.
    public let repeatedCount: Int
    /// Held-out queries with an answer that a training query has too.
    public let sharedAnswers: [Int]

    /// The fewest queries of a part.
    public static let leastQueries = 2

    /// How queries are split.
    public struct Options: Sendable, Equatable {
        /// The part of all queries to measure on, where the data does not say which.
        public var heldOut = 0.2
        /// The part of the others to choose the best step by; 0 for none.
        public var validation = 0.1
        /// Whether queries with a common answer stay together too, so that no held-out query has an answer that was seen.
        public var separatesAnswers = false
        /// What the choice depends on beside the texts.
        public var seed: UInt64 = 0

        /// A fifth to measure on, and a tenth of the others to choose by.
        public init() {}
    }

    /// Splits the queries. Throws `noQueries`, `leak` where queries of both given parts are the same, `tooFewQueries`, and
    /// `badOption`.
    public init(of data: TrainingData, options: Options = Options()) throws(TrainingError) {
        guard options.heldOut > 0, options.heldOut < 1 else {
            throw .badOption(name: "the held-out part", reason: "must be above 0 and below 1, not \(options.heldOut)")
        }
        guard options.validation >= 0, options.validation < 1 else {
            throw .badOption(name: "the validation part", reason: "must be 0 to 1, not \(options.validation)")
        }
        let queries = data.queries
        guard !queries.isEmpty else { throw .noQueries }
        let keys = queries.map { Self.normalized($0.text) }
        let given = queries.indices.filter { queries[$0].part == .heldOut }
        try Self.checkLeaks(queries, keys)
        repeatedCount = keys.count - Set(keys).count

        let open = given.isEmpty ? Array(queries.indices) : queries.indices.filter { queries[$0].part != .heldOut }
        let groups = Self.groups(of: open, keys, queries, options)
        let total = open.count
        var (heldOut, validation, training): ([Int], [Int], [Int]) = (given, [], [])
        let heldOutCount = given.isEmpty ? max(Self.leastQueries, Int((Double(total) * options.heldOut).rounded())) : 0
        let rest = total - heldOutCount
        let validationCount =
            options.validation == 0 ? 0 : max(Self.leastQueries, Int((Double(rest) * options.validation).rounded()))
        for group in groups {
            // The last group of a part may be larger than what is left of it; one that is far too large goes on.
            if given.isEmpty, heldOut.count + group.count <= heldOutCount + group.count / 2,
                heldOut.count < heldOutCount
            {
                heldOut += group
            } else if validation.count < validationCount,
                validation.count + group.count <= validationCount + group.count / 2
            {
                validation += group
            } else {
                training += group
            }
        }
        let needed = 2 * Self.leastQueries + (options.validation > 0 ? Self.leastQueries : 0)
        guard heldOut.count >= Self.leastQueries || !given.isEmpty, training.count >= Self.leastQueries,
            options.validation == 0 || validation.count >= 1
        else { throw .tooFewQueries(count: queries.count, needed: max(needed, 6)) }
        self.training = training.sorted()
        self.validation = validation.sorted()
        self.heldOut = heldOut.sorted()
        let seen = Set(self.training.flatMap { queries[$0].positives })
        sharedAnswers = self.heldOut.filter { queries[$0].positives.contains(where: seen.contains) }
    }

    /// The letters and digits of a text in lower case, with one space between words.
    static func normalized(_ text: String) -> ExactText {
        let words = text.lowercased().split { !($0.isLetter || $0.isNumber) }
        // A text without any letter is itself: "+" and "-" are two queries.
        return ExactText(words.isEmpty ? text : words.joined(separator: " "))
    }

    private static func checkLeaks(
        _ queries: [TrainingData.Query], _ keys: [ExactText]
    ) throws(TrainingError) {
        var trained: [ExactText: Int] = [:]
        for row in queries.indices where queries[row].part != .heldOut { trained[keys[row]] = row }
        let leaks = queries.indices.compactMap { row -> TrainingError.Leak? in
            guard queries[row].part == .heldOut, let other = trained[keys[row]] else { return nil }
            return TrainingError.Leak(training: queries[other].place, heldOut: queries[row].place)
        }
        guard leaks.isEmpty else { throw .leak(leaks) }
    }

    /// Rows that stay together, in an order that depends on their texts and the seed.
    private static func groups(
        of rows: [Int], _ keys: [ExactText], _ queries: [TrainingData.Query], _ options: Options
    ) -> [[Int]] {
        var parent = Array(queries.indices)
        func root(_ row: Int) -> Int {
            var row = row
            while parent[row] != row {
                parent[row] = parent[parent[row]]
                row = parent[row]
            }
            return row
        }
        var firstOfKey: [ExactText: Int] = [:]
        var firstOfAnswer: [Int: Int] = [:]
        for row in rows {
            if let first = firstOfKey[keys[row]] {
                parent[root(row)] = root(first)
            } else {
                firstOfKey[keys[row]] = row
            }
            guard options.separatesAnswers else { continue }
            for answer in queries[row].positives {
                if let first = firstOfAnswer[answer] {
                    parent[root(row)] = root(first)
                } else {
                    firstOfAnswer[answer] = row
                }
            }
        }
        var members: [Int: [Int]] = [:]
        for row in rows { members[root(row), default: []].append(row) }
        let ranked = members.values.map { group in
            (rank: group.map { Self.rank(keys[$0].text, options.seed) }.min() ?? 0, rows: group)
        }
        return ranked.sorted { $0.rank == $1.rank ? $0.rows[0] < $1.rows[0] : $0.rank < $1.rank }.map(\.rows)
    }

    /// A number that looks drawn and belongs to a text: FNV-1a, mixed once more with the seed.
    private static func rank(_ text: String, _ seed: UInt64) -> UInt64 {
        let hash = text.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        var generator = SeededGenerator(seed: hash ^ seed &* 0x9E37_79B9_7F4A_7C15)
        return generator.next()
    }
}
