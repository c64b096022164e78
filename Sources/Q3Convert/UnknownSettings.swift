// Keys of config.json that may change what a model computes, and that q3 does not know.
import Q3GGUF
import Q3System

/// The keys of a `config.json` beside those that `CheckpointConfig` reads.
///
/// Models of other makers add keys of two kinds: notes, and switches of their own code. A switch that is on, such as
/// `use_bidirectional_attention`, must not be ignored in silence, so what looks like one is refused.
struct UnknownSettings: Decodable {
    /// Why q3 cannot compute the model, nil where nothing says so.
    let fault: String?

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: AnyKey.self)
        var fault: String?
        for key in values.allKeys.sorted(by: { $0.stringValue < $1.stringValue }) where fault == nil {
            let name = key.stringValue
            guard !Self.notes.contains(name), let setting = try? values.decode(Setting.self, forKey: key) else {
                continue
            }
            if name == "auto_map", setting != .off {
                fault = "auto_map names code of the model's own, which is not run"
            } else if Self.mayChangeResults(name), setting == .on || setting == .one && !Self.isFactor(name) {
                fault = "\(name.escapedForTerminal) is set, which is not supported: vectors without it may be wrong"
            }
        }
        self.fault = fault
    }

    /// Keys of transformers that are read elsewhere, or that change nothing in what a trained model computes.
    private static let notes: Set<String> = [
        "architectures", "model_type", "hidden_size", "intermediate_size", "head_dim", "vocab_size", "hidden_act",
        "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "max_position_embeddings", "rms_norm_eps",
        "tie_word_embeddings", "attention_bias", "use_sliding_window", "sliding_window", "max_window_layers",
        "layer_types", "is_causal", "rope_theta", "rope_scaling", "rope_parameters", "attention_dropout",
        "attn_implementation", "_attn_implementation", "_attn_implementation_autoset", "output_attentions",
        "output_hidden_states", "num_labels", "id2label", "label2id", "use_cache", "initializer_range",
        "embedding_dropout", "hidden_dropout", "classifier_dropout", "pad_token_id", "bos_token_id", "eos_token_id",
        "chunk_size_feed_forward", "tie_encoder_decoder", "forced_bos_token_id", "forced_eos_token_id",
    ]

    /// Parts of names that switches of other models have.
    private static let signs = [
        "attention", "attn", "mask", "causal", "bidirectional", "rope", "rotary", "norm", "scal", "multipl", "factor",
        "quant", "expert", "moe", "bias", "act", "window", "cap", "pool", "layer", "head", "embed", "dense", "mlp",
        "project", "lora", "adapter", "encoder", "prefix",
    ]

    private static func mayChangeResults(_ name: String) -> Bool {
        signs.contains { name.lowercased().contains($0) }
    }

    /// Whether 1 is the value that changes nothing.
    private static func isFactor(_ name: String) -> Bool {
        ["scal", "multipl", "factor"].contains { name.lowercased().contains($0) }
    }

    /// Whether a value is anything but null, false, 0 or empty.
    private enum Setting: Decodable {
        case off, one, on

        init(from decoder: any Decoder) throws {
            if let value = try? decoder.singleValueContainer() {
                if value.decodeNil() {
                    self = .off
                    return
                }
                if let flag = try? value.decode(Bool.self) {
                    self = flag ? .on : .off
                    return
                }
                if let number = try? value.decode(Double.self) {
                    self = number == 0 ? .off : number == 1 ? .one : .on
                    return
                }
                if let text = try? value.decode(String.self) {
                    self = text.isEmpty ? .off : .on
                    return
                }
            }
            if let list = try? decoder.unkeyedContainer() {
                self = list.count == 0 ? .off : .on
            } else {
                self = try decoder.container(keyedBy: AnyKey.self).allKeys.isEmpty ? .off : .on
            }
        }
    }
}
