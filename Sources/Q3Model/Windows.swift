// An input of any length in bounded memory: what a sequence gives is computed in windows, while the next one is read.
import Synchronization

/// The elements of a sequence, each with what was computed from it, in order.
///
/// A window is what the sequence gave while the one before was computed, up to a limit. So a slow sequence gets results
/// without waiting for a full window. At most two windows are held.
package struct Windows<Source: AsyncSequence & Sendable, Output: Sendable>: AsyncSequence, Sendable
where Source.Element: Sendable {
    package typealias Element = (Source.Element, Output)
    package typealias Failure = any Error

    fileprivate let source: Source
    fileprivate let byteCount: @Sendable (Source.Element) -> Int
    fileprivate let makeCompute: @Sendable () -> Compute

    /// Gives one output for each element of a window.
    package typealias Compute = ([Source.Element]) async throws -> [Output]

    /// `byteCount` is the size of an element's text; each iteration computes with a function of its own, which may count.
    package init(
        over source: Source, byteCount: @escaping @Sendable (Source.Element) -> Int,
        makeCompute: @escaping @Sendable () -> Compute
    ) {
        self.source = source
        self.byteCount = byteCount
        self.makeCompute = makeCompute
    }

    package func makeAsyncIterator() -> Iterator { Iterator(self) }

    package final class Iterator: AsyncIteratorProtocol {
        private let compute: Compute
        private let buffer = WindowBuffer<Source.Element>()
        private let reading: Task<Void, Never>
        private var ready: [Element] = []
        private var position = 0

        fileprivate init(_ windows: Windows) {
            compute = windows.makeCompute()
            reading = Task { [buffer] in
                do {
                    for try await element in windows.source {
                        guard await buffer.add(element, byteCount: windows.byteCount(element)) else { return }
                    }
                    buffer.end(nil)
                } catch {
                    buffer.end(error)
                }
            }
        }

        /// Whether the next element is ready.
        package var hasElementAtHand: Bool { position < ready.count }

        deinit {
            reading.cancel()
            buffer.abandon()
        }

        /// The next element and its output, nil after the last. Throws what the source or `compute` throws, after the outputs
        /// of what came before it.
        package func next() async throws -> Element? {
            while position == ready.count {
                let window = try await withTaskCancellationHandler {
                    try await buffer.window()
                } onCancel: { [reading, buffer] in
                    reading.cancel()
                    buffer.end(CancellationError())
                }
                guard !window.isEmpty else { return nil }
                let outputs = try await compute(window)
                precondition(outputs.count == window.count, "one output per element")
                ready = Array(zip(window, outputs))
                position = 0
            }
            defer { position += 1 }
            return ready[position]
        }
    }
}

/// Elements on their way from the task that reads to the one that computes. One task adds, one takes.
private final class WindowBuffer<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var byteCount = 0
        var isAtEnd = false
        var isAbandoned = false
        var error: (any Error)?
        /// The task that adds, while there is no space; resumed with whether to go on.
        var writer: CheckedContinuation<Bool, Never>?
        /// The task that takes, while there is nothing.
        var reader: CheckedContinuation<Void, Never>?

        var isFull: Bool { elements.count >= elementLimit || byteCount >= byteLimit }
    }

    /// A window is full with this many elements or bytes: enough for whole batches of the model, little enough that results
    /// keep coming.
    private static var elementLimit: Int { 512 }
    private static var byteLimit: Int { 1 << 16 }

    /// How long a window waits for more than its first elements.
    private static var patience: (steps: Int, step: Duration) { (10, .microseconds(500)) }

    private let state = Mutex(State())

    /// Adds an element and waits for space for the next. False once nobody takes elements any more.
    func add(_ element: Element, byteCount: Int) async -> Bool {
        await withCheckedContinuation { continuation in
            let (reader, goesOn) = state.withLock { state -> (CheckedContinuation<Void, Never>?, Bool?) in
                state.elements.append(element)
                state.byteCount += byteCount
                defer { state.reader = nil }
                if state.isAbandoned || !state.isFull { return (state.reader, !state.isAbandoned) }
                state.writer = continuation
                return (state.reader, nil)
            }
            reader?.resume()
            if let goesOn { continuation.resume(returning: goesOn) }
        }
    }

    /// Ends the sequence, with an error if there was one.
    func end(_ error: (any Error)?) {
        let reader = state.withLock { state in
            if !state.isAtEnd { (state.isAtEnd, state.error) = (true, error) }
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume()
    }

    /// Nobody takes elements any more.
    func abandon() {
        let writer = state.withLock { state in
            state.isAbandoned = true
            defer { state.writer = nil }
            return state.writer
        }
        writer?.resume(returning: false)
    }

    /// The next elements, in the order in which they came; none at the end.
    func window() async throws -> [Element] {
        await withCheckedContinuation { continuation in
            let isWaiting = state.withLock { state in
                guard state.elements.isEmpty, !state.isAtEnd else { return false }
                state.reader = continuation
                return true
            }
            if !isWaiting { continuation.resume() }
        }
        // A source that is just starting fills a window at once; the model is faster with one than with single texts.
        for _ in 0..<Self.patience.steps {
            if state.withLock({ $0.isFull || $0.isAtEnd }) { break }
            try await Task.sleep(for: Self.patience.step)
        }
        let (window, writer) = try state.withLock { state in
            if state.elements.isEmpty, let error = state.error { throw error }
            defer { (state.elements, state.byteCount, state.writer) = ([], 0, nil) }
            return (state.elements, state.writer)
        }
        writer?.resume(returning: true)
        return window
    }
}

extension Windows {
    /// The texts of items through a head, each output in its item's place; nil where an item has no text. `head` also gets the
    /// number of texts before its own. `progress` counts the tokens of all windows so far, and gets the last item of the window.
    package init<Text, Result>(
        over source: Source, progress: (@Sendable (Progress, Source.Element) -> Void)?,
        text: @escaping @Sendable (Source.Element) -> Text?, size: @escaping @Sendable (Text) -> Int,
        head: @escaping @Sendable ([Text], Int, @escaping @Sendable (Progress) -> Void) async throws -> [Result]
    ) where Output == Result? {
        self.init(over: source, byteCount: { text($0).map(size) ?? 0 }) {
            let counts = Mutex((texts: 0, tokens: 0))
            return { items in
                let texts = items.map(text)
                let before = counts.withLock { $0 }
                let results = try await head(texts.compactMap { $0 }, before.texts) { window in
                    counts.withLock { $0.tokens = before.tokens + window.total }
                    guard let progress, let last = items.last else { return }
                    progress(
                        Progress(completed: before.tokens + window.completed, total: before.tokens + window.total), last
                    )
                }
                counts.withLock { $0.texts += results.count }
                var next = results.makeIterator()
                return texts.map { $0 == nil ? nil : next.next() }
            }
        }
    }
}
