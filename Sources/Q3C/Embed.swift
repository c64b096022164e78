// q3_embed: texts in, stored vectors out.
public import CQ3
import Q3Embedding
import Q3Model

/// What one call does to every text.
struct EmbedJob: Sendable {
    private let embedder: Embedder
    private let options: EmbeddingOptions
    private let prefix: String
    private let ranges: EmbeddingRanges?
    let type: EmbeddingType
    let columnCount: Int
    /// Bytes of a stored vector.
    let rowByteCount: Int

    init(_ model: OpenModel, _ pointer: UnsafePointer<q3_embed_options>?, needsRanges: Bool = true) throws {
        let given = try unsafe Q3C.options(pointer, zero: q3_embed_options(), name: "q3_embed_options")
        embedder = try model.embedder
        let kept = unsafe try embedder.dimensions(requested: given.dimensions == 0 ? nil : Int(given.dimensions))
        options = unsafe EmbeddingOptions(
            dimensions: kept, truncates: try flag(given.truncates, "truncates"),
            parsesSpecialTokens: try flag(given.parses_special_tokens, "parses_special_tokens"),
            adapter: try openAdapter(given.adapter)?.forCalls(of: model, keeping: kept))
        prefix = try unsafe text(given.prefix, count: given.prefix_length, "prefix") ?? ""
        guard unsafe EmbeddingType.allCases.indices.contains(Int(given.type)) else {
            throw Fault.argument(unsafe "type is \(given.type), expected Q3_F32 to Q3_UBINARY")
        }
        type = unsafe EmbeddingType.allCases[Int(given.type)]  // in the order of the header's enum
        columnCount = try type.elementCount(dimensions: kept)
        rowByteCount = columnCount * type.elementByteCount
        if type.needsRanges, let minimum = unsafe given.minimum, let maximum = unsafe given.maximum {
            ranges = try EmbeddingRanges(
                minimum: unsafe Array(UnsafeBufferPointer(start: minimum, count: kept)),
                maximum: unsafe Array(UnsafeBufferPointer(start: maximum, count: kept)))
        } else if type.needsRanges, needsRanges {
            throw EmbeddingError.missingRanges(type: type)
        } else {
            ranges = nil
        }
    }

    /// Embeds all texts, the vector of text i into row `row(i)`.
    func run(
        _ texts: TextList, into rows: RowMemory, row: (Int) -> Int, outcomes: inout Outcomes, ticket: Ticket?
    ) async throws {
        try await computeInWindows(
            count: texts.count, byteCount: texts.byteCount, ticket: ticket,
            input: { index throws(Fault) in try prefix + texts.text(index) },
            compute: { try await embedder.results(for: $0, options: options, progress: $1) },
            finish: { index, result throws(Fault) in
                do throws(Fault) {
                    let embedding = try result.get()
                    try rows.write(embedding.vector, as: type, ranges: ranges, at: row(index))
                    outcomes.succeed(
                        row(index), tokenCount: embedding.tokenCount, isTruncated: embedding.isTruncated)
                } catch {
                    rows.clear(row(index))
                    try outcomes.fail(row(index), error, what: "text")
                }
            })
    }
}

/// Memory for stored vectors, row after row.
@safe struct RowMemory: @unchecked Sendable {
    private let start: UnsafeMutableRawPointer
    private let rowByteCount: Int

    /// Throws unless there is room for `count` rows.
    init(_ start: UnsafeMutableRawPointer?, capacity: Int, count: Int, rowByteCount: Int) throws(Fault) {
        let (needed, overflow) = count.multipliedReportingOverflow(by: rowByteCount)
        guard !overflow, needed <= capacity else {
            throw Fault(
                status: q3_status(Q3_BUFFER_TOO_SMALL),
                message: "\(count) vectors of \(rowByteCount) bytes do not fit into \(capacity) bytes")
        }
        guard let start = unsafe start ?? (needed == 0 ? UnsafeMutableRawPointer(bitPattern: 16) : nil) else {
            throw .argument("vectors is NULL")
        }
        unsafe self.start = start
        self.rowByteCount = rowByteCount
    }

    private func row(_ index: Int) -> UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(start: start + index * rowByteCount, count: rowByteCount)
    }

    func clear(_ index: Int) { unsafe row(index).initializeMemory(as: UInt8.self, repeating: 0) }

    func copy(from source: Int, to index: Int) {
        unsafe row(index).copyMemory(from: UnsafeRawBufferPointer(row(source)))
    }

    func write(
        _ vector: [Float], as type: EmbeddingType, ranges: EmbeddingRanges?, at index: Int
    ) throws(Fault) {
        let row = unsafe row(index)
        let stored: EncodedVector
        do throws(EmbeddingError) {
            stored = try type.encode(vector, ranges: ranges)
        } catch {
            throw Fault(error)
        }
        switch stored {
        case .float32(let values): unsafe values.withUnsafeBytes { unsafe row.copyMemory(from: $0) }
        case .float16(let values): unsafe values.withUnsafeBytes { unsafe row.copyMemory(from: $0) }
        case .int8(let values): unsafe values.withUnsafeBytes { unsafe row.copyMemory(from: $0) }
        case .uint8(let values): unsafe values.withUnsafeBytes { unsafe row.copyMemory(from: $0) }
        }
    }
}

extension EmbeddingType {
    /// Bytes of a stored element.
    fileprivate var elementByteCount: Int {
        switch self {
        case .f32: 4
        case .f16: 2
        case .int8, .uint8, .binary, .ubinary: 1
        }
    }
}

@c @implementation
public func q3_vector_size(
    _ model: OpaquePointer?, _ options: UnsafePointer<q3_embed_options>?, _ size: UnsafeMutablePointer<Int64>?,
    _ error: UnsafeMutablePointer<q3_error>?
) -> q3_status {
    unsafe reporting(to: error) {
        let job = try unsafe EmbedJob(openModel(model), options, needsRanges: false)
        guard let size = unsafe size else { throw Fault.argument("size is NULL") }
        unsafe size.pointee = Int64(job.rowByteCount)
    }
}

@c @implementation
public func q3_embed(
    _ model: OpaquePointer?, _ texts: UnsafePointer<q3_texts>?, _ options: UnsafePointer<q3_embed_options>?,
    _ vectors: UnsafeMutableRawPointer?, _ capacity: Int, _ results: UnsafeMutablePointer<q3_result>?,
    _ ticket: OpaquePointer?, _ error: UnsafeMutablePointer<q3_error>?
) -> q3_status {
    unsafe reporting(to: error) {
        let job = try unsafe EmbedJob(openModel(model), options)
        let list = try unsafe TextList(texts, name: "texts")
        let rows = try unsafe RowMemory(
            vectors, capacity: capacity, count: list.count, rowByteCount: job.rowByteCount)
        let shared = try unsafe openTicket(ticket)
        let first = unsafe SendableResults(results)
        let fault = try waiting(shared) {
            var outcomes = unsafe Outcomes(first.start)
            try await job.run(list, into: rows, row: { $0 }, outcomes: &outcomes, ticket: shared)
            return outcomes.firstFault
        }
        unsafe fault?.write(to: error)
    }
}

/// The ticket of a handle; nil for NULL.
func openTicket(_ handle: OpaquePointer?) throws(Fault) -> Ticket? {
    guard unsafe handle != nil else { return nil }
    guard let ticket = unsafe tickets[handle] else { throw .argument("the ticket was closed") }
    return ticket
}

/// The caller's results, on their way into the task that the caller waits for.
@safe struct SendableResults: @unchecked Sendable {
    let start: UnsafeMutablePointer<q3_result>?

    init(_ start: UnsafeMutablePointer<q3_result>?) { unsafe self.start = start }
}
