// What a file is taken for, and which files the embedder refuses.
import Q3Embedding
import Q3GGUF
import Q3Model
import TestSupport
import Testing

@Suite struct ModelRoleTests {
    private static let files: [(name: String, kind: ModelRole.Kind, evidence: String)] = [
        ("tiny-embed-Q8_0", .embedding, "qwen3.pooling_type is 3"),
        ("tiny-rerank-Q8_0", .reranker, "qwen3.pooling_type is 4 (rank)"),
        ("tiny-causal-Q8_0", .reranker, "general.basename is \"Qwen3-Reranker\""),
    ]

    @Test(arguments: files) func `fixtures`(_ test: (name: String, kind: ModelRole.Kind, evidence: String)) throws {
        let role = try ModelRole(of: Fixture.model(test.name))
        #expect(role.kind == test.kind)
        #expect(role.evidence == test.evidence)
    }

    private static let signs: [(change: @Sendable (inout ModelCopy) -> Void, kind: ModelRole.Kind)] = [
        ({ _ in }, .unstated),
        ({ $0["qwen3.pooling_type"] = .uint32(4) }, .reranker),
        ({ $0["qwen3.pooling_type"] = .uint32(3) }, .embedding),
        ({ $0["qwen3.pooling_type"] = .uint32(1) }, .embedding),
        ({ $0["qwen3.pooling_type"] = .uint32(0) }, .unstated),
        ({ $0["qwen3.classifier.output_labels"] = .array(MetadataArray(["yes", "no"])) }, .reranker),
        ({ $0["tokenizer.chat_template.rerank"] = .string("x") }, .reranker),
        ({ $0["general.name"] = .string("zerank-2 ReRanker") }, .reranker),
        ({ $0["general.name"] = .string("Some EMBEDDING model") }, .embedding),
        ({ $0["general.finetune"] = .string("Reranker") }, .reranker),
        ({ $0["general.tags"] = .array(MetadataArray(["qwen3", "text-ranking"])) }, .reranker),
        ({ $0["general.tags"] = .array(MetadataArray(["text-embeddings-inference", "conversational"])) }, .unstated),
        (
            { $0["general.tags"] = .array(MetadataArray(["text-embeddings-inference", "feature-extraction"])) },
            .embedding
        ),
        ({ $0["general.base_model.0.name"] = .string("Qwen3 Reranker 4B") }, .reranker),
        ({ $0["general.base_model.0.name"] = .string("Qwen3 Embedding 0.6B") }, .embedding),
        (
            {
                $0["general.base_model.count"] = .uint32(2)
                $0["general.base_model.1.name"] = .string("Qwen3 Reranker 4B")
            }, .reranker
        ),
        ({ $0["general.base_model.count"] = .uint32(.max) }, .unstated),
        // A model's own name comes before that of what it was made from.
        (
            {
                $0["general.name"] = .string("My embedder")
                $0["general.base_model.0.name"] = .string("Qwen3 Reranker 4B")
            }, .embedding
        ),
        (
            {
                $0["qwen3.pooling_type"] = .uint32(3)
                $0["general.base_model.0.name"] = .string("Qwen3 Reranker 4B")
            }, .embedding
        ),
        (
            {
                $0["qwen3.pooling_type"] = .uint32(3)
                $0["general.name"] = .string("Qwen3-Reranker")
            }, .reranker
        ),
        // What a converter writes on purpose comes before a name.
        (
            {
                $0["general.name"] = .string("Qwen3-Embedding")
                $0["qwen3.pooling_type"] = .uint32(4)
            }, .reranker
        ),
    ]

    @Test(arguments: signs.indices) func `signs decide`(_ index: Int) throws {
        var copy = try ModelCopy(of: "tiny-embed-Q8_0")
        for key in ["qwen3.pooling_type", "general.name", "general.basename"] { copy[key] = nil }
        Self.signs[index].change(&copy)
        #expect(try ModelRole(of: copy.open()).kind == Self.signs[index].kind)
    }

    @Test func `the file's name tells when nothing in it does`() throws {
        var copy = try ModelCopy(of: "tiny-embed-Q8_0")
        for key in ["qwen3.pooling_type", "general.name", "general.basename"] { copy[key] = nil }
        let folder = try TemporaryFolder()
        for (name, kind) in [
            ("my-Reranker.gguf", ModelRole.Kind.reranker), ("some_embedding.gguf", .embedding),
            ("chat.gguf", .unstated),
        ] {
            try copy.write(to: folder.file(name))
            #expect(try ModelRole(of: GGUFFile(path: folder.file(name))).kind == kind, "\(name)")
        }
    }

    @Test func `a role that is asked for decides where only names speak`() throws {
        var copy = try ModelCopy(of: "tiny-embed-Q8_0")
        copy["qwen3.pooling_type"] = nil
        copy["general.name"] = .string("a reranker by mistake")
        var options = ModelOptions()
        #expect(throws: EmbeddingError.self) { try Embedder(file: copy.open(), options: options) }
        options.role = .embedding
        #expect(try Embedder(file: copy.open(), options: options).role.evidence == "asked for as embedding")
        copy["qwen3.pooling_type"] = .uint32(4)
        #expect(throws: EmbeddingError.self) { try Embedder(file: copy.open(), options: options) }
    }

    /// A language model without a pooling is one with pooling "none" for its converter.
    @Test func `a model without pooling embeds when that is asked for`() async throws {
        var copy = try ModelCopy(of: "tiny-embed-Q8_0")
        copy["qwen3.pooling_type"] = .uint32(0)
        var options = ModelOptions()
        options.role = .embedding
        let embedding = try await Embedder(file: copy.open(), options: options).embed("a")
        #expect(try await Embedder(file: Fixture.model("tiny-embed-Q8_0")).embed("a") == embedding)
    }

    @Test func `rerankers are refused`() throws {
        let file = try Fixture.model("tiny-rerank-Q8_0")
        #expect(throws: EmbeddingError.rerankerModel(path: file.path, evidence: "qwen3.pooling_type is 4 (rank)")) {
            try Embedder(file: file)
        }
    }

    private static let poolings: [(type: UInt32, name: String)] = [
        (0, "none"), (1, "mean"), (2, "cls"), (9, "unknown"),
    ]

    @Test(arguments: poolings) func `other pooling is refused`(_ test: (type: UInt32, name: String)) throws {
        var copy = try ModelCopy(of: "tiny-embed-Q8_0")
        copy["qwen3.pooling_type"] = .uint32(test.type)
        let file = try copy.open()
        #expect(throws: EmbeddingError.unsupportedPooling(type: test.type, name: test.name)) {
            try Embedder(file: file)
        }
    }

    /// Early official files say nothing about pooling; they are embedding models all the same.
    @Test func `missing pooling is last token`() async throws {
        var copy = try ModelCopy(of: "tiny-embed-Q8_0")
        for key in ["qwen3.pooling_type", "tokenizer.ggml.add_eos_token"] { copy[key] = nil }
        let old = try await Embedder(file: copy.open()).embed(["a"])
        #expect(try await Embedder(file: Fixture.model("tiny-embed-Q8_0")).embed(["a"]) == old)
    }

    @Test func `more tokens than rows is refused`() throws {
        var copy = try ModelCopy(of: "tiny-embed-F32")
        let index = try #require(copy.tensors.firstIndex { $0.name == "token_embd.weight" })
        let (columns, rows) = (copy.tensors[index].shape[0], copy.tensors[index].shape[1])
        copy.tensors[index].shape = [columns, rows - 1]
        copy.tensors[index].bytes.removeLast(columns * 4)
        let file = try copy.open()
        #expect(throws: EmbeddingError.vocabulary(tokenCount: rows, embeddingCount: rows - 1)) {
            try Embedder(file: file)
        }
    }
}
