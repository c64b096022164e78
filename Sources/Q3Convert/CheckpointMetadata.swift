// The metadata of a checkpoint, as converters of this architecture write them.
import Q3GGUF

extension GGUFWriter {
    /// Names, sizes and pooling.
    mutating func describe(_ folder: CheckpointFolder, role: Role, causal: Bool) throws {
        let c = folder.config
        func number(_ value: Int) -> MetadataValue { .uint32(UInt32(clamping: value)) }  // the config was checked
        set("general.architecture", to: .string("qwen3"))
        set("general.type", to: .string("model"))
        set("general.name", to: .string(folder.name))
        set("general.basename", to: .string(role == .embedding ? "Qwen3-Embedding" : "Qwen3-Reranker"))
        set("qwen3.block_count", to: number(c.layerCount))
        set("qwen3.context_length", to: number(c.contextLength))
        set("qwen3.embedding_length", to: number(c.hiddenSize))
        set("qwen3.feed_forward_length", to: number(c.ffnSize))
        set("qwen3.attention.head_count", to: number(c.heads))
        set("qwen3.attention.head_count_kv", to: number(c.kvHeads))
        set("qwen3.attention.key_length", to: number(c.headWidth))
        set("qwen3.attention.value_length", to: number(c.headWidth))
        set("qwen3.attention.layer_norm_rms_epsilon", to: .float32(c.rmsNormEpsilon))
        set("qwen3.rope.freq_base", to: .float32(c.theta ?? 1_000_000))
        switch (role, causal) {
        case (.embedding, _):
            set("qwen3.pooling_type", to: .uint32(3))  // the last token
        case (.reranker, false):
            set("qwen3.pooling_type", to: .uint32(4))  // rank
            set("qwen3.classifier.output_labels", to: .array(MetadataArray(["yes", "no"])))
        case (.reranker, true):
            break
        }
        // There is no usual key for these; runtimes that do not know it go by it.
        for (name, prompt) in folder.modules.prompts.sorted(by: { $0.key < $1.key }) {
            set("sentence_transformers.prompts.\(name)", to: .string(prompt))
        }
    }

    /// Tokens, merges, special ids and templates. Embeddings end in <|endoftext|>, also where an old folder's tokenizer lacks it;
    /// the prompt of a reranker ends as its template does.
    mutating func describe(_ tokenizer: CheckpointTokenizer, of folder: CheckpointFolder, role: Role, causal: Bool)
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
        set("tokenizer.ggml.model", to: .string("gpt2"))
        set("tokenizer.ggml.pre", to: .string("qwen2"))
        set("tokenizer.ggml.tokens", to: .array(MetadataArray(tokenizer.tokens)))
        set("tokenizer.ggml.token_type", to: .array(MetadataArray(tokenizer.types)))
        set("tokenizer.ggml.merges", to: .array(MetadataArray(tokenizer.merges)))
        set("tokenizer.ggml.eos_token_id", to: role == .embedding ? endOfText : endOfTurn)
        set("tokenizer.ggml.padding_token_id", to: endOfText)
        set("tokenizer.ggml.bos_token_id", to: endOfText)
        set("tokenizer.ggml.eot_token_id", to: endOfTurn)
        set("tokenizer.ggml.add_bos_token", to: .bool(false))
        set("tokenizer.ggml.add_eos_token", to: .bool(role == .embedding))
        if let template = folder.chatTemplate { set("tokenizer.chat_template", to: .string(template)) }
        if role == .reranker {
            set("tokenizer.chat_templates", to: .array(MetadataArray(["rerank"])))
            set("tokenizer.chat_template.rerank", to: .string(rerankTemplate))
        }
    }
}

/// The model card's prompt with the holes that llama.cpp fills.
private let rerankTemplate = """
    <|im_start|>system
    Judge whether the Document meets the requirements based on the Query and the Instruct provided. Note that the answer can \
    only be "yes" or "no".<|im_end|>
    <|im_start|>user
    <Instruct>: Given a web search query, retrieve relevant passages that answer the query
    <Query>: {query}
    <Document>: {document}<|im_end|>
    <|im_start|>assistant
    <think>

    </think>


    """
