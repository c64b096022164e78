// What a program of a user does with two imports and no other: options, errors, tokens, a long input with progress, its end.
import Q3Embedding
import Q3Reranking

/// The furthest progress that any thread has seen.
actor Furthest {
    private(set) var progress = Progress(completed: 0, total: 0)
    func see(_ new: Progress) { if new.completed > progress.completed { progress = new } }
}

/// Texts without an end, which count how many were taken.
struct Endless: AsyncSequence, Sendable {
    struct AsyncIterator: AsyncIteratorProtocol {
        var taken = 0
        mutating func next() async -> String? {
            taken += 1
            return "text number \(taken)"
        }
    }
    func makeAsyncIterator() -> AsyncIterator { AsyncIterator() }
}

func fail(_ what: String) -> Never { fatalError(what) }

// Options, by name.
var options = ModelOptions()
options.precision = .exact
options.threads = 2
let embedder = try Embedder(path: "Qwen3-Embedding-0.6B-Q8_0.gguf", options: options)
guard embedder.model.options.threads == 2, embedder.role.kind == .embedding else { fail("options") }

// A typed error, of the reader and of a text.
do {
    _ = try GGUFFile(path: "nowhere.gguf")
    fail("a file that is not there was opened")
} catch {
    guard case .cannotOpen(let path, _) = error else { fail("another error: \(error)") }
    print("no file \(path)")
}
let tooLong = String(repeating: "word ", count: embedder.tokenLimit + 1)
do {
    _ = try await embedder.embed(tooLong)
    fail("a text that is too long has a vector")
} catch EmbeddingError.tooLong(let tokenCount, let limit) {
    print("\(tokenCount) tokens, at most \(limit)")
}
guard try await embedder.embed(tooLong, options: EmbeddingOptions(dimensions: 8, truncates: true)).isTruncated else {
    fail("a text that was cut does not say so")
}

// The tokenizer, and the file's own metadata.
let ids: [Int32] = embedder.tokenizer.encode("Hello, world")
guard try embedder.tokenizer.decode(ids) == "Hello, world" else { fail("tokens") }
let name = try embedder.model.file.metadata.required("general.architecture", as: String.self)
print("\(name), \(ids.count) tokens")

// A long input: results in order while texts come, with progress, cancelled after a thousand.
let furthest = Furthest()
let reading = Task {
    var count = 0
    let results = embedder.embed(Endless(), options: EmbeddingOptions(dimensions: 32)) { progress in
        Task { await furthest.see(progress) }
    }
    for try await result in results {
        guard try result.get().vector.count == 32 else { fail("dimensions") }
        count += 1
        if count == 1000 { withUnsafeCurrentTask { $0?.cancel() } }
    }
    return count
}
do {
    let count = try await reading.value
    guard count >= 1000 else { fail("only \(count) results") }
} catch is CancellationError {}
guard await furthest.progress.completed > 0 else { fail("no progress") }
print("cancelled after \(await furthest.progress.completed) tokens")

// The reranker speaks of the same types.
let reranker = try Reranker(path: "qwen3-reranker-0.6b-q8_0.gguf", options: options)
do {
    _ = try Embedder(file: reranker.model.file)
    fail("a reranker embeds")
} catch EmbeddingError.rerankerModel {
    print("door open")
}
