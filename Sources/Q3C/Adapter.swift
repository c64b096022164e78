// q3_open_adapter: a change to a model's vectors as C programs hold it.
public import CQ3
import Q3Embedding
import Q3System

/// An adapter that was opened for a model.
struct OpenAdapter: Sendable {
    private let adapter: EmbeddingAdapter
    /// Of the space of documents.
    private let fingerprint: Fingerprint

    init(path: String, model: OpenModel) throws {
        _ = try model.embedder
        adapter = try EmbeddingAdapter(path: path)
        guard let own = Fingerprint(try model.fingerprintText()) else { throw Fault.closedModel }
        try adapter.check(own, path: path)
        fingerprint = own.adapted(by: adapter)
    }

    /// The adapter for all texts of a call; throws for another model's, and for more values than it has.
    func forCalls(of model: OpenModel, keeping kept: Int) throws -> EmbeddingAdapter {
        if let own = Fingerprint(try model.fingerprintText()) { try adapter.check(own) }
        try model.embedder.check(adapter, keeping: kept)
        return adapter.forEverything
    }

    var facts: q3_adapter_facts {
        var facts = q3_adapter_facts()
        facts.dimensions = Int32(clamping: adapter.dimensions)
        facts.rank = Int32(clamping: adapter.rank)
        facts.changes_documents = adapter.scope == .everything ? 1 : 0
        return facts
    }

    func text(_ which: Int32) throws(Fault) -> String {
        switch Int(which) {
        case Q3_ADAPTER_INSTRUCTION: return adapter.instruction ?? ""
        case Q3_ADAPTER_FINGERPRINT: return "\(fingerprint)"
        default:
            throw .argument("which is \(which), expected Q3_ADAPTER_INSTRUCTION or Q3_ADAPTER_FINGERPRINT")
        }
    }
}

/// The adapter of a handle; nil for NULL.
func openAdapter(_ handle: OpaquePointer?) throws(Fault) -> OpenAdapter? {
    guard unsafe handle != nil else { return nil }
    guard let adapter = unsafe adapters[handle] else { throw .argument("the adapter was closed") }
    return adapter
}

@c @implementation
public func q3_open_adapter(
    _ model: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ adapter: UnsafeMutablePointer<OpaquePointer?>?,
    _ error: UnsafeMutablePointer<q3_error>?
) -> q3_status {
    unsafe reporting(to: error) {
        guard let place = unsafe adapter else { throw Fault.argument("adapter is NULL") }
        unsafe place.pointee = nil
        let model = try unsafe openModel(model)
        let path = try unsafe string(path, "path")
        unsafe place.pointee = adapters.add(try OpenAdapter(path: path, model: model))
    }
}

@c @implementation
public func q3_close_adapter(_ adapter: OpaquePointer?) {
    guard (try? Process.check()) != nil else { return }
    unsafe adapters.remove(adapter)
}

@c @implementation
public func q3_adapter_info(
    _ adapter: OpaquePointer?, _ facts: UnsafeMutablePointer<q3_adapter_facts>?,
    _ error: UnsafeMutablePointer<q3_error>?
) -> q3_status {
    unsafe reporting(to: error) {
        guard let adapter = try unsafe openAdapter(adapter) else { throw Fault.argument("the adapter is NULL") }
        guard let facts = unsafe facts else { throw Fault.argument("facts is NULL") }
        try unsafe write(adapter.facts, to: facts, name: "q3_adapter_facts")
    }
}

@c @implementation
public func q3_adapter_text(
    _ adapter: OpaquePointer?, _ which: Int32, _ text: UnsafeMutablePointer<CChar>?, _ capacity: Int,
    _ length: UnsafeMutablePointer<Int>?, _ error: UnsafeMutablePointer<q3_error>?
) -> q3_status {
    unsafe reporting(to: error) {
        guard let adapter = try unsafe openAdapter(adapter) else { throw Fault.argument("the adapter is NULL") }
        try unsafe CText(start: text, capacity: capacity).write(adapter.text(which).utf8, length: length)
    }
}
