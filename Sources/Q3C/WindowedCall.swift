// A call of any size, computed part by part.
import Q3Model

/// Computes the items of a call in windows, one after another, and reports progress to the ticket.
///
/// `input` gives what the model reads of an item; `compute` gives an output for each input; `finish` gets what became of each
/// item, and ends the call with what it throws.
func computeInWindows<Input, Output, Failure>(
    count: Int, byteCount: @escaping (Int) -> Int, ticket: Ticket?,
    input: (Int) throws(Fault) -> Input,
    compute: ([Input], @escaping @Sendable (Progress) -> Void) async throws -> [Result<Output, Failure>],
    finish: (Int, Result<Output, Fault>) throws(Fault) -> Void
) async throws {
    let total = (0..<count).reduce(0) { $0 + Int64(byteCount($1)) }
    var done: Int64 = 0
    ticket?.report(completed: 0, total: total)
    for window in TextWindows(count: count, byteCount: byteCount) {
        var (indices, inputs): ([Int], [Input]) = ([], [])
        for index in window.items {
            do throws(Fault) {
                inputs.append(try input(index))
                indices.append(index)
            } catch {
                try finish(index, .failure(error))
            }
        }
        let before = done
        let results = try await compute(inputs) { progress in
            let part = Double(window.byteCount) * progress.fraction
            ticket?.report(completed: before + Int64(part), total: total)
        }
        for (index, result) in zip(indices, results) { try finish(index, result.mapError { Fault($0) }) }
        done += Int64(window.byteCount)
        ticket?.report(completed: done, total: total)
    }
}

/// Parts of a call that are computed together: enough to keep the model's batches whole, little enough that a call of any
/// size needs little memory beside its results.
private struct TextWindows: Sequence, IteratorProtocol {
    private static let itemCount = 1024
    private static let byteCount = 1 << 18

    private let count: Int
    private let byteCount: (Int) -> Int
    private var position = 0

    init(count: Int, byteCount: @escaping (Int) -> Int) {
        self.count = count
        self.byteCount = byteCount
    }

    /// The items of the next window and their bytes.
    mutating func next() -> (items: Range<Int>, byteCount: Int)? {
        guard position < count else { return nil }
        let start = position
        var bytes = 0
        while position < count, position - start < Self.itemCount, bytes < Self.byteCount {
            bytes += byteCount(position)
            position += 1
        }
        return (start..<position, bytes)
    }
}
