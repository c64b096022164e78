// What Qwen3 files call things: metadata keys, and tensors with their names, shapes and kinds. Stated here only.

import Q3GGUF

/// The names in a Qwen3 GGUF file and in the Hugging Face checkpoint that it is made from.
package enum Qwen3Schema {
    /// The value of `general.architecture`, and the prefix of the architecture's own keys.
    package static let architecture = "qwen3"

    /// The task of both model cards where none is given.
    package static let webSearchTask =
        "Given a web search query, retrieve relevant passages that answer the query"

    /// Metadata keys besides those of the tokenizer, which `TokenizerKey` names.
    package enum Key {
        package static let architecture = "general.architecture"
        package static let type = "general.type"
        package static let name = "general.name"
        package static let baseName = "general.basename"
        package static let finetune = "general.finetune"
        package static let tags = "general.tags"
        package static let baseModelCount = "general.base_model.count"
        package static func baseModelName(_ index: UInt32) -> String { "general.base_model.\(index).name" }
        package static let fileType = "general.file_type"
        package static let quantizationVersion = "general.quantization_version"

        package static let layerCount = "qwen3.block_count"
        package static let contextLength = "qwen3.context_length"
        package static let hiddenSize = "qwen3.embedding_length"
        package static let ffnSize = "qwen3.feed_forward_length"
        package static let heads = "qwen3.attention.head_count"
        package static let kvHeads = "qwen3.attention.head_count_kv"
        package static let keyLength = "qwen3.attention.key_length"
        package static let valueLength = "qwen3.attention.value_length"
        package static let rmsNormEpsilon = "qwen3.attention.layer_norm_rms_epsilon"
        package static let isCausal = "qwen3.attention.causal"
        package static let slidingWindow = "qwen3.attention.sliding_window"
        package static let ropeTheta = "qwen3.rope.freq_base"
        package static let ropeDimensions = "qwen3.rope.dimension_count"
        package static let ropeScalingType = "qwen3.rope.scaling.type"
        package static let ropeScalingFactor = "qwen3.rope.scaling.factor"
        package static let ropeLinearScale = "qwen3.rope.scale_linear"
        package static let ropeAttentionFactor = "qwen3.rope.scaling.attn_factor"
        package static let attentionScale = "qwen3.attention.scale"
        package static let expertCount = "qwen3.expert_count"
        package static let usedExpertCount = "qwen3.expert_used_count"
        package static let outputSize = "qwen3.embedding_length_out"
        package static let vocabularySize = "qwen3.vocab_size"
        package static let poolingType = "qwen3.pooling_type"
        package static let labels = "qwen3.classifier.output_labels"

        /// Whether the output matrix is the token embeddings, as the checkpoint's config.json says. A key of `q3
        /// convert`: other converters leave it to the absence of `output.weight`.
        package static let isTied = "q3.tied_embeddings"

        /// The prompt of a reranker with the holes {query} and {document}, as llama.cpp fills them.
        package static let rerankTemplate = "tokenizer.chat_template.rerank"

        /// sentence-transformers' prompt of that name; no other runtime has a key for it.
        package static func prompt(_ name: String) -> String { "sentence_transformers.prompts.\(name)" }
    }

    /// Keys of the architecture that are read, or that change nothing without the key that they belong to.
    static let knownKeys: Set<String> = [
        Key.layerCount, Key.contextLength, Key.hiddenSize, Key.ffnSize, Key.heads, Key.kvHeads, Key.keyLength,
        Key.valueLength, Key.rmsNormEpsilon, Key.isCausal, Key.slidingWindow, Key.ropeTheta, Key.ropeDimensions,
        Key.ropeScalingType, Key.ropeScalingFactor, Key.ropeLinearScale, Key.ropeAttentionFactor, Key.attentionScale,
        Key.expertCount, Key.usedExpertCount, Key.outputSize, Key.vocabularySize, Key.poolingType, Key.labels,
        "qwen3.tensor_data_layout", "qwen3.rope.scaling.original_context_length", "qwen3.rope.scaling.finetuned",
    ]

    /// A kind of tensor, whichever layer it is in.
    package enum Part: CaseIterable, Sendable {
        case tokenEmbedding
        case attnNorm, q, k, v, qNorm, kNorm, attnOut, ffnNorm, gate, up, ffnDown
        case outputNorm
        /// The language model's own output matrix, and a reranker's two rows of it.
        case output, classifier

        /// In GGUF, in Hugging Face, and the shape with the fastest axis first; a classifier has a row for each label.
        private var facts: (gguf: String, checkpoint: String, shape: @Sendable (Qwen3Config) -> [Int]) {
            switch self {
            case .tokenEmbedding: ("token_embd", "embed_tokens", { [$0.hiddenSize, $0.vocabularySize] })
            case .attnNorm: ("attn_norm", "input_layernorm", { [$0.hiddenSize] })
            case .q: ("attn_q", "self_attn.q_proj", { [$0.hiddenSize, $0.queryWidth] })
            case .k: ("attn_k", "self_attn.k_proj", { [$0.hiddenSize, $0.keyWidth] })
            case .v: ("attn_v", "self_attn.v_proj", { [$0.hiddenSize, $0.keyWidth] })
            case .qNorm: ("attn_q_norm", "self_attn.q_norm", { [$0.headDim] })
            case .kNorm: ("attn_k_norm", "self_attn.k_norm", { [$0.headDim] })
            case .attnOut: ("attn_output", "self_attn.o_proj", { [$0.queryWidth, $0.hiddenSize] })
            case .ffnNorm: ("ffn_norm", "post_attention_layernorm", { [$0.hiddenSize] })
            case .gate: ("ffn_gate", "mlp.gate_proj", { [$0.hiddenSize, $0.ffnSize] })
            case .up: ("ffn_up", "mlp.up_proj", { [$0.hiddenSize, $0.ffnSize] })
            case .ffnDown: ("ffn_down", "mlp.down_proj", { [$0.ffnSize, $0.hiddenSize] })
            case .outputNorm: ("output_norm", "norm", { [$0.hiddenSize] })
            case .output: ("output", "lm_head", { [$0.hiddenSize, $0.vocabularySize] })
            case .classifier: ("cls.output", "score", { [$0.hiddenSize, 2] })
            }
        }

        fileprivate var ggufName: String { facts.gguf }
        fileprivate var checkpointName: String { facts.checkpoint }
        fileprivate func shape(in config: Qwen3Config) -> [Int] { facts.shape(config) }

        /// Whether every layer has one.
        package var isOfLayer: Bool {
            switch self {
            case .tokenEmbedding, .outputNorm, .output, .classifier: false
            default: true
            }
        }

        /// Whether it holds the gains of a norm, always f32; all others are matrices.
        package var isNorm: Bool {
            switch self {
            case .attnNorm, .qNorm, .kNorm, .ffnNorm, .outputNorm: true
            default: false
            }
        }
    }

    /// One tensor of a model.
    package struct Tensor: Hashable, Sendable {
        package let part: Part
        /// Nil for what a model has once.
        package let layer: Int?

        package init(_ part: Part, layer: Int? = nil) {
            precondition(part.isOfLayer == (layer != nil))
            self.part = part
            self.layer = layer
        }

        /// The tensor that GGUF files call `name`; nil for one that no Qwen3 model has.
        package init?(named name: String) {
            let stem = name.hasSuffix(".weight") ? name.dropLast(".weight".count) : ""
            let pieces = stem.split(separator: ".", omittingEmptySubsequences: false)
            if pieces.count == 3, pieces[0] == "blk" {
                guard let layer = Int(pieces[1]), "\(layer)" == pieces[1], layer >= 0,
                    let part = Part.allCases.first(where: { $0.isOfLayer && $0.ggufName == pieces[2] })
                else { return nil }
                self.init(part, layer: layer)
            } else {
                guard let part = Part.allCases.first(where: { !$0.isOfLayer && $0.ggufName == stem }) else {
                    return nil
                }
                self.init(part)
            }
        }

        /// In GGUF.
        package var name: String { (layer.map { "blk.\($0)." } ?? "") + part.ggufName + ".weight" }
        /// In Hugging Face's `Qwen3Model`, which `Qwen3ForCausalLM` prefixes with "model.".
        package var checkpointName: String { (layer.map { "layers.\($0)." } ?? "") + part.checkpointName + ".weight" }
        /// The fastest axis first, as in GGUF.
        package func shape(in config: Qwen3Config) -> [Int] { part.shape(in: config) }
    }

    /// The tensors that every model has, in the order of GGUF files.
    package static func tensors(layerCount: Int) -> [Tensor] {
        [Tensor(.tokenEmbedding)]
            + (0..<layerCount).flatMap { layer in
                Part.allCases.filter(\.isOfLayer).map { Tensor($0, layer: layer) }
            } + [Tensor(.outputNorm)]
    }
}

/// How a file's vectors are taken from its states: the values of `qwen3.pooling_type`.
package enum Pooling: UInt32, Sendable {
    case none, mean, cls, last
    /// Not a vector but a score: a reranker.
    case rank

    /// The name of a value, "unknown" for one that this version does not know.
    package static func name(of value: UInt32) -> String { Pooling(rawValue: value).map { "\($0)" } ?? "unknown" }
}
