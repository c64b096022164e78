// Everything that can be wrong with an index, with what goes into it, or with a search.
import Q3System

/// Why an index cannot be made, opened, changed or searched.
public enum IndexError: Error, Sendable, Equatable {
    /// Something exists at the path.
    case exists(path: String)
    /// The path does not exist.
    case absent(path: String)
    /// The folder exists, but its catalog is not one of an index.
    case notAnIndex(path: String)
    /// The catalog was made by a newer q3.
    case newer(path: String, version: Int, known: Int)
    /// A system call on a file of the index or of its sources failed.
    case file(path: String, action: String, code: CInt)
    /// SQLite failed; `code` is its extended result code.
    case catalog(path: String, code: CInt, message: String)
    /// Another process writes to the index.
    case locked(path: String, holder: String)
    /// The index was made with another model.
    case otherModel(path: String, made: ModelIdentity, given: ModelIdentity)
    /// A segment is not what the catalog says.
    case segment(path: String, offset: Int, problem: String)
    /// A vector of another size than the index holds.
    case dimensions(expected: Int, got: Int)
    /// Too few or too many tokens for a chunk.
    case chunkTokens(Int, allowed: ClosedRange<Int>)
    /// A filter that cannot be read.
    case filter(String, problem: String)
    /// A source that is neither a folder nor a file.
    case source(path: String, problem: String)

    /// Whether files of the index are damaged, which `IndexWriter.repair(_:)` may mend.
    public var isDamage: Bool {
        switch self {
        case .segment: true
        case .catalog(_, let code, _): Database.isDamage(code)
        default: false
        }
    }
}

/// A model's name and fingerprint.
public struct ModelIdentity: Sendable, Equatable, CustomStringConvertible {
    /// The file's name, for people.
    public let name: String
    /// Sixteen hexadecimal digits of the model's `Fingerprint`.
    public let fingerprint: String

    /// A name and sixteen hexadecimal digits.
    public init(name: String, fingerprint: String) {
        self.name = name
        self.fingerprint = fingerprint
    }

    /// The name with the fingerprint.
    public var description: String { "\(name) (fingerprint \(fingerprint))" }
}

extension IndexError: CustomStringConvertible {
    /// What is wrong, where, and what to do.
    public var description: String {
        switch self {
        case .exists(let path):
            "\(path.escapedForTerminal) exists already; open it, or choose another name"
        case .absent(let path): "\(path.escapedForTerminal) does not exist"
        case .notAnIndex(let path): "\(path.escapedForTerminal) is not an index of q3"
        case .newer(let path, let version, let known):
            "\(path.escapedForTerminal) has format \(version), made by a newer q3; this one reads formats up to \(known)"
        case .file(let path, let action, let code):
            "cannot \(action) \(path.escapedForTerminal): \(SystemCall.message(code))"
        case .catalog(let path, let code, let message):
            "\(path.escapedForTerminal): SQLite says \"\(message)\" (code \(code))"
                + (Database.isDamage(code) ? "; repair the index, or restore a copy" : "")
        case .locked(let path, let holder):
            "\(path.escapedForTerminal) is being written to by \(holder.escapedForTerminal); wait until it ends"
        case .otherModel(let path, let made, let given):
            "\(path.escapedForTerminal) was made with \(made), not with \(given): their vectors cannot be compared. "
                + "Use the first, or make a new index"
        case .segment(let path, let offset, let problem):
            "\(path.escapedForTerminal) is damaged at byte \(offset): \(problem); repair the index"
        case .dimensions(let expected, let got): "the index holds vectors of \(expected) values, not of \(got)"
        case .chunkTokens(let count, let allowed):
            "a chunk of \(count) tokens is not possible with this model; give \(allowed.lowerBound) to "
                + "\(allowed.upperBound)"
        case .filter(let text, let problem): "the filter \"\(text.escapedForTerminal)\" \(problem)"
        case .source(let path, let problem): "\(path.escapedForTerminal): \(problem)"
        }
    }
}
