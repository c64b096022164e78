// Vectors as an Arrow array of fixed-size lists, in memory that its release callback frees.
public import CQ3
import Q3Embedding
import Q3System

/// Memory for the vectors of an Arrow array that is being made.
@safe struct ArrowVectors {
    let rows: RowMemory
    private let data: UnsafeMutableRawPointer
    private let count: Int
    private let columnCount: Int
    private let format: String

    /// Zeroed memory for `count` vectors.
    init(count: Int, job: EmbedJob) throws(Fault) {
        let (byteCount, overflow) = count.multipliedReportingOverflow(by: job.rowByteCount)
        guard !overflow, let data = unsafe calloc(max(byteCount, 1), 1) else {
            throw Fault(
                status: q3_status(Q3_NO_RESOURCES),
                message: "no memory for \(count) vectors of \(job.rowByteCount) bytes")
        }
        unsafe self.data = data
        rows = try unsafe RowMemory(data, capacity: byteCount, count: count, rowByteCount: job.rowByteCount)
        self.count = count
        columnCount = job.columnCount
        format = job.type.arrowFormat
    }

    /// Frees the memory of an array that is not made after all.
    func discard() { unsafe free(data) }

    /// Hands the memory over to the caller's structs. `sources` is -1 for rows that are null.
    func move(
        to schema: UnsafeMutablePointer<ArrowSchema>, _ array: UnsafeMutablePointer<ArrowArray>, sources: [Int]
    ) {
        unsafe schema.initialize(
            to: .owning(format: "+w:\(columnCount)", name: "", child: .owning(format: format, name: "item", child: nil))
        )
        let child = unsafe ArrowArray.owning(
            length: count * columnCount, nullCount: 0, buffers: [nil, data], child: nil)
        unsafe array.initialize(
            to: .owning(
                length: count, nullCount: sources.count { $0 < 0 }, buffers: [Self.validity(sources)], child: child))
    }

    /// A bit for each row that is not null, the first row lowest; nil if there are no nulls.
    private static func validity(_ sources: [Int]) -> UnsafeMutableRawPointer? {
        guard sources.contains(where: { $0 < 0 }) else { return nil }
        let bits = unsafe zeroed(UInt8.self, (sources.count + 7) / 8)
        for (row, source) in sources.enumerated() where source >= 0 { unsafe bits[row >> 3] |= 1 << UInt8(row & 7) }
        return UnsafeMutableRawPointer(bits)
    }
}

extension EmbeddingType {
    /// The format of an element in Arrow's C interface.
    fileprivate var arrowFormat: String {
        switch self {
        case .f32: "f"
        case .f16: "e"
        case .int8, .binary: "c"
        case .uint8, .ubinary: "C"
        }
    }
}

/// Zeroed memory for `count` values, which `free` gives back.
private func zeroed<Value>(_: Value.Type, _ count: Int) -> UnsafeMutablePointer<Value> {
    guard let memory = unsafe calloc(max(count, 1), MemoryLayout<Value>.stride) else {
        fatalError("no memory for \(count) values of an Arrow struct")
    }
    return unsafe memory.bindMemory(to: Value.self, capacity: max(count, 1))
}

extension ArrowSchema {
    fileprivate static func owning(format: String, name: String, child: ArrowSchema?) -> ArrowSchema {
        var schema = unsafe ArrowSchema()
        unsafe schema.format = UnsafePointer(strdup(format))
        unsafe schema.name = UnsafePointer(strdup(name))
        unsafe schema.flags = Int64(ARROW_FLAG_NULLABLE)
        if let child = unsafe child {
            unsafe schema.n_children = 1
            unsafe schema.children = zeroed(UnsafeMutablePointer<ArrowSchema>?.self, 1)
            unsafe schema.children[0] = zeroed(ArrowSchema.self, 1)
            unsafe schema.children[0]?.pointee = child
        }
        unsafe schema.release = { schema in
            guard let schema = unsafe schema else { return }
            if let children = unsafe schema.pointee.children {
                if let child = unsafe children[0] {
                    unsafe child.pointee.release?(child)
                    unsafe free(child)
                }
                unsafe free(children)
            }
            unsafe free(UnsafeMutablePointer(mutating: schema.pointee.format))
            unsafe free(UnsafeMutablePointer(mutating: schema.pointee.name))
            unsafe schema.pointee.release = nil
        }
        return unsafe schema
    }
}

extension ArrowArray {
    /// An array that frees its buffers when it is released.
    fileprivate static func owning(
        length: Int, nullCount: Int, buffers: [UnsafeMutableRawPointer?], child: ArrowArray?
    ) -> ArrowArray {
        var array = unsafe ArrowArray()
        unsafe array.length = Int64(length)
        unsafe array.null_count = Int64(nullCount)
        unsafe array.n_buffers = Int64(buffers.count)
        unsafe array.buffers = zeroed(UnsafeRawPointer?.self, buffers.count)
        for index in unsafe buffers.indices { unsafe array.buffers[index] = UnsafeRawPointer(buffers[index]) }
        if let child = unsafe child {
            unsafe array.n_children = 1
            unsafe array.children = zeroed(UnsafeMutablePointer<ArrowArray>?.self, 1)
            unsafe array.children[0] = zeroed(ArrowArray.self, 1)
            unsafe array.children[0]?.pointee = child
        }
        unsafe array.release = { array in
            guard let array = unsafe array else { return }
            if let children = unsafe array.pointee.children {
                if let child = unsafe children[0] {
                    unsafe child.pointee.release?(child)
                    unsafe free(child)
                }
                unsafe free(children)
            }
            for index in 0..<(unsafe Int(array.pointee.n_buffers)) {
                unsafe free(UnsafeMutableRawPointer(mutating: array.pointee.buffers[index]))
            }
            unsafe free(array.pointee.buffers)
            unsafe array.pointee.release = nil
        }
        return unsafe array
    }
}

@c @implementation
public func q3_embed_arrow(
    _ model: OpaquePointer?, _ textsSchema: UnsafePointer<ArrowSchema>?, _ texts: UnsafePointer<ArrowArray>?,
    _ options: UnsafePointer<q3_embed_options>?, _ vectorsSchema: UnsafeMutablePointer<ArrowSchema>?,
    _ vectors: UnsafeMutablePointer<ArrowArray>?, _ results: UnsafeMutablePointer<q3_result>?,
    _ ticket: OpaquePointer?, _ error: UnsafeMutablePointer<q3_error>?
) -> q3_status {
    unsafe reporting(to: error) {
        guard let vectorsSchema = unsafe vectorsSchema, let vectors = unsafe vectors else {
            throw Fault.argument("vectors_schema or vectors is NULL")
        }
        unsafe vectorsSchema.initialize(to: ArrowSchema())
        unsafe vectors.initialize(to: ArrowArray())
        let job = try unsafe EmbedJob(openModel(model), options)
        let input = try unsafe ArrowTexts(schema: textsSchema, array: texts)
        let shared = try unsafe openTicket(ticket)
        let output = try ArrowVectors(count: input.count, job: job)
        let (rows, list, firstRows) = (output.rows, input.texts, input.firstRows)
        if let results = unsafe results {
            for row in 0..<input.count { unsafe results[row] = q3_result() }
        }
        let first = unsafe SendableResults(results)
        let failed: Set<Int>
        do {
            let (fault, rows) = try waiting(shared) {
                var outcomes = unsafe Outcomes(first.start)
                try await job.run(list, into: rows, row: { firstRows[$0] }, outcomes: &outcomes, ticket: shared)
                return (outcomes.firstFault, outcomes.failed)
            }
            unsafe fault?.write(to: error)
            failed = Set(rows)
        } catch {
            output.discard()
            throw error
        }
        var sources = input.sources
        for (row, source) in input.sources.enumerated() where source >= 0 {
            if source != row {
                rows.copy(from: source, to: row)
                if let results = unsafe results { unsafe results[row] = results[source] }
            }
            if failed.contains(source) { sources[row] = -1 }
        }
        unsafe output.move(to: vectorsSchema, vectors, sources: sources)
    }
}
