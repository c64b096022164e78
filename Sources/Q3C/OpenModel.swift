// Models as C programs hold them: opening, closing, and what they are.
public import CQ3
import Q3Catalog
import Q3Embedding
import Q3GGUF
import Q3Model
import Q3Reranking
import Q3System
import Q3Tokenizer
import Synchronization

#if Mini
import Q3Mini
#endif

/// A model that was opened for one purpose.
final class OpenModel: Sendable {
    enum Head: Sendable {
        case embedder(Embedder)
        case reranker(Reranker)
        case tokenizer(Tokenizer)
    }

    let head: Head
    let file: GGUFFile
    private let fingerprint = Mutex<String?>(nil)

    init(path: String?, kind: Int32, options: ModelOptions, copiesFile: Bool) throws {
        if let path {
            file = try GGUFFile(path: path, copying: copiesFile)
        } else {
            #if Mini
            file = try Mini.file()
            #else
            throw Fault.argument("path is NULL, but this library has no built-in model")
            #endif
        }
        switch Int(kind) {
        case Q3_EMBEDDER: head = .embedder(try Embedder(file: file, options: options))
        case Q3_RERANKER: head = .reranker(try Reranker(file: file, options: options))
        case Q3_TOKENIZER: head = .tokenizer(try Tokenizer(metadata: file.metadata))
        default: throw Fault.argument("kind is \(kind), expected Q3_EMBEDDER, Q3_RERANKER or Q3_TOKENIZER")
        }
        try file.checkUnchanged()
    }

    var kind: Int {
        switch head {
        case .embedder: Q3_EMBEDDER
        case .reranker: Q3_RERANKER
        case .tokenizer: Q3_TOKENIZER
        }
    }

    var model: Qwen3Model? {
        switch head {
        case .embedder(let embedder): embedder.model
        case .reranker(let reranker): reranker.model
        case .tokenizer: nil
        }
    }

    var tokenizer: Tokenizer {
        switch head {
        case .embedder(let embedder): embedder.tokenizer
        case .reranker(let reranker): reranker.tokenizer
        case .tokenizer(let tokenizer): tokenizer
        }
    }

    var embedder: Embedder {
        get throws(Fault) {
            guard case .embedder(let embedder) = head else {
                throw Fault(status: q3_status(Q3_WRONG_ROLE), message: "the model was not opened as Q3_EMBEDDER")
            }
            return embedder
        }
    }

    var reranker: Reranker {
        get throws(Fault) {
            guard case .reranker(let reranker) = head else {
                throw Fault(status: q3_status(Q3_WRONG_ROLE), message: "the model was not opened as Q3_RERANKER")
            }
            return reranker
        }
    }

    /// What is put before queries; empty where they are taken unchanged.
    private var queryPrompt: String {
        guard case .embedder(let embedder) = head else { return "" }
        return embedder.prompted("", as: .query())
    }

    /// The type of most weights by bytes.
    private var weightType: String {
        var byteCounts: [String: Int] = [:]
        for tensor in file.tensors { byteCounts[tensor.type.name, default: 0] += tensor.byteCount }
        return byteCounts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? ""
    }

    /// The fingerprint, kept once it is known.
    func fingerprintText() throws -> String {
        guard let model else { throw Fault.argument("a tokenizer has no fingerprint") }
        // Two callers at once both read the file: that is harmless, and a lock would be held for seconds.
        if let known = fingerprint.withLock({ $0 }) { return known }
        let text = try Fingerprint(of: model).description
        fingerprint.withLock { $0 = text }
        return text
    }

    func text(_ which: Int32) throws -> String {
        switch Int(which) {
        case Q3_TEXT_PATH: file.path
        case Q3_TEXT_NAME: try file.metadata.value("general.name", as: String.self) ?? ""
        case Q3_TEXT_ROLE: try ModelRole(of: file).kind.rawValue
        case Q3_TEXT_WEIGHTS: weightType
        case Q3_TEXT_QUERY_PROMPT: queryPrompt
        case Q3_TEXT_FINGERPRINT: try fingerprintText()
        default: throw Fault.argument("which is \(which), expected Q3_TEXT_PATH to Q3_TEXT_FINGERPRINT")
        }
    }

    var info: q3_info {
        var info = q3_info()
        info.kind = Int32(kind)
        info.vocabulary_size = Int32(clamping: tokenizer.vocabularySize)
        info.end_of_text_id = tokenizer.endOfTextID ?? -1
        if let model {
            info.dimensions = Int32(clamping: model.config.hiddenSize)
            info.token_limit = Int32(clamping: model.config.contextLength)
            info.layer_count = Int32(clamping: model.config.layerCount)
            info.threads = Int32(clamping: model.options.threads ?? processorCount)
        }
        if case .embedder(let embedder) = head { info.takes_instructions = embedder.takesInstructions ? 1 : 0 }
        return info
    }
}

/// The open model of a handle.
func openModel(_ handle: OpaquePointer?) throws(Fault) -> OpenModel {
    guard let model = unsafe models[handle] else { throw .closedModel }
    return model
}

extension ModelOptions {
    fileprivate init(_ options: q3_open_options) throws(Fault) {
        self.init()
        switch Int(options.precision) {
        case Q3_AUTO: precision = .auto
        case Q3_EXACT: precision = .exact
        case Q3_FAST: precision = .fast
        case Q3_FINE: precision = .fine
        default:
            throw .argument("precision is \(options.precision), expected Q3_AUTO, Q3_FAST, Q3_FINE or Q3_EXACT")
        }
        guard options.threads >= 0 else { throw .argument("threads is \(options.threads), expected 0 or more") }
        threads = options.threads == 0 ? nil : Int(options.threads)
        guard let bytes = Int(exactly: options.prefix_cache_bytes), bytes >= 0 else {
            throw .argument("prefix_cache_bytes is \(options.prefix_cache_bytes), expected 0 or more")
        }
        prefixCacheBytes = bytes
    }
}

@c @implementation
public func q3_find_model(
    _ name: UnsafePointer<CChar>?, _ path: UnsafeMutablePointer<CChar>?, _ capacity: Int,
    _ length: UnsafeMutablePointer<Int>?, _ error: UnsafeMutablePointer<q3_error>?
) -> q3_status {
    unsafe reporting(to: error) {
        let name = try unsafe string(name, "name")
        let found = try ModelFinder.path(of: name, environment: Process.environment)
        try unsafe CText(start: path, capacity: capacity).write(found.utf8, length: length)
    }
}

@c @implementation
public func q3_open(
    _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<q3_open_options>?,
    _ model: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<q3_error>?
) -> q3_status {
    let name = unsafe path.map { unsafe String(cString: $0) }
    return unsafe reporting(to: error, path: name ?? "q3-mini") {
        guard let place = unsafe model else { throw Fault.argument("model is NULL") }
        unsafe place.pointee = nil
        let options = try unsafe Q3C.options(options, zero: q3_open_options(), name: "q3_open_options")
        let file = try unsafe path.map { try unsafe string($0, "path") }
        let modelOptions = try ModelOptions(options)
        let copiesFile = try flag(options.copies_file, "copies_file")
        try Process.claim()
        try Process.checkThreads()
        let opened = try OpenModel(path: file, kind: options.kind, options: modelOptions, copiesFile: copiesFile)
        unsafe place.pointee = models.add(opened)
    }
}

@c @implementation
public func q3_close(_ model: OpaquePointer?) {
    guard (try? Process.check()) != nil else { return }
    unsafe models.remove(model)
}

@c @implementation
public func q3_model_info(
    _ model: OpaquePointer?, _ info: UnsafeMutablePointer<q3_info>?, _ error: UnsafeMutablePointer<q3_error>?
) -> q3_status {
    unsafe reporting(to: error) {
        let model = try unsafe openModel(model)
        guard let info = unsafe info else { throw Fault.argument("info is NULL") }
        try unsafe write(model.info, to: info, name: "q3_info")
    }
}

@c @implementation
public func q3_model_text(
    _ model: OpaquePointer?, _ which: Int32, _ text: UnsafeMutablePointer<CChar>?, _ capacity: Int,
    _ length: UnsafeMutablePointer<Int>?, _ error: UnsafeMutablePointer<q3_error>?
) -> q3_status {
    unsafe reporting(to: error) {
        let found = try unsafe openModel(model).text(which)
        try unsafe CText(start: text, capacity: capacity).write(found.utf8, length: length)
    }
}

@c @implementation
public func q3_abi_version() -> Int32 { Int32(Q3_ABI_VERSION) }

/// The version as C text; made once and kept.
@safe private struct VersionText: @unchecked Sendable {
    let bytes: UnsafeMutablePointer<CChar>

    init() {
        let text = Array(Release.version.utf8) + [0]
        unsafe bytes = .allocate(capacity: text.count)
        for (index, byte) in text.enumerated() { unsafe bytes[index] = CChar(bitPattern: byte) }
    }

    static let one = VersionText()
}

@c @implementation
public func q3_version() -> UnsafePointer<CChar>? { unsafe UnsafePointer(VersionText.one.bytes) }

/// A text that ends with NUL.
func string(_ text: UnsafePointer<CChar>?, _ name: StaticString) throws(Fault) -> String {
    guard let text = unsafe text else { throw .argument("\(name) is NULL") }
    guard let string = unsafe String(validatingCString: text) else {
        throw Fault(status: q3_status(Q3_BAD_TEXT), message: "\(name) is not UTF-8")
    }
    return string
}
