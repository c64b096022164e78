// The rows that an analysis is about: their vectors, and what they are called.
import Q3Linear
import Q3System

/// Vectors of unit length with ids and texts, from whichever input.
struct VectorSet {
    /// What is analysed, for messages.
    let name: String
    var vectors: VectorMatrix
    /// As JSON, a string or a number; nil where rows have none.
    var ids: [String?]
    /// Position of each row in its input, counted from 0; records that were rejected count.
    var indices: [Int]
    /// Nil for vectors alone.
    var texts: [String]?
    /// The column that a command asked for beside the text.
    var extras: [String] = []
    /// The model's, where the input tells it.
    var fingerprint: String?

    var count: Int { vectors.count }

    /// What a row is in output: {"index", "id"?, "text"?}.
    func object(_ row: Int, withText: Bool = true) -> JSONObject {
        var object = JSONObject()
        object.add("index", indices[row])
        if let id = ids[row] { object.add("id", id) }
        if withText, let texts { object.add("text", quoted: texts[row]) }
        return object
    }

    /// Throws where the vectors of another set are of other models or sizes.
    func check(_ other: VectorSet) throws {
        if let mine = fingerprint, let its = other.fingerprint, mine != its {
            throw Failure(
                .badData,
                "\(name) was made by the model \(mine), \(other.name) by \(its): their vectors cannot be compared; embed one of "
                    + "them again with the other's model")
        }
        guard vectors.dimensions == other.vectors.dimensions else {
            throw Failure(
                .badData,
                "\(name) has vectors of \(vectors.dimensions) values, \(other.name) of \(other.vectors.dimensions); make both "
                    + "with the same model and --dimensions")
        }
        if fingerprint == nil || other.fingerprint == nil {
            let silent = fingerprint == nil ? name : other.name
            Terminal.say(
                "note: \(silent) does not say which model made its vectors; they are taken for the same model's")
        }
    }
}

extension LinearError {
    var exitStatus: ExitStatus {
        switch self {
        case .outOfMemory, .cannotStartThreads: .system
        case .dimensions, .notFinite, .zeroVector, .badDimensions, .otherDimensions: .badData
        }
    }
}
