// The embedder on tiny models: the reference's vectors, one end of text, lengths, batches, and damage that stays local.
import Q3GGUF
import Q3Model
import Q3Tokenizer
import TestSupport
import Testing

@testable import Q3Embedding

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

@Suite struct EmbedderTests {
    private static let models = [
        "tiny-embed-F32", "tiny-embed-F16", "tiny-embed-BF16", "tiny-embed-Q8_0", "tiny-embed-Q4_0", "tiny-embed-Q5_0",
        "tiny-embed-Q4_K_M", "tiny-embed-Q5_K_M", "tiny-embed-Q6_K",
    ]

    private func embedder(
        _ name: String = "tiny-embed-Q8_0", _ change: (inout ModelOptions) -> Void = { _ in }
    ) throws -> Embedder {
        var options = ModelOptions()
        options.precision = .exact
        change(&options)
        return try Embedder(file: Fixture.model(name), options: options)
    }

    /// A copy of a fixture whose context is short.
    private func shortEmbedder(contextLength: UInt32) throws -> Embedder {
        var copy = try ModelCopy(of: "tiny-embed-F32")
        copy["qwen3.context_length"] = .uint32(contextLength)
        return try Embedder(file: copy.open())
    }

    @Test(arguments: models) func `vectors are the reference's`(_ model: String) async throws {
        let items = try Fixture.items(model, as: EmbeddingItem.self)
        let embeddings = try await embedder(model).embed(items.map(\.text))
        var distances: [Float] = []
        for (item, embedding) in zip(items, embeddings) {
            #expect(embedding.tokenCount == item.ids.count, "\(item.name)")
            #expect(!embedding.isTruncated)
            distances.append(1 - Similarity.cosine(embedding.vector, item.embedding))
        }
        distances.sort()
        #expect(distances.count == items.count)
        #expect(distances[distances.count / 2] <= 1e-6)
        #expect(distances[distances.count - 1] <= 1e-5)
    }

    @Test func `prompts give the reference's IDs`() throws {
        let embedder = try embedder()
        for item in try Fixture.items("tiny-embed-Q8_0", as: EmbeddingItem.self) {
            var text = item.text
            if let task = item.task, let query = item.query { text = Prompt.query(task: task).applied(to: query) }
            #expect(try embedder.input(for: text, options: EmbeddingOptions()).get().ids == item.ids)
        }
    }

    @Test func `every added token stays text unless asked for`() throws {
        let embedder = try embedder()
        let firstAdded = try #require(embedder.tokenizer.endOfTextID)
        for piece in ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>", "<tool_call>"] {
            let literal = try embedder.input(for: "a\(piece)b", options: EmbeddingOptions()).get().ids
            #expect(literal.dropLast().allSatisfy { $0 < firstAdded }, "\(piece)")
            let parsed = try embedder.input(for: "a\(piece)b", options: EmbeddingOptions(parsesSpecialTokens: true))
                .get().ids
            #expect(parsed.dropLast().contains { $0 >= firstAdded }, "\(piece)")
        }
    }

    @Test(arguments: ["", "a", "a<|endoftext|>", "a<|endoftext|><|endoftext|>", "<|endoftext|>", "<|endoftext|>a"])
    func `exactly one end of text closes`(_ text: String) throws {
        let embedder = try embedder()
        let end = try #require(embedder.tokenizer.endOfTextID)
        let ids = try embedder.input(for: text, options: EmbeddingOptions(parsesSpecialTokens: true)).get().ids
        #expect(ids.last == end)
        #expect(ids.dropLast().last != end)
    }

    /// llama.cpp had people write the end of a text out.
    @Test func `one written end of text is the token that is there anyway`() async throws {
        let embedder = try embedder()
        let first = try #require(embedder.tokenizer.endOfTextID)
        func ids(_ text: String, _ options: EmbeddingOptions = EmbeddingOptions()) throws -> [Int32] {
            try embedder.input(for: text, options: options).get().ids
        }
        for text in ["a", "", "北京\n", "<|endoftext|>a"] { #expect(try ids("\(text)<|endoftext|>") == ids(text)) }
        for text in ["a<|endoftext|> ", "a<|endoftext|>b", "a<|endoftext|", "a<|im_end|>"] {
            #expect(try ids(text).dropLast() == embedder.tokenizer.encode(text)[...], "\(text)")
        }
        let twice = try ids("a<|endoftext|><|endoftext|>")
        #expect(twice == embedder.tokenizer.encode("a<|endoftext|>") + [first])
        #expect(twice.dropLast().allSatisfy { $0 < first })
        let query = try await embedder.embed("a<|endoftext|>", as: .query()).vector
        #expect(try await query == embedder.embed("a", as: .query()).vector)
    }

    /// Nothing and white space are texts like any other.
    @Test(arguments: ["", " ", "\n", "\t \r\n", "\u{3000}", "\0"]) func `empty texts have vectors`(_ text: String)
        async throws
    {
        let embedder = try embedder()
        let embedding = try await embedder.embed([text])[0]
        #expect(embedding.tokenCount == embedder.tokenizer.encode(text).count + 1)
        #expect(abs(Similarity.dot(embedding.vector, embedding.vector) - 1) < 1e-5)
    }

    /// Control tokens after the cut do not make a text shorter than it is.
    @Test func `a cut text with control tokens is cut`() throws {
        let embedder = try shortEmbedder(contextLength: 8)
        let text = "1234567<|endoftext|><|endoftext|>89"
        for parseSpecial in [false, true] {
            let options = EmbeddingOptions(truncates: true, parsesSpecialTokens: parseSpecial)
            let input = try embedder.input(for: text, options: options).get()
            #expect(input.isTruncated && input.ids.count == 8)
        }
    }

    @Test func `dimensions are cut then normalized`() async throws {
        let embedder = try embedder()
        let full = try await embedder.embed(["importance"])[0].vector
        for dimensions in [1, 2, 32, embedder.dimensions] {
            let options = EmbeddingOptions(dimensions: dimensions)
            let cut = try await embedder.embed(["importance"], options: options)[0].vector
            #expect(cut.count == dimensions)
            #expect(abs(Similarity.dot(cut, cut) - 1) < 1e-5)
            #expect(abs(Similarity.cosine(cut, Array(full.prefix(dimensions))) - 1) < 1e-5)
        }
        for dimensions in [0, -1, embedder.dimensions + 1, Int.max] {
            await #expect(
                throws: EmbeddingError.dimensions(requested: dimensions, available: embedder.dimensions)
            ) { try await embedder.embed(["a"], options: EmbeddingOptions(dimensions: dimensions)) }
        }
    }

    /// The same bits alone, in a batch, in another order, with one thread or two, with and without shared prefixes.
    @Test(arguments: ["tiny-embed-Q8_0", "tiny-embed-Q4_K_M"]) func `a batch does not change its members`(
        _ model: String
    )
        async throws
    {
        let texts = try Fixture.items(model, as: EmbeddingItem.self).map(\.text) + ["twice", "twice"]
        let together = try await embedder(model).embed(texts)
        #expect(together[texts.count - 2] == together[texts.count - 1])
        let reversed = try await embedder(model).embed(texts.reversed())
        #expect(reversed.reversed() == together)
        for threads in [1, 2] {
            for sharing in [true, false] {
                let other = try embedder(model) {
                    ($0.threads, $0.sharesPrefixes, $0.batchTokens) = (threads, sharing, 64)
                }
                #expect(try await other.embed(texts) == together)
            }
        }
        for (text, embedding) in zip(texts, together) {
            #expect(try await embedder(model).embed([text])[0] == embedding)
        }
    }

    @Test func `too long is an error of its text only`() async throws {
        let embedder = try shortEmbedder(contextLength: 8)
        let texts = ["a", "a b c d e f g h i j k l m n o p", "b"]
        let count = embedder.tokenizer.encode(texts[1]).count + 1
        #expect(count > 8)
        let results = try await embedder.results(for: texts)
        #expect(try results[0].get().tokenCount == 2)
        #expect(throws: EmbeddingError.tooLong(tokenCount: count, limit: 8)) { try results[1].get() }
        let alone = try await embedder.embed(["b"])[0]
        #expect(try results[2].get() == alone)
        await #expect(throws: EmbeddingError.text(index: 1, .tooLong(tokenCount: count, limit: 8))) {
            try await embedder.embed(texts)
        }
    }

    @Test func `truncation cuts the end and keeps end of text`() async throws {
        let embedder = try shortEmbedder(contextLength: 8)
        let text = "a b c d e f g h i j k l m n o p"
        let options = EmbeddingOptions(truncates: true)
        let input = try embedder.input(for: text, options: options).get()
        let end = try #require(embedder.tokenizer.endOfTextID)
        #expect(input.ids == embedder.tokenizer.encode(text).prefix(7) + [end])
        let embedding = try await embedder.embed([text], options: options)[0]
        #expect(embedding.isTruncated)
        #expect(embedding.tokenCount == 8)
    }

    @Test func `what just fits is not cut`() async throws {
        let embedder = try shortEmbedder(contextLength: 8)
        // Digits are tokens of their own: seven and the end of text fill the context.
        let results = try await embedder.results(
            for: ["1234567", "12345678"], options: EmbeddingOptions(truncates: true))
        #expect(try results.map { try $0.get().isTruncated } == [false, true])
        #expect(try results.map { try $0.get().tokenCount } == [8, 8])
    }

    /// A NaN in the embedding of one token reaches only the texts that have the token.
    @Test func `damage stays in its text`() async throws {
        var copy = try ModelCopy(of: "tiny-embed-F32")
        let id = try #require(try embedder("tiny-embed-F32").tokenizer.encode("Q").first)
        let rowByteCount = try embedder("tiny-embed-F32").dimensions * 4
        copy.edit("token_embd.weight") { $0.bytes.store(Float.nan.bitPattern, at: Int(id) * rowByteCount) }
        let damaged = try Embedder(file: copy.open())
        let results = try await damaged.results(for: ["one", "Q", "two"])
        #expect(throws: EmbeddingError.self) { try results[1].get() }
        let whole = try await Embedder(file: Fixture.model("tiny-embed-F32")).embed(["one", "two"])
        #expect(try results[0].get() == whole[0])
        #expect(try results[2].get() == whole[1])
    }

    @Test func `a zero vector is an error`() async throws {
        var copy = try ModelCopy(of: "tiny-embed-F32")
        copy.edit("output_norm.weight") { $0.reshape($0.shape) }
        let zero = try Embedder(file: copy.open())
        let results = try await zero.results(for: ["a"])
        #expect(throws: EmbeddingError.zeroNorm) { try results[0].get() }
    }

    @Test func `one text is embedded as in a list`() async throws {
        let embedder = try embedder()
        let embedding = try await embedder.embed("one", as: .query())
        #expect(try await embedder.embed(["two", "one"], as: .query())[1] == embedding)
        let short = try shortEmbedder(contextLength: 4)
        await #expect(throws: EmbeddingError.tooLong(tokenCount: 6, limit: 4)) { try await short.embed("12345") }
    }

    @Test func `an embedding is read back from JSON and from a line of q3 embed`() async throws {
        let embedding = try await embedder().embed("one")
        let json = try JSONEncoder().encode(embedding)
        #expect(try JSONDecoder().decode(Embedding.self, from: json) == embedding)
        let vector = "\"embedding\":\(embedding.vector)"
        let line = "{\"index\":0,\"tokens\":\(embedding.tokenCount),\"truncated\":false,\(vector)}"
        #expect(try JSONDecoder().decode(Embedding.self, from: Data(line.utf8)) == embedding)
        let empty = "{\"tokens\":1,\"truncated\":false,\"embedding\":[]}"
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(Embedding.self, from: Data(empty.utf8)) }
    }

    @Test func `nothing gives nothing`() async throws {
        #expect(try await embedder().embed([]).isEmpty)
    }

    @Test func `progress ends at all tokens`() async throws {
        let last = Last()
        let texts = ["a", "b c d", ""]
        let results = try await embedder().results(for: texts, progress: { last.set($0.completed, $0.total) })
        let count = try results.reduce(0) { $0 + (try $1.get().tokenCount) }
        #expect(last.value == [count, count])
    }
}

private final class Last: @unchecked Sendable {
    private(set) var value: [Int] = []
    func set(_ done: Int, _ count: Int) { value = [done, count] }
}
