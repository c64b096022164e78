// Converting the folders of the fixtures: q3's vectors and scores of the files are those of transformers.
import Q3Embedding
import Q3GGUF
import Q3Model
import Q3Reranking
import TestSupport
import Testing

@testable import Q3Convert

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

struct ConverterTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func convert(
        _ name: String, _ type: FileType? = nil, role: ModelRole.Kind? = nil, causal: Bool = false
    ) throws -> GGUFFile {
        let output = folder.file("\(name).gguf")
        _ = try Converter.convert(
            folder: Fixture.path("checkpoints/\(name)"), to: output, as: type, role: role, causal: causal)
        return try GGUFFile(path: output)
    }

    @Test(arguments: [nil, FileType.f32, .f16, .bf16, .q8_0])
    func `vectors are those of the reference`(_ type: FileType?) async throws {
        let file = try convert("tiny-embedding", type)
        var options = ModelOptions()
        options.precision = .exact
        let embedder = try Embedder(file: file, options: options)
        let items: [EmbeddingItem] = try Fixture.items("checkpoints/tiny-embedding")
        let vectors = try await embedder.embed(items.map(\.text))
        let limit =
            switch type {
            case .bf16: 2e-4
            case .q8_0: 1e-3
            default: 1e-6
            }
        for (item, vector) in zip(items, vectors) {
            #expect(vector.tokenCount == item.ids.count, "\(item.name)")
            #expect(1 - Double(Similarity.dot(vector.vector, item.embedding)) <= limit, "\(item.name)")
        }
    }

    @Test func `adapters are merged`() async throws {
        let output = folder.file("adapted.gguf")
        _ = try Converter.convert(
            folder: Fixture.path("checkpoints/tiny-embedding"), adapter: Fixture.path("checkpoints/tiny-adapter"),
            to: output)
        var options = ModelOptions()
        options.precision = .exact
        let embedder = try Embedder(path: output, options: options)
        let items: [EmbeddingItem] = try Fixture.items("checkpoints/tiny-adapter")
        let plain: [EmbeddingItem] = try Fixture.items("checkpoints/tiny-embedding")
        for (index, vector) in try await embedder.embed(items.map(\.text)).enumerated() {
            #expect(1 - Double(Similarity.dot(vector.vector, items[index].embedding)) <= 1e-6, "\(items[index].name)")
            #expect(Similarity.dot(vector.vector, plain[index].embedding) < 0.99, "the adapter changes something")
        }
    }

    static let rerankers = [
        ("tiny-reranker", false), ("tiny-reranker", true), ("tiny-reranker-untied", false),
        ("tiny-reranker-untied", true),
    ]

    @Test(arguments: rerankers)
    func `scores are those of the reference`(_ name: String, _ causal: Bool) async throws {
        let file = try convert(name, causal: causal)
        let head = try RerankHeadSource(file: file, hiddenSize: 64)
        switch (name, causal) {
        case (_, false): #expect(head == .classifier(yesRow: 0, noRow: 1))
        case ("tiny-reranker", true): #expect(head == .tiedEmbeddings)
        default: #expect(head == .output)
        }
        var options = ModelOptions()
        options.precision = .exact
        let reranker = try Reranker(file: file, options: options)
        for item in try Fixture.items("checkpoints/\(name)", as: RerankItem.self) {
            let pair = RerankPair(query: item.query, document: item.document, instruction: item.instruction)
            let score = try await reranker.score([pair])[0]
            #expect(abs(Double(score.margin) - item.margin) < 1e-4, "\(item.query)")
        }
    }

    @Test func `embedding models get their metadata`() throws {
        let metadata = try convert("tiny-embedding").metadata
        #expect(try metadata.string("general.architecture") == "qwen3")
        #expect(try metadata.uint32("qwen3.pooling_type") == 3)
        #expect(try metadata.uint32("general.file_type") == 0)
        #expect(try metadata.bool("tokenizer.ggml.add_eos_token"))
        let tokens = try metadata.stringArray("tokenizer.ggml.tokens").makeStrings()
        let eos = Int(try metadata.uint32("tokenizer.ggml.eos_token_id"))
        #expect(tokens[eos] == "<|endoftext|>")
        let types = try metadata.int32Array("tokenizer.ggml.token_type")
        #expect(types.count == tokens.count && tokens.last == "[PAD\(tokens.count - 1)]" && types.last == 5)
        #expect(types[eos] == 3 && tokens.firstIndex(of: "<think>").map { types[$0] } == 4 && types[0] == 1)
        #expect(try metadata.string("sentence_transformers.prompts.query") == Prompt.query().applied(to: ""))
        #expect(try metadata.string("sentence_transformers.prompts.document") == "")
        #expect(metadata.value("tokenizer.chat_template.rerank") == nil)
    }

    @Test func `rerankers get their metadata`() throws {
        let file = try convert("tiny-reranker")
        let metadata = file.metadata
        #expect(try metadata.uint32("qwen3.pooling_type") == 4)
        #expect(try metadata.stringArray("qwen3.classifier.output_labels").makeStrings() == ["yes", "no"])
        #expect(try !metadata.bool("tokenizer.ggml.add_eos_token"))
        let card = PromptStyle.card.template.replacing("{instruction}", with: PromptStyle.card.defaultInstruction)
        #expect(try metadata.string("tokenizer.chat_template.rerank") == card)
        #expect(file.tensor(named: "cls.output.weight")?.type == .f32)
        #expect(file.tensor(named: "token_embd.weight")?.type == .bf16)
        let causal = try convert("tiny-reranker-untied", .q8_0, causal: true)
        #expect(causal.tensor(named: "output.weight")?.type == .q8_0)
        #expect(causal.metadata.value("qwen3.pooling_type") == nil)
    }

    @Test func `both forms of a tokenizer give the same`() throws {
        let whole = try CheckpointTokenizer(folder: Fixture.path("checkpoints/tiny-reranker"), rowCount: 512)
        let parts = try CheckpointTokenizer(folder: Fixture.path("checkpoints/tiny-reranker-untied"), rowCount: 512)
        #expect(whole.tokens == parts.tokens && whole.types == parts.types && whole.merges == parts.merges)
    }

    /// The folder of a sequence classifier made of the tiny reranker: one row, yes less no.
    private func classifier(in folder: TemporaryFolder, labels: String) throws -> String {
        let path = folder.file("classifier")
        try FileManager.default.copyItem(atPath: Fixture.path("checkpoints/tiny-reranker"), toPath: path)
        var config = String(decoding: try folder.read("classifier/config.json"), as: UTF8.self)
        config.replace("Qwen3ForCausalLM", with: "Qwen3ForSequenceClassification")
        config.replace("\"hidden_act\"", with: "\(labels), \"hidden_act\"")
        try folder.write("classifier/config.json", config.utf8)

        let source = try convert("tiny-reranker")
        let head = try #require(source.tensor(named: "cls.output.weight"))
        let rows = unsafe Array(unsafe source.bytes(of: head).bindMemory(to: Float.self))
        let row = zip(rows[..<(rows.count / 2)], rows[(rows.count / 2)...]).map { $0 - $1 }
        let header =
            "{\"score.weight\":{\"dtype\":\"F32\",\"shape\":[1,\(row.count)],"
            + "\"data_offsets\":[0,\(4 * row.count)]}}"
        var bytes = [UInt8](repeating: 0, count: 8 + header.utf8.count + 4 * row.count)
        bytes.store(UInt64(header.utf8.count), at: 0)
        bytes.replaceSubrange(8..<8 + header.utf8.count, with: header.utf8)
        for (index, value) in row.enumerated() {
            bytes.store(value.bitPattern, at: 8 + header.utf8.count + 4 * index)
        }
        try folder.write("classifier/score.safetensors", bytes)
        var index = String(decoding: try folder.read("classifier/model.safetensors.index.json"), as: UTF8.self)
        index.replace(
            "\"weight_map\": {", with: "\"weight_map\": {\"score.weight\": \"score.safetensors\",")
        try folder.write("classifier/model.safetensors.index.json", index.utf8)
        return path
    }

    @Test func `a sequence classifier with one logit becomes a reranker`() async throws {
        let folder = try TemporaryFolder()
        let path = try classifier(in: folder, labels: "\"id2label\": {\"0\": \"relevant\"}")
        let output = folder.file("one.gguf")
        _ = try Converter.convert(folder: path, to: output)
        let file = try GGUFFile(path: output)
        #expect(file.tensor(named: "cls.output.weight")?.shape == [64, 1])
        #expect(try file.metadata.stringArray("qwen3.classifier.output_labels").makeStrings() == ["relevant"])
        let pairs = [RerankPair(query: "a", document: "b"), RerankPair(query: "capital", document: "Beijing.")]
        let one = try await Reranker(file: file).score(pairs)
        let two = try await Reranker(file: convert("tiny-reranker")).score(pairs)
        for (a, b) in zip(one, two) { #expect(abs(a.margin - b.margin) < 1e-4) }
        #expect(throws: ConvertError.classifierIsNotCausal) {
            try Converter.convert(folder: path, to: output, causal: true)
        }
    }

    @Test func `a classifier of other things is refused`() throws {
        let folder = try TemporaryFolder()
        let labels = "\"id2label\": {\"0\": \"positive\", \"1\": \"negative\"}"
        let path = try classifier(in: folder, labels: labels)
        #expect(throws: ConvertError.self) { try Converter.convert(folder: path, to: folder.file("out.gguf")) }
    }
}
