// The report of q3 info, as lines for a person and as JSON for a program.
import Q3Embedding
import Q3GGUF
import Q3Model
import Q3Reranking
import Q3System
import Q3Tokenizer

struct ModelReport {
    private struct TypeShare {
        let type: String
        let tensorCount: Int
        let byteCount: Int
    }

    private let model: Qwen3Model
    private let tokenizer: Tokenizer
    private let role: ModelRole
    private let fingerprint: Fingerprint
    private let memory: MemoryPlan
    /// Of all weights, whether they are kept or not.
    private let packedBytes: Int
    private let types: [TypeShare]
    private let head: Result<RerankHeadSource, any Error>
    private let mergeCount: Int
    private let prompts: EmbeddingPrompts
    private let ownTemplate: Result<RerankTemplate, RerankError>?
    /// Why neither head accepts the model, nil if one does.
    private let fault: String?

    init(model: Qwen3Model, tokenizer: Tokenizer, context: Int) throws {
        self.model = model
        self.tokenizer = tokenizer
        let role = try ModelRole(of: model.file, asked: model.options.role)
        self.role = role
        fingerprint = try Fingerprint(of: model)
        prompts = try EmbeddingPrompts(of: model.file.metadata)
        ownTemplate = try Reranker.ownTemplate(of: model.file)
        do {
            if role.kind == .reranker {
                let reranker = try Reranker(file: model.file, options: model.options)
                _ = try reranker.tokenIDs(for: RerankPair(query: "q", document: "d"))
            } else {
                _ = try Embedder(file: model.file, options: model.options)
            }
            fault = nil
        } catch {
            fault = "\(error)"
        }
        memory = model.memoryPlan(tokenCount: context)
        packedBytes = try Qwen3Model.packedWeightBytes(of: model.file, precision: model.options.precision)
        types = Dictionary(grouping: model.file.tensors, by: \.type.name)
            .map { TypeShare(type: $0, tensorCount: $1.count, byteCount: $1.reduce(0) { $0 + $1.byteCount }) }
            .sorted { ($1.byteCount, $0.type) < ($0.byteCount, $1.type) }
        head = Result { try RerankHeadSource(file: model.file, hiddenSize: model.config.hiddenSize) }
        mergeCount = try model.file.metadata.stringArray(TokenizerKey.merges).count
    }

    private var name: String? { try? model.file.metadata.optionalString(Qwen3Schema.Key.name) }

    // MARK: - For a person

    var text: String {
        let config = model.config
        let mix = types.map { "\($0.type) \($0.tensorCount) (\(megabytes($0.byteCount)))" }.joined(separator: ", ")
        var rows = [
            (
                "file",
                "\(model.file.path.withControlsEscaped), \(megabytes(model.file.byteCount)), GGUF v\(model.file.version)"
            ),
            ("name", (name ?? "none").escapedForTerminal),
            ("role", "\(role.kind.rawValue) (\(role.evidence))"),
            ("supported", fault.map { "no: \($0)" } ?? "yes"),
            (
                "architecture",
                "qwen3: \(config.layerCount) layers, hidden \(config.hiddenSize), \(config.heads) heads "
                    + "(\(config.kvHeads) for keys and values) of \(config.headDim), feed-forward \(config.ffnSize)"
            ),
            (
                "context",
                "\(config.contextLength) tokens, rope theta \(config.ropeTheta), norm epsilon \(config.rmsNormEpsilon)"
            ),
            ("tensors", "\(model.file.tensors.count): \(mix)"),
            ("tokenizer", "byte-level BPE (qwen2), NFC, \(tokenizer.vocabularySize) tokens, \(mergeCount) merges"),
        ]
        if role.kind != .reranker {
            rows += [
                ("pooling", "last token, after the output norm, unit length"),
                ("end of text", endOfText),
                ("dimensions", "1 to \(config.hiddenSize)" + (prompts.query == nil ? ", trained from 32" : "")),
                ("prompt", promptText),
            ]
        }
        if role.kind != .embedding {
            rows += [
                ("head", headText),
                ("prompt", ownPrompt),
                ("prompt (card)", JSONText.quoted(PromptStyle.card.template)),
                ("prompt (eval)", JSONText.quoted(PromptStyle.eval.template)),
            ]
        }
        rows += [
            ("fingerprint", "\(fingerprint) (precision \(model.options.precision.rawValue))"),
            (
                "packed",
                "\(megabytes(packedBytes)) for all weights kept packed (--packed-weights), which makes short texts faster"
            ),
            (
                "memory",
                "\(megabytes(memory.totalBytes)) for \(memory.tokenCount) tokens: weights \(megabytes(memory.weightBytes)) "
                    + "(mapped), \(packedPart)residual \(megabytes(memory.residualBytes)), keys and values "
                    + "\(megabytes(memory.keyValueBytes)), scratch \(megabytes(memory.scratchBytes))"
            ),
        ]
        return rows.map { key, value in
            key + String(repeating: " ", count: max(1, 15 - key.count)) + value + "\n"
        }.joined()
    }

    private var packedPart: String {
        memory.packedWeightBytes == 0 ? "" : "packed weights \(megabytes(memory.packedWeightBytes)), "
    }

    private var promptText: String {
        func shown(_ template: String) -> String { template == "{text}" ? "as they are" : JSONText.quoted(template) }
        let (documents, queries) = (shown(prompts.documentTemplate), shown(prompts.queryTemplate))
        return documents == queries
            ? "documents and queries \(documents)" : "documents \(documents), queries \(queries)"
    }

    /// The prompt that a reranker is asked with where no other is chosen.
    private var ownPrompt: String {
        switch ownTemplate {
        case nil: "the card's; the file carries none"
        case .success(let template): JSONText.quoted(template.text)
        case .failure(let error): "none: \(error)"
        }
    }

    private var endOfText: String {
        guard let id = tokenizer.endOfTextID else { return "the vocabulary has no <|endoftext|>: no embeddings" }
        let asked =
            switch tokenizer.addsEOS {
            case true?: "the file asks for it"
            case false?: "the file asks for none, which is ignored"
            case nil: "the file does not say"
            }
        return "exactly one <|endoftext|> (\(id)) after every text; \(asked)"
    }

    private var headText: String {
        switch head {
        case .success(.classifier(let yes, let no)): "cls.output.weight, row \(yes) for yes, row \(no) for no"
        case .success(.logit): "cls.output.weight, one logit"
        case .success(let source): "\(source.tensorName), rows of the tokens yes and no"
        case .failure(let error): "none: \(error)"
        }
    }

    private func megabytes(_ byteCount: Int) -> String {
        let tenths = (byteCount + 50_000) / 100_000
        return "\(tenths / 10).\(tenths % 10) MB"
    }

    // MARK: - For a program

    var json: String {
        let config = model.config
        var object = JSONObject()
        object.add("file", quoted: model.file.path)
        object.add("bytes", model.file.byteCount)
        object.add("gguf_version", model.file.version)
        if let name { object.add("name", quoted: name) }
        object.add("role", quoted: role.kind.rawValue)
        object.add("role_evidence", quoted: role.evidence)
        object.add("supported", fault == nil)
        if let fault { object.add("reason", quoted: fault) }
        object.add("architecture", quoted: Qwen3Schema.architecture)
        object.add("layers", config.layerCount)
        object.add("hidden_size", config.hiddenSize)
        object.add("heads", config.heads)
        object.add("kv_heads", config.kvHeads)
        object.add("head_dim", config.headDim)
        object.add("feed_forward", config.ffnSize)
        object.add("context_length", config.contextLength)
        object.add("rope_theta", config.ropeTheta)
        object.add("rms_norm_epsilon", config.rmsNormEpsilon)
        object.add(
            "tensors",
            list: types.map { share in
                var object = JSONObject()
                object.add("type", quoted: share.type)
                object.add("count", share.tensorCount)
                object.add("bytes", share.byteCount)
                return object
            })
        object.add("tokenizer", quoted: "qwen2")
        object.add("vocabulary", tokenizer.vocabularySize)
        object.add("merges", mergeCount)
        if role.kind != .reranker {
            object.add("pooling", quoted: "last")
            if let id = tokenizer.endOfTextID { object.add("end_of_text", id) }
            object.add("document_prompt", quoted: prompts.documentTemplate)
            object.add("query_prompt", quoted: prompts.queryTemplate)
            if prompts.query == nil { object.add("default_task", quoted: prompts.defaultTask) }
        }
        if role.kind != .embedding {
            object.add("head", quoted: headText)
            if case .success(let template) = ownTemplate { object.add("model_prompt", quoted: template.text) }
            object.add("card_prompt", quoted: PromptStyle.card.template)
            object.add("eval_prompt", quoted: PromptStyle.eval.template)
        }
        object.add("fingerprint", quoted: "\(fingerprint)")
        object.add("precision", quoted: model.options.precision.rawValue)
        object.add("packed_weights_bytes", packedBytes)
        var plan = JSONObject()
        plan.add("tokens", memory.tokenCount)
        plan.add("weights", memory.weightBytes)
        plan.add("packed_weights", memory.packedWeightBytes)
        plan.add("residual", memory.residualBytes)
        plan.add("keys_and_values", memory.keyValueBytes)
        plan.add("scratch", memory.scratchBytes)
        plan.add("total", memory.totalBytes)
        object.add("memory_bytes", plan)
        return "\(object)\n"
    }
}
