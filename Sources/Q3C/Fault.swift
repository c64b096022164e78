// How a Swift error becomes a status and a text in the caller's memory.
import CQ3
import Q3Analysis
import Q3Catalog
import Q3Embedding
import Q3GGUF
import Q3Linear
import Q3Model
import Q3Reranking
import Q3Tokenizer

/// What a call returns instead of a result.
struct Fault: Error {
    let status: q3_status
    let message: String
    var index: Int64 = -1

    static func argument(_ message: String) -> Fault { Fault(status: q3_status(Q3_BAD_ARGUMENT), message: message) }
    static let closedModel = argument("the model is NULL or was closed")
    static let cancelled = Fault(status: q3_status(Q3_CANCELLED), message: "the call was cancelled")
    static let forked = Fault(
        status: q3_status(Q3_FORKED),
        message:
            "this process was forked from one that had opened a model, whose threads are not here; open models only "
            + "after the fork, or start processes by spawn or forkserver")

    init(status: q3_status, message: String, index: Int64 = -1) {
        self.status = status
        self.message = message
        self.index = index
    }

    /// What went wrong in the libraries; `path` names the model where the error does not.
    init(_ error: any Error, path: String? = nil) {
        let named = path.map { "\($0): \(error)" } ?? "\(error)"
        switch error {
        case let fault as Fault: self = fault
        case is CancellationError: self = .cancelled
        case let error as CatalogError: self.init(status: q3_status(Q3_NO_SUCH_MODEL), message: "\(error)")
        case let error as GGUFError:
            self.init(status: q3_status(Q3_BAD_FILE), message: error.namesItsFile ? "\(error)" : named)
        case let error as EmbeddingError: self.init(error)
        case let error as RerankError: self.init(error)
        case ModelError.outOfMemory, ModelError.cannotStartThreads:
            self.init(status: q3_status(Q3_NO_RESOURCES), message: "\(error)")
        case ModelError.badThreadCount: self = .argument("\(error)")
        case ModelError.inputTooLong(let index, _, _):
            self.init(status: q3_status(Q3_TOO_LONG), message: "\(error)", index: Int64(index))
        case TokenizerError.unknownID: self = .argument("\(error)")
        case let error as LinearError: self.init(error)
        case is ClassifierError: self = .argument("\(error)")
        default: self.init(status: q3_status(Q3_BAD_FILE), message: named)
        }
    }

    init(_ error: EmbeddingError) {
        switch error {
        case .text(let index, let inner):
            self.init(inner)
            self = self.at(index)
        case .rerankerModel: self.init(status: q3_status(Q3_WRONG_ROLE), message: "\(error)")
        case .tooLong: self.init(status: q3_status(Q3_TOO_LONG), message: "\(error)")
        case .nonFinite, .zeroNorm: self.init(status: q3_status(Q3_BAD_RESULT), message: "\(error)")
        case .dimensions, .unevenBits, .missingRanges, .sizeMismatch, .adapterDimensions: self = .argument("\(error)")
        default: self.init(status: q3_status(Q3_BAD_FILE), message: "\(error)")
        }
    }

    init(_ error: RerankError) {
        switch error {
        case .pair(let index, let inner):
            self.init(inner)
            self = self.at(index)
        case .embeddingModel: self.init(status: q3_status(Q3_WRONG_ROLE), message: "\(error)")
        case .tooLong, .queryTooLong: self.init(status: q3_status(Q3_TOO_LONG), message: "\(error)")
        case .nonFinite, .zeroState: self.init(status: q3_status(Q3_BAD_RESULT), message: "\(error)")
        default: self.init(status: q3_status(Q3_BAD_FILE), message: "\(error)")
        }
    }

    init(_ error: LinearError) {
        self = .argument("\(error)")
        switch error {
        case .outOfMemory, .cannotStartThreads:
            self.init(status: q3_status(Q3_NO_RESOURCES), message: "\(error)")
        case .dimensions(let row, _, _), .notFinite(let row), .zeroVector(let row): index = Int64(row)
        case .badDimensions, .otherDimensions: break
        }
    }

    /// The same fault, of the text or pair at this position of the call.
    func at(_ index: Int, what: String = "text") -> Fault {
        Fault(status: status, message: "\(what) \(index): \(message)", index: Int64(index))
    }

    /// Writes the fault where the caller wants to have it.
    func write(to error: UnsafeMutablePointer<q3_error>?) {
        guard let error = unsafe error else { return }
        guard unsafe error.pointee.size >= MemoryLayout<q3_error>.size else { return }
        unsafe error.pointee.status = status
        unsafe error.pointee.index = index
        guard let start = unsafe error.pointee.message else { return }
        unsafe CText(start: start, capacity: error.pointee.capacity).cut(message)
    }
}

/// Runs the body of a C function: what it throws is written to `error` and returned as a status.
func reporting(
    to place: UnsafeMutablePointer<q3_error>?, path: String? = nil, _ body: () throws -> Void
) -> q3_status {
    do {
        try Process.check()
        if let size = unsafe place?.pointee.size, unsafe size < MemoryLayout<q3_error>.size {
            throw Fault.argument(unsafe "q3_error.size is \(size), expected at least \(MemoryLayout<q3_error>.size)")
        }
        try body()
        return q3_status(Q3_OK)
    } catch {
        let fault = Fault(error, path: path)
        unsafe fault.write(to: place)
        return fault.status
    }
}
