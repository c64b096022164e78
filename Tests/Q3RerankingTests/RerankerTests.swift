// The reranker on tiny models of all three kinds: the reference's scores, order, lengths, and files that are refused.
import Q3GGUF
import Q3Model
import Q3Tokenizer
import TestSupport
import Testing

@testable import Q3Reranking

@Suite struct RerankerTests {
    private static let models: [(name: String, head: RerankHeadSource)] = [
        ("tiny-rerank-Q8_0", .classifier(yesRow: 0, noRow: 1)),
        ("tiny-causal-Q8_0", .tiedEmbeddings),
        ("tiny-lmhead-Q8_0", .output),
    ]

    private func reranker(_ file: GGUFFile, _ change: (inout ModelOptions) -> Void = { _ in }) throws -> Reranker {
        var options = ModelOptions()
        options.precision = .exact
        change(&options)
        return try Reranker(file: file, options: options)
    }

    private func refusal(_ fixture: String, _ change: (inout ModelCopy) -> Void) throws -> RerankError? {
        var copy = try ModelCopy(of: fixture)
        change(&copy)
        let file = try copy.open()
        do {
            _ = try Reranker(file: file)
            return nil
        } catch let error as RerankError {
            return error
        }
    }

    @Test(arguments: models) func `scores are the references`(_ model: (name: String, head: RerankHeadSource))
        async throws
    {
        let reranker = try reranker(Fixture.model(model.name))
        #expect(reranker.headSource == model.head)
        let items = try Fixture.items(model.name, as: RerankItem.self)
        for style in [PromptStyle.card, .eval] {
            let mine = items.filter { $0.style == style.rawValue }
            let pairs = mine.map { RerankPair(query: $0.query, document: $0.document, instruction: $0.instruction) }
            let scores = try await reranker.score(pairs, options: RerankOptions(style: style))
            #expect(!scores.isEmpty)
            for (score, item) in zip(scores, mine) {
                #expect(abs(Double(score.score) - item.pYes) <= 1e-5, "\(item.query)")
                #expect(score.tokenCount == item.ids.count)
            }
        }
    }

    @Test func `margin is the difference of the rows`() throws {
        let reranker = try reranker(Fixture.model("tiny-causal-Q8_0"))
        let head = try RerankHead(model: reranker.model, tokenizer: reranker.tokenizer)
        let state = (0..<head.yes.count).map { Float($0 % 5) - 2 }
        let expected = zip(state, zip(head.yes, head.no)).reduce(0) {
            $0 + Double($1.0) * (Double($1.1.0) - Double($1.1.1))
        }
        #expect(abs(Double(try head.margin(state)) - expected) < 1e-6)
        #expect(throws: RerankError.nonFinite) { try head.margin(state.map { _ in .nan }) }
        #expect(throws: RerankError.nonFinite) { try head.margin(state.map { _ in .infinity }) }
        #expect(throws: RerankError.zeroState) { try head.margin(state.map { _ in 0 }) }
    }

    private static let probabilities: [(margin: Float, probability: Float)] = [
        (0, 0.5), (1, 0.7310586), (-1, 0.26894143), (100, 1), (-50, 1.9287499e-22), (1e30, 1), (-1e30, 0),
    ]

    @Test(arguments: probabilities) func `probability is the sigmoid`(_ test: (margin: Float, probability: Float)) {
        #expect(abs(probability(ofMargin: test.margin) - test.probability) <= test.probability * 1e-6)
    }

    @Test func `best comes first and equals keep their order`() async throws {
        let reranker = try reranker(Fixture.model("tiny-rerank-Q8_0"))
        let documents = ["b", "a", "b", "", "c d e", "b"]
        let ranking = try await reranker.rerank("query", documents: documents)
        #expect(Set(ranking.map(\.index)) == Set(documents.indices))
        for (better, worse) in zip(ranking, ranking.dropFirst()) {
            #expect(better.margin > worse.margin || better.margin == worse.margin && better.index < worse.index)
        }
        #expect(ranking.filter { documents[$0.index] == "b" }.map(\.index) == [0, 2, 5])
        let scores = try await reranker.score(documents.map { RerankPair(query: "query", document: $0) })
        #expect(scores.map(\.index) == Array(documents.indices))
        for score in ranking { #expect(scores[score.index] == score) }
    }

    /// The same bits alone and in a list, with and without the shared prefix.
    @Test func `a batch does not change its members`() async throws {
        let pairs = try Fixture.items("tiny-rerank-Q8_0", as: RerankItem.self)
            .map { RerankPair(query: $0.query, document: $0.document, instruction: $0.instruction) }
        let together = try await reranker(Fixture.model("tiny-rerank-Q8_0")).score(pairs)
        for threads in [1, 2] {
            let unshared = try reranker(Fixture.model("tiny-rerank-Q8_0")) {
                ($0.threads, $0.sharesPrefixes) = (threads, false)
            }
            #expect(try await unshared.score(pairs) == together)
        }
        for (pair, score) in zip(pairs, together) {
            let alone = try await reranker(Fixture.model("tiny-rerank-Q8_0")).score([pair])[0]
            #expect(alone.margin == score.margin)
        }
    }

    @Test func `labels decide the rows whatever their order`() async throws {
        var copy = try ModelCopy(of: "tiny-rerank-Q8_0")
        copy["qwen3.classifier.output_labels"] = .array(MetadataArray(["no", "yes"]))
        let swapped = try reranker(copy.open())
        #expect(swapped.headSource == .classifier(yesRow: 1, noRow: 0))
        let pair = RerankPair(query: "q", document: "d")
        let margin = try await reranker(Fixture.model("tiny-rerank-Q8_0")).score([pair])[0].margin
        #expect(try await swapped.score([pair])[0].margin == -margin)
    }

    /// What `Qwen3ForSequenceClassification` holds for such a model: the row of yes less that of no, whose logit is the
    /// difference of the two that the reference gives.
    @Test(arguments: [nil, ["LABEL_0"]])
    func `a head with one logit gives the reference's scores`(_ labels: [String]?) async throws {
        let two = try reranker(Fixture.model("tiny-rerank-Q8_0"))
        let head = try RerankHead(model: two.model, tokenizer: two.tokenizer)
        var copy = try ModelCopy(of: "tiny-rerank-Q8_0")
        copy["qwen3.classifier.output_labels"] = labels.map { .array(MetadataArray($0)) }
        copy.edit("cls.output.weight") { tensor in
            tensor.reshape([head.yes.count, 1], .f32)
            for (index, values) in zip(head.yes, head.no).enumerated() {
                tensor.bytes.store((values.0 - values.1).bitPattern, at: 4 * index)
            }
        }
        let one = try reranker(copy.open())
        #expect(one.headSource == .logit)
        let items = try Fixture.items("tiny-rerank-Q8_0", as: RerankItem.self).filter { $0.style == "card" }
        let pairs = items.map { RerankPair(query: $0.query, document: $0.document, instruction: $0.instruction) }
        let scores = try await one.score(pairs)
        #expect(!items.isEmpty)
        for (score, item) in zip(scores, items) { #expect(abs(Double(score.score) - item.pYes) <= 1e-5) }
    }

    /// Signs that contradict each other give one role, and the head of that role takes the model.
    @Test func `a reranker with a pooling type for vectors is still one`() async throws {
        var copy = try ModelCopy(of: "tiny-rerank-Q8_0")
        copy["qwen3.pooling_type"] = .uint32(3)
        let file = try copy.open()
        #expect(try ModelRole(of: file).kind == .reranker)
        let pair = RerankPair(query: "q", document: "d")
        #expect(
            try await reranker(file).score([pair]) == reranker(Fixture.model("tiny-rerank-Q8_0")).score([pair]))
    }

    @Test func `heads that cannot be trusted are refused`() throws {
        let labels = "qwen3.classifier.output_labels"
        #expect(try refusal("tiny-rerank-Q8_0") { $0[labels] = nil } == .missingLabels)
        for bad in [["yes", "yes"], ["LABEL_0", "LABEL_1"], ["Yes", "No"], ["", "\u{1B}"]] {
            #expect(try refusal("tiny-rerank-Q8_0") { $0[labels] = .array(MetadataArray(bad)) } == .labels(bad))
        }
        for bad in [["yes"], ["no", "yes", "maybe"], [], [String](repeating: "", count: 100_000)] {
            #expect(
                try refusal("tiny-rerank-Q8_0") { $0[labels] = .array(MetadataArray(bad)) } == .labelCount(bad.count))
        }
        #expect(!RerankError.labels(["\u{1B}[2J\u{202E}"]).description.contains { "\u{1B}\u{202E}".contains($0) })
        let rows = try refusal("tiny-rerank-Q8_0") { copy in
            for index in copy.tensors.indices where copy.tensors[index].name == "cls.output.weight" {
                copy.tensors[index].shape[1] = 1
                copy.tensors[index].bytes.removeLast(copy.tensors[index].bytes.count / 2)
            }
        }
        #expect(rows == .classifierRows(rows: 1, labels: 2))
        let damaged = try refusal("tiny-rerank-Q8_0") {
            $0.edit("cls.output.weight") { $0.bytes.store(0x7FFF as UInt16, at: 0) }
        }
        #expect(damaged == .nonFiniteHead(tensor: "cls.output.weight"))
    }

    @Test func `tied embeddings are the head below hidden size 4096 and refused from there up`() throws {
        let file = try Fixture.model("tiny-causal-Q8_0")
        for size in [32, 1024, 2560, 4095] {
            #expect(try RerankHeadSource(file: file, hiddenSize: size) == .tiedEmbeddings)
        }
        for size in [4096, 5120, 16_384] {
            #expect(throws: RerankError.missingHead(hiddenSize: size)) {
                try RerankHeadSource(file: file, hiddenSize: size)
            }
        }
        #expect(try RerankHeadSource(file: Fixture.model("tiny-lmhead-Q8_0"), hiddenSize: 4096) == .output)
    }

    @Test func `a file that says whether embeddings are tied is believed at any hidden size`() throws {
        var copy = try ModelCopy(of: "tiny-causal-Q8_0")
        copy["q3.tied_embeddings"] = .bool(true)
        #expect(try RerankHeadSource(file: copy.open(), hiddenSize: 4096) == .tiedEmbeddings)
        copy["q3.tied_embeddings"] = .bool(false)
        #expect(throws: RerankError.missingHead(hiddenSize: 1024)) {
            try RerankHeadSource(file: copy.open(), hiddenSize: 1024)
        }
    }

    @Test func `embedding models are refused`() throws {
        let file = try Fixture.model("tiny-embed-Q8_0")
        #expect(throws: RerankError.embeddingModel(path: file.path, evidence: "qwen3.pooling_type is 3")) {
            try Reranker(file: file)
        }
    }

    /// Early official files say nothing about pooling, but their names do. A name that says both is a reranker's.
    @Test(arguments: ["general.name", "general.basename"])
    func `embedding models without a pooling type are refused`(_ key: String) throws {
        for name in ["Qwen3 Embedding 0.6B", "qwen3-embedding", "EMBED"] {
            let error = try refusal("tiny-causal-Q8_0") { copy in
                for key in ["general.name", "general.basename", "qwen3.pooling_type"] { copy[key] = nil }
                copy[key] = .string(name)
            }
            guard case .embeddingModel(_, "\(key) is \"\(name)\"") = error else {
                Issue.record("\(name) gave \(error as Any)")
                continue
            }
        }
        for name in ["Qwen3 Reranker 0.6B", "Qwen3-Embedding-Reranker", "Qwen3 0.6B", "", nil] {
            let error = try refusal("tiny-causal-Q8_0") { copy in
                for key in ["general.name", "general.basename", "qwen3.pooling_type"] { copy[key] = nil }
                copy[key] = name.map { .string($0) }
            }
            #expect(error == nil, "\(name ?? "no name")")
        }
    }

    /// Zero weights, or ones that overflow the last norm, must not pass for a score of one half.
    @Test func `a state of zeros is an error`() async throws {
        var copy = try ModelCopy(of: "tiny-rerank-Q8_0")
        copy.edit("token_embd.weight") { $0.reshape($0.shape) }
        for name in copy.tensors.map(\.name) where name.hasPrefix("blk.") && !name.contains("norm") {
            copy.edit(name) { $0.reshape($0.shape) }
        }
        let results = try await reranker(copy.open()).results(for: [RerankPair(query: "q", document: "d")])
        #expect(throws: RerankError.zeroState) { try results[0].get() }
    }

    @Test func `more tokens than rows is refused`() throws {
        let rows = try #require(Fixture.model("tiny-rerank-Q8_0").tensor(named: "token_embd.weight")).rowCount
        let error = try refusal("tiny-rerank-Q8_0") { copy in
            copy.edit("token_embd.weight") { $0.reshape([$0.shape[0], rows - 16]) }
        }
        #expect(error == .vocabulary(tokenCount: rows, embeddingCount: rows - 16))
    }

    /// A NaN in one token's embedding takes only the pairs that have the token.
    @Test func `damage stays in its pair`() async throws {
        var copy = try ModelCopy(of: "tiny-rerank-Q8_0")
        let whole = try reranker(Fixture.model("tiny-rerank-Q8_0"))
        let id = Int(try #require(whole.tokenizer.encode("%").first))
        let rowByteCount = whole.model.config.hiddenSize / 32 * 34
        copy.edit("token_embd.weight") { $0.bytes.store(0x7E00 as UInt16, at: id * rowByteCount) }
        let damaged = try reranker(copy.open())
        let pairs = ["one", "%", "two"].map { RerankPair(query: "q", document: $0) }
        let results = try await damaged.results(for: pairs)
        let expected = try await whole.score(pairs)
        #expect(try results[0].get() == expected[0])
        #expect(throws: RerankError.nonFinite) { try results[1].get() }
        #expect(try results[2].get() == expected[2])
        await #expect(throws: RerankError.pair(index: 1, .nonFinite)) { try await damaged.score(pairs) }
    }

    @Test func `nothing gives nothing`() async throws {
        #expect(try await reranker(Fixture.model("tiny-rerank-Q8_0")).rerank("q", documents: []).isEmpty)
    }
}
