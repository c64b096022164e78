// Model files as people have them: what q3 says of those that say little, and of those that it does not run.
import Q3GGUF
import TestSupport
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

@Suite struct ModelFormsTests {
    private let folder: TemporaryFolder
    private var path: String { folder.file("model.gguf") }

    init() throws { folder = try TemporaryFolder() }

    /// A fixture with something changed, at `path`.
    private func write(_ fixture: String, _ change: (inout ModelCopy) -> Void) throws {
        var copy = try ModelCopy(of: fixture)
        change(&copy)
        try copy.write(to: path)
    }

    private struct Support: Decodable {
        let supported: Bool
        let reason: String?
        let role: String
        let role_evidence: String
    }

    private func support(_ arguments: [String] = []) throws -> Support {
        let outcome = try Tool.run(["info", "--json", "-m", path] + arguments)
        #expect(outcome.status == 0, "\(outcome.messages)")
        return try JSONDecoder().decode(Support.self, from: Data(outcome.output))
    }

    private static let unsupported: [(key: String, value: MetadataValue, reason: String)] = [
        ("qwen3.rope.scaling.type", .string("yarn"), "qwen3.rope.scaling.type is yarn, which is not supported"),
        ("qwen3.attention.sliding_window", .uint32(4096), "sliding_window is 4096, which is not supported"),
        ("general.architecture", .string("gemma-embedding"), "only qwen3 models can be run"),
    ]

    @Test(arguments: unsupported.indices) func `info says why a model is not supported`(_ index: Int) throws {
        let test = Self.unsupported[index]
        try write("tiny-embed-Q8_0") { $0[test.key] = test.value }
        let info = try support()
        #expect(!info.supported && info.reason?.contains(test.reason) == true, "\(info)")
        let text = try Tool.run(["info", "-m", path]).text
        #expect(text.contains("supported      no: ") && text.contains(test.reason) && !text.contains("damaged"))
        let embed = try Tool.run(["embed", "-m", path, "a"])
        #expect(embed.status == 65 && embed.messages.contains(test.reason) && embed.messages.contains(path))
    }

    @Test func `info says that a model is supported, its role and its prompts`() throws {
        try write("tiny-embed-Q8_0") {
            $0["sentence_transformers.prompts.query"] = .string("Query: ")
            $0["sentence_transformers.prompts.document"] = .string("Document: ")
        }
        #expect(try support().supported)
        let text = try Tool.run(["info", "-m", path]).text
        #expect(text.contains("documents \"Document: {text}\", queries \"Query: {text}\""), "\(text)")
        try write("tiny-rerank-Q8_0") { $0["tokenizer.chat_template.rerank"] = .string("Q {query} D {document}") }
        #expect(try Tool.run(["info", "-m", path]).text.contains("\"Q {query} D {document}\""))
    }

    @Test func `a model that does not say its role is not used without a word`() throws {
        try write("tiny-embed-Q8_0") { copy in
            for key in ["qwen3.pooling_type", "general.name", "general.basename"] { copy[key] = nil }
        }
        #expect(try support().role == "unstated")
        let silent = try Tool.run(["embed", "-m", path, "a"])
        #expect(silent.status == 0 && silent.messages.contains("does not say what it was made for"))
        let told = try Tool.run(["embed", "-m", path, "--role", "embedding", "a"])
        #expect(told.status == 0 && !told.messages.contains("does not say") && told.output == silent.output)
        #expect(try support(["--role", "reranker"]).role_evidence == "asked for as reranker")
        #expect(try Tool.run(["embed", "-m", path, "--role", "unstated", "a"]).status == 64)
    }

    @Test func `a prompt that cannot be applied is refused with the file's path`() throws {
        try write("tiny-rerank-Q8_0") { $0["tokenizer.chat_template.rerank"] = .string("{{ query }}{{ document }}") }
        #expect(try !support().supported)
        let call = ["rerank", "-m", path, "--query", "q", "d"]
        let refused = try Tool.run(call)
        #expect(refused.status != 0 && refused.output.isEmpty && refused.messages.contains("Jinja"), "\(refused)")
        #expect(try Tool.run(call + ["--prompt-style", "card"]).status == 0)
    }

    @Test func `refusals of pooling and labels name the file`() throws {
        try write("tiny-embed-Q8_0") { $0["qwen3.pooling_type"] = .uint32(1) }
        let pooling = try Tool.run(["embed", "-m", path, "a"])
        #expect(pooling.status == 65 && pooling.messages.contains(path), "\(pooling.messages)")
        try write("tiny-rerank-Q8_0") { $0["qwen3.classifier.output_labels"] = .array(MetadataArray(["a", "b"])) }
        let labels = try Tool.run(["rerank", "-m", path, "--query", "q", "d"])
        #expect(labels.status == 65 && labels.messages.contains(path), "\(labels.messages)")
    }
}
