// Texts that come one by one: the same vectors in order, bounded reading ahead, slow writers, errors and cancellation.
import Q3Embedding
import Q3Model
import Synchronization
import TestSupport
import Testing

/// Texts that are made when they are asked for, and how many were.
private struct Texts: AsyncSequence, Sendable {
    typealias Element = String

    struct Ended: Error {}

    let count: Int
    /// Fails instead of ending.
    var fails = false
    let taken = Counter()

    final class Counter: Sendable {
        private let count = Mutex(0)
        var value: Int { count.withLock { $0 } }
        func increment() { count.withLock { $0 += 1 } }
    }

    struct Iterator: AsyncIteratorProtocol {
        let texts: Texts
        var position = 0

        mutating func next() async throws -> String? {
            guard position < texts.count else {
                if texts.fails { throw Ended() }
                return nil
            }
            texts.taken.increment()
            defer { position += 1 }
            return "text \(position)"
        }
    }

    func makeAsyncIterator() -> Iterator { Iterator(texts: self) }
}

@Suite struct SequenceTests {
    private let embedder: Embedder

    init() throws {
        embedder = try Embedder(file: Fixture.model("tiny-embed-F32"))
    }

    @Test func `a sequence gives the vectors of a list, in order`() async throws {
        let texts = Texts(count: 1300)
        let progress = Mutex(Progress(completed: 0, total: 0))
        var embeddings: [Embedding] = []
        for try await result in embedder.embed(texts, progress: { value in progress.withLock { $0 = value } }) {
            embeddings.append(try result.get())
        }
        #expect(embeddings == (try await embedder.embed((0..<1300).map { "text \($0)" })))
        let tokenCount = embeddings.reduce(0) { $0 + $1.tokenCount }
        #expect(progress.withLock { $0 } == Progress(completed: tokenCount, total: tokenCount))
    }

    @Test func `no more than two windows are read ahead`() async throws {
        let texts = Texts(count: 100_000)
        for try await _ in embedder.embed(texts) { break }
        // The window whose result came, the next one, and one text in each hand.
        #expect(texts.taken.value <= 2 * 512 + 2)
    }

    @Test func `a text that was given is computed before the next one comes`() async throws {
        let (stream, continuation) = AsyncStream.makeStream(of: String.self)
        var results = embedder.embed(stream).makeAsyncIterator()
        for text in ["one", "two", "three"] {
            continuation.yield(text)
            let result = try #require(await results.next())
            #expect(try result.get() == (try await embedder.embed(text)))
        }
        continuation.finish()
        #expect(try await results.next() == nil)
    }

    @Test func `an error of the sequence comes after the results of what it gave`() async throws {
        var count = 0
        await #expect(throws: Texts.Ended.self) {
            for try await _ in embedder.embed(Texts(count: 600, fails: true)) { count += 1 }
        }
        #expect(count == 600)
    }

    @Test func `dimensions that the model does not have end the call`() async throws {
        await #expect(throws: EmbeddingError.dimensions(requested: 65, available: 64)) {
            for try await _ in embedder.embed(Texts(count: 1), options: EmbeddingOptions(dimensions: 65)) {}
        }
        for try await _ in embedder.embed(Texts(count: 0), options: EmbeddingOptions(dimensions: 65)) {}
    }

    @Test func `cancelling ends a wait for texts`() async throws {
        let (stream, continuation) = AsyncStream.makeStream(of: String.self)
        let task = Task { [embedder] in
            for try await _ in embedder.embed(stream) {}
        }
        continuation.yield("one")
        try await Task.sleep(for: .milliseconds(50))
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        withExtendedLifetime(continuation) {}
    }
}
