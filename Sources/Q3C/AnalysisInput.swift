// What the calls on vectors have in common: rows and options in, threads and progress.
import CQ3
import Q3Linear

/// Runs an analysis as a task and waits for it. `body` gets what progress is told to, as a part of the whole.
func analyzing<Result: Sendable>(
    _ handle: OpaquePointer?,
    _ body: @escaping @Sendable (_ progress: @escaping @Sendable (Double) -> Void) async throws -> Result
) throws -> Result {
    let ticket = try unsafe openTicket(handle)
    try Process.claim()
    try Process.checkThreads()
    ticket?.report(completed: 0, total: 1000)
    let result = try waiting(ticket) {
        try await body { part in ticket?.report(completed: Int64(part * 1000), total: 1000) }
    }
    ticket?.report(completed: 1000, total: 1000)
    return result
}

/// The caller's rows in unit length.
func unitRows(_ vectors: UnsafePointer<q3_vectors>?, _ name: StaticString) throws(Fault) -> VectorMatrix {
    guard let vectors = unsafe vectors?.pointee else { throw .argument("\(name) is NULL") }
    let rows = try unsafe VectorMatrix(vectors, name)
    do throws(LinearError) {
        return try rows.normalized()
    } catch {
        let fault = Fault(error)
        throw Fault(status: fault.status, message: "\(name): \(fault.message)", index: fault.index)
    }
}

extension VectorMatrix {
    /// A copy of the caller's rows.
    init(_ vectors: q3_vectors, _ name: StaticString) throws(Fault) {
        guard let count = unsafe Int(exactly: vectors.count), 0..<(1 << 40) ~= count else {
            throw .argument("\(name).count is \(unsafe vectors.count)")
        }
        guard let dimensions = unsafe Int(exactly: vectors.dimensions), 1...Self.dimensionLimit ~= dimensions else {
            throw .argument(
                "\(name).dimensions is \(unsafe vectors.dimensions), expected 1 to \(VectorMatrix.dimensionLimit)")
        }
        guard let values = unsafe vectors.values ?? (count == 0 ? UnsafePointer(bitPattern: 16) : nil) else {
            throw .argument("\(name).values is NULL")
        }
        do throws(LinearError) {
            var builder = try VectorMatrixBuilder(dimensions: dimensions, capacity: count)
            for row in 0..<count { unsafe try builder.append(values + row * dimensions) }
            self = builder.finish()
        } catch {
            throw Fault(error)
        }
    }
}

/// A number of threads from a caller; nil for 0.
func threadCount(_ threads: Int32) throws(Fault) -> Int? {
    guard threads >= 0 else { throw .argument("threads is \(threads), expected 0 or more") }
    return threads == 0 ? nil : Int(threads)
}

/// A count of options, within `range`; 0 stands for `standard` where there is one.
func count(
    _ value: Int64, _ name: StaticString, in range: ClosedRange<Int> = 1...Int(Int32.max), orElse standard: Int? = nil
) throws(Fault) -> Int {
    if value == 0, let standard { return standard }
    guard let count = Int(exactly: value), range ~= count else {
        throw .argument("\(name) is \(value), expected \(range.lowerBound) to \(range.upperBound)")
    }
    return count
}

/// A cosine that rows must reach.
func threshold(_ value: Float) throws(Fault) -> Float {
    guard value > -1, value <= 1 else { throw .argument("threshold is \(value), expected a cosine up to 1") }
    return value
}

/// The caller's memory for a result; throws where it must not be NULL and is.
func needed<Element>(
    _ memory: UnsafeMutablePointer<Element>?, _ name: StaticString
) throws(Fault) -> UnsafeMutablePointer<Element> {
    guard let memory = unsafe memory else { throw .argument("\(name) is NULL") }
    return unsafe memory
}
