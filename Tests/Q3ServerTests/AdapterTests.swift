// Adapters over HTTP: by a field of the request, by the name of the model, and where they are refused.
#if Server
import Foundation
import Q3Embedding
import TestSupport
import Testing

@testable import Q3Server

@Suite struct AdapterTests {
    private let embedder: Embedder
    private let legal: EmbeddingAdapter
    private let server: TestServer

    init() throws {
        embedder = try Embedder(file: Fixture.model("tiny-embed-Q8_0"))
        legal = try Self.adapter(for: embedder, scope: .queries)
        server = try TestServer(
            embedder: embedder,
            adapters: [
                ServedAdapter(name: "legal", adapter: legal),
                ServedAdapter(name: "both", adapter: try Self.adapter(for: embedder, scope: .everything)),
            ])
    }

    /// Adds the first value of a vector to its last.
    private static func adapter(for embedder: Embedder, scope: EmbeddingAdapter.Scope) throws -> EmbeddingAdapter {
        var down = [Float](repeating: 0, count: embedder.dimensions)
        var up = down
        (down[0], up[embedder.dimensions - 1]) = (1, 1)
        return try EmbeddingAdapter(
            model: Fingerprint(of: embedder.model), dimensions: embedder.dimensions, rank: 1, scope: scope,
            instruction: "Find the law", down: down, up: up)
    }

    private func vector(_ path: String, _ body: String) async throws -> [Float] {
        let answer = try await server.post(path, body)
        #expect(answer.status == 200, "\(String(decoding: answer.body, as: UTF8.self))")
        if path == "/embed" { return floats(try answer.json([Any].self)[0]) }
        let items = try #require(try answer.json()["data"] as? [[String: Any]])
        return floats(items[0]["embedding"])
    }

    private func expected(_ prompt: Prompt, _ adapter: EmbeddingAdapter?) async throws -> [Float] {
        try await embedder.embed("sublet", as: prompt, options: EmbeddingOptions(adapter: adapter)).vector
    }

    @Test func `a field of the request chooses an adapter`() async throws {
        let task = Prompt.query(task: "Find the law")
        let adapted = try await expected(task, legal)
        #expect(adapted != (try await expected(task, nil)))
        // Without a prompt the texts are queries for the adapter's own task.
        #expect(try await vector("/v1/embeddings", #"{"input":"sublet","adapter":"legal"}"#) == adapted)
        #expect(try await vector("/embed", #"{"inputs":"sublet","adapter":"legal"}"#) == adapted)
        let query = try await expected(.query(), legal)
        #expect(
            try await vector("/v1/embeddings", #"{"input":"sublet","adapter":"legal","prompt_name":"query"}"#) == query)
        #expect(try await vector("/v1/embeddings", #"{"input":"sublet"}"#) == (try await expected(.document, nil)))
    }

    @Test func `the name of the model chooses an adapter for clients that can set nothing else`() async throws {
        let task = Prompt.query(task: "Find the law")
        #expect(
            try await vector("/v1/embeddings", #"{"input":"sublet","model":"embed:legal"}"#) == expected(task, legal))
        let document = #"{"input":"sublet","model":"embed:legal","input_type":"document"}"#
        #expect(try await vector("/v1/embeddings", document) == expected(.document, nil))
        let both = #"{"input":"sublet","model":"embed:both","input_type":"document"}"#
        #expect(try await vector("/v1/embeddings", both) != expected(.document, nil))
        let models = try #require(try await server.get("/v1/models").json()["data"] as? [[String: Any]])
        #expect(models[0]["adapters"] as? [String] == ["legal", "both"])
    }

    @Test(arguments: [
        (#"{"input":"a","adapter":"tax"}"#, "has no adapter"),
        (#"{"input":"a","adapter":"legal","prompt_name":"document"}"#, "changes queries alone"),
    ]) func `what an adapter cannot do is refused`(_ body: String, _ reason: String) async throws {
        let answer = try await server.post("/v1/embeddings", body)
        #expect(answer.status == 400)
        let error = try #require(try answer.json()["error"] as? [String: Any])
        #expect((error["message"] as? String)?.contains(reason) ?? false && error["param"] as? String == "adapter")
    }

    @Test func `states of tokens have no adapter`() async throws {
        let answer = try await server.post("/embed_all", #"{"inputs":"a","adapter":"legal"}"#)
        #expect(answer.status >= 400 && answer.status < 500)
    }
}
#endif
