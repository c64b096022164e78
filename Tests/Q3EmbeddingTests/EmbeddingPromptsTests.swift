// Prompts that a file brings along: used for queries and documents, and part of the vector space.
import Q3GGUF
import Q3Model
import TestSupport
import Testing

@testable import Q3Embedding

struct EmbeddingPromptsTests {
    private func embedder(_ prompts: [String: String]) throws -> Embedder {
        var copy = try ModelCopy(of: "tiny-embed-Q8_0")
        for (name, text) in prompts { copy["sentence_transformers.prompts.\(name)"] = .string(text) }
        return try Embedder(file: copy.open())
    }

    @Test func `a file's own prompts precede queries and documents`() async throws {
        let own = try embedder(["query": "Query: ", "document": "Document: "])
        let plain = try embedder([:])
        #expect(!own.takesInstructions && plain.takesInstructions)
        #expect(own.prompted("x", as: .query()) == "Query: x")
        #expect(own.prompted("x", as: .document) == "Document: x")
        #expect(try await own.embed("x", as: .query()) == plain.embed("Query: x"))
        #expect(try await own.embed("x") == plain.embed("Document: x"))
        #expect(try await own.embed("x") != plain.embed("x"))
    }

    @Test func `documents take the first prompt that sentence-transformers looks up`() throws {
        #expect(try embedder(["passage": "P ", "corpus": "C "]).prompted("x", as: .document) == "P x")
        #expect(try embedder(["corpus": "C "]).prompted("x", as: .document) == "C x")
        #expect(try embedder(["document": "", "passage": "P "]).prompted("x", as: .document) == "x")
        #expect(try embedder(["clustering": "Cluster: "]).prompted("x", as: .document) == "x")
    }

    /// Qwen3-Embedding's own config_sentence_transformers.json says what is the rule here anyway.
    @Test func `the official prompts leave tasks and fingerprints alone`() throws {
        let official = try embedder(["query": Prompt.query().applied(to: ""), "document": ""])
        let plain = try embedder([:])
        #expect(official.takesInstructions)
        #expect(official.prompted("x", as: .query(task: "T")) == "Instruct: T\nQuery:x")
        #expect(try Fingerprint(of: official.model) == Fingerprint(of: plain.model))
    }

    @Test func `an instruction of the file is the default task and no other space`() throws {
        let own = try embedder(["query": "Instruct: Find recipes\nQuery:"])
        #expect(own.takesInstructions)
        #expect(own.prompted("x", as: .query()) == "Instruct: Find recipes\nQuery:x")
        #expect(own.prompted("x", as: .query(task: "T")) == "Instruct: T\nQuery:x")
        #expect(try Fingerprint(of: own.model) == Fingerprint(of: embedder([:]).model))
    }

    @Test func `fingerprints tell prompts apart`() throws {
        let prompts: [[String: String]] = [
            [:], ["query": ""], ["query": "Query: "], ["query": "Query: ", "document": "Document: "],
            ["document": "Document: "],
        ]
        let fingerprints = try prompts.map { try Fingerprint(of: embedder($0).model) }
        #expect(Set(fingerprints).count == prompts.count)
    }

    @Test func `a prompt that is too long is refused`() {
        #expect(throws: ModelError.self) { try embedder(["query": String(repeating: "a", count: 1 << 15)]) }
    }
}
