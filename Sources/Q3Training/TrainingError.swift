// What keeps a model from being tuned, or its figures from being honest.
import Q3System

/// Why a training cannot begin, or why it stopped.
public enum TrainingError: Error, Sendable, Equatable {
    /// The data has no queries.
    case noQueries
    /// A query without a passage that answers it; its place.
    case noPositive(place: String)
    /// A passage is said to answer a query and not to answer it; the place of the query, and the passage.
    case contradiction(place: String, passage: String)
    /// All that is to be told apart is of one kind, so that there is nothing to learn; what it is.
    case oneClass(String)
    /// Too few queries for the parts that they are split into.
    case tooFewQueries(count: Int, needed: Int)
    /// Queries that are in the training data and in the data to measure on; pairs of places.
    case leak([Leak])
    /// An option is outside of what is possible.
    case badOption(name: String, reason: String)
    /// The loss, or a value that is learned, is NaN or infinite after a step, counted from 1.
    case notFinite(what: String, step: Int)
    /// What was learned leaves every vector or score as it was; the largest change that it makes.
    case changesNothing(largestChange: Double)
    /// The file of an interrupted training cannot be used.
    case badCheckpoint(path: String, fault: String)
    /// The file of the states below the trained layers cannot be written or read.
    case states(path: String, fault: String)
    /// A file of the result cannot be written.
    case cannotWrite(path: String, fault: String)
    /// Vectors and texts that do not belong together; what and why.
    case mismatch(String)

    /// A query that is on both sides.
    public struct Leak: Sendable, Equatable {
        /// Where it stands among the data to train on.
        public let training: String
        /// Where it stands among the data to measure on.
        public let heldOut: String

        /// A query on both sides.
        public init(training: String, heldOut: String) { (self.training, self.heldOut) = (training, heldOut) }
    }
}

extension TrainingError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noQueries: "there are no queries with passages that answer them; there is nothing to learn from"
        case .noPositive(let place): "\(place): no passage answers this query; give one, or leave the query out"
        case .contradiction(let place, let passage):
            "\(place): the passage \"\(Self.shortened(passage))\" is given as an answer and as none; keep one of the two"
        case .oneClass(let what): "\(what); there is nothing to tell apart, so nothing can be learned"
        case .tooFewQueries(let count, let needed):
            "\(count) different queries are too few: a training with honest figures needs \(needed) at least, since some are "
                + "kept aside to measure on"
        case .leak(let leaks):
            "\(leaks.count == 1 ? "a query is" : "\(leaks.count) queries are") in the training data and in the data to measure "
                + "on, so the figures would be of what was learned by heart; remove "
                + leaks.prefix(5).map { "\($0.training) (as \($0.heldOut))" }.joined(separator: ", ")
                + (leaks.count > 5 ? " and \(leaks.count - 5) more" : "")
        case .badOption(let name, let reason): "\(name) \(reason)"
        case .notFinite(let what, let step):
            "\(what) is not a finite number after step \(step); lower the learning rate, or raise the temperature"
        case .changesNothing(let largest):
            "what was learned changes nothing (by \(largest) at most): train longer or with a larger learning rate, and see "
                + "whether the data has anything to learn"
        case .badCheckpoint(let path, let fault):
            "\(path) is not a usable training state (\(fault)); delete it to start over"
        case .states(let path, let fault): "\(path), the states of the layers below: \(fault)"
        case .cannotWrite(let path, let fault): "cannot write \(path): \(fault)"
        case .mismatch(let what): what
        }
    }

    private static func shortened(_ text: String) -> String {
        (text.count > 60 ? "\(text.prefix(57))..." : text).escapedForTerminal
    }
}
