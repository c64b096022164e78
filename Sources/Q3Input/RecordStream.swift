// Records as an asynchronous sequence, read on a thread of their own: a slow pipe keeps no task waiting.
import Dispatch

/// The records of a reader, a few at a time. It is iterated once.
package struct RecordStream<Content: Sendable>: AsyncSequence, Sendable {
    package typealias Element = Record<Content>
    package typealias Failure = any Error

    private let source: Source

    package init(_ reader: sending RecordReader<Content>) { source = Source(reader) }

    /// Only its queue touches the reader.
    fileprivate final class Source: @unchecked Sendable {
        private let queue = DispatchQueue(label: "q3.input")
        private let reader: RecordReader<Content>
        /// What ended the reading, to be thrown after the records before it.
        private var error: (any Error)?

        init(_ reader: sending RecordReader<Content>) { self.reader = reader }

        /// The next record and those after it that can be read without waiting; none at the end.
        func next() async throws -> [Record<Content>] {
            try await withCheckedThrowingContinuation { continuation in
                queue.async { [self] in
                    continuation.resume(
                        with: Result {
                            if let error { throw error }
                            var records: [Record<Content>] = []
                            do {
                                while records.count < 64, try records.isEmpty || reader.hasRecordAtHand(),
                                    let record = try reader.next()
                                {
                                    records.append(record)
                                }
                            } catch {
                                self.error = error
                                if records.isEmpty { throw error }
                            }
                            return records
                        })
                }
            }
        }
    }

    package struct Iterator: AsyncIteratorProtocol {
        fileprivate let source: Source
        private var ready: [Record<Content>] = []
        private var position = 0

        fileprivate init(_ source: Source) { self.source = source }

        package mutating func next() async throws -> Record<Content>? {
            if position == ready.count {
                ready = try await source.next()
                position = 0
            }
            guard position < ready.count else { return nil }
            defer { position += 1 }
            return ready[position]
        }
    }

    package func makeAsyncIterator() -> Iterator { Iterator(source) }
}
