// The metadata of a checkpoint, as converters of this architecture write them.
import Q3GGUF
import Q3Model
import Q3Reranking
import Q3Tokenizer

extension GGUFWriter {
    /// Names, sizes and pooling.
    mutating func describe(_ folder: CheckpointFolder, role: ModelRole.Kind, causal: Bool) throws {
        typealias Key = Qwen3Schema.Key
        set(Key.architecture, to: .string(Qwen3Schema.architecture))  // the first key, as readers expect
        set(Key.type, to: .string("model"))
        set(Key.name, to: .string(folder.name))
        set(Key.baseName, to: .string(role == .embedding ? "Qwen3-Embedding" : "Qwen3-Reranker"))
        for (key, value) in folder.config.numbers.metadata { set(key, to: value) }
        switch (role, causal) {
        case (.reranker, false):
            set(Key.poolingType, to: .uint32(Pooling.rank.rawValue))
            set(Key.labels, to: .array(MetadataArray(try labels(of: folder))))
        case (.reranker, true):
            if let isTied = folder.config.isTied { set(Key.isTied, to: .bool(isTied)) }
        default:
            set(Key.poolingType, to: .uint32(Pooling.last.rawValue))
        }
        // GGUF has no standard key for prompts. Other runtimes ignore this one.
        for (name, prompt) in folder.modules.prompts.sorted(by: { $0.key < $1.key }) {
            set(Key.prompt(name), to: .string(prompt))
        }
    }

    /// Tokens, merges, special ids and templates. Embeddings end in <|endoftext|>, also where an old folder's tokenizer
    /// lacks it; the prompt of a reranker ends as its template does.
    mutating func describe(
        _ tokenizer: CheckpointTokenizer, of folder: CheckpointFolder, role: ModelRole.Kind, causal: Bool
    )
        throws
    {
        func id(_ text: String) throws -> MetadataValue {
            guard let id = tokenizer.addedID(of: text) else {
                throw ConvertError.missingToken(folder: folder.path, token: text)
            }
            return .uint32(UInt32(clamping: id))
        }
        let (endOfText, endOfTurn) = (try id("<|endoftext|>"), try id("<|im_end|>"))
        if role == .reranker {
            for token in ["<|im_start|>", "<think>", "</think>"] { _ = try id(token) }  // of its prompt
        }
        set(TokenizerKey.model, to: .string("gpt2"))
        set(TokenizerKey.preTokenizer, to: .string("qwen2"))
        set(TokenizerKey.tokens, to: .array(MetadataArray(tokenizer.tokens)))
        set(TokenizerKey.tokenTypes, to: .array(MetadataArray(tokenizer.types)))
        set(TokenizerKey.merges, to: .array(MetadataArray(tokenizer.merges)))
        set(TokenizerKey.eosID, to: role == .embedding ? endOfText : endOfTurn)
        set(TokenizerKey.padID, to: endOfText)
        set(TokenizerKey.bosID, to: endOfText)
        set(TokenizerKey.endOfTurnID, to: endOfTurn)
        set(TokenizerKey.addsBOS, to: .bool(false))
        set(TokenizerKey.addsEOS, to: .bool(role == .embedding))
        if let template = folder.chatTemplate { set(TokenizerKey.chatTemplate, to: .string(template)) }
        if role == .reranker {
            set(TokenizerKey.chatTemplateNames, to: .array(MetadataArray(["rerank"])))
            set(Qwen3Schema.Key.rerankTemplate, to: .string(PromptStyle.chatTemplate))
        }
    }
}

/// The labels of a reranker's rows, in their order.
private func labels(of folder: CheckpointFolder) throws -> [String] {
    guard folder.config.isClassifier else { return ["yes", "no"] }
    guard let names = folder.config.labels else { return ["LABEL_0"] }  // as transformers calls it
    let labels = (0..<names.count).compactMap { names["\($0)"] }
    guard labels.count == names.count, labels.count == 1 || labels.sorted() == ["no", "yes"] else {
        throw ConvertError.labels(folder: folder.path, names.values.sorted())
    }
    return labels
}
