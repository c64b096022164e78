// The numbers of a checkpoint as config.json has them.
import Q3GGUF
import Q3Model
import Q3System

/// `config.json` of a Qwen3 model, in the spelling of transformers 4 and 5.
struct CheckpointConfig: Decodable {
    let modelType: String?
    let architectures: [String]?
    let layerCount: Int
    let hiddenSize: Int
    let ffnSize: Int
    let heads: Int
    let kvHeads: Int
    let headDim: Int?
    let vocabularySize: Int
    let contextLength: Int
    let rmsNormEpsilon: Float
    let isTied: Bool?
    private let ropeTheta: Float?
    private let ropeScaling: Rope?
    private let ropeParameters: Rope?
    private let activation: String?
    private let hasAttentionBias: Bool?
    private let slides: Bool?
    private let layerTypes: [String]?
    private let isCausal: Bool?
    /// Names of a classifier's outputs by their numbers.
    let labels: [String: String]?

    private struct Rope: Decodable {
        let theta: Float?
        let share: Float?
        let type: String?
        let oldType: String?
        private enum CodingKeys: String, CodingKey {
            case theta = "rope_theta"
            case share = "partial_rotary_factor"
            case type = "rope_type"
            case oldType = "type"
        }
    }

    private enum CodingKeys: String, CodingKey {
        case modelType = "model_type"
        case architectures
        case layerCount = "num_hidden_layers"
        case hiddenSize = "hidden_size"
        case ffnSize = "intermediate_size"
        case heads = "num_attention_heads"
        case kvHeads = "num_key_value_heads"
        case headDim = "head_dim"
        case vocabularySize = "vocab_size"
        case contextLength = "max_position_embeddings"
        case rmsNormEpsilon = "rms_norm_eps"
        case isTied = "tie_word_embeddings"
        case ropeTheta = "rope_theta"
        case ropeScaling = "rope_scaling"
        case ropeParameters = "rope_parameters"
        case activation = "hidden_act"
        case hasAttentionBias = "attention_bias"
        case slides = "use_sliding_window"
        case layerTypes = "layer_types"
        case isCausal = "is_causal"
        case labels = "id2label"
    }

    /// Width of a head; 128 where the file does not say, as in the reference.
    var headWidth: Int { headDim ?? 128 }

    /// Whether the output is a classifier, `score.weight`, in place of the language model's.
    var isClassifier: Bool { architectures == ["Qwen3ForSequenceClassification"] }

    /// The base of the rotary embedding.
    var theta: Float? { ropeTheta ?? ropeParameters?.theta }

    /// The numbers of the model that is made. They may be wrong together; its file is checked as one that is run.
    var numbers: Qwen3Config {
        Qwen3Config(
            layerCount: layerCount, hiddenSize: hiddenSize, heads: heads, kvHeads: kvHeads, headDim: headWidth,
            ffnSize: ffnSize, vocabularySize: vocabularySize, contextLength: contextLength,
            ropeTheta: theta ?? 1_000_000, rmsNormEpsilon: rmsNormEpsilon)
    }

    /// The part of the model that q3 does not compute, nil if there is none. Sizes are checked only as far as memory and
    /// arithmetic depend on them: the file that is made is checked again when it is opened.
    var fault: String? {
        let ropes = [ropeScaling, ropeParameters].compactMap(\.self)
        let scaling = ropes.compactMap { $0.type ?? $0.oldType }.first { $0 != "default" }
        let sizes = [
            (CodingKeys.layerCount, layerCount), (.hiddenSize, hiddenSize), (.ffnSize, ffnSize), (.heads, heads),
            (.kvHeads, kvHeads), (.headDim, headWidth), (.vocabularySize, vocabularySize),
        ]
        let known = ["Qwen3Model", "Qwen3ForCausalLM", "Qwen3ForSequenceClassification"]
        if let other = architectures?.first(where: { !known.contains($0) }) {
            return "architectures has \(other.escapedForTerminal), expected one of \(known.joined(separator: ", "))"
        }
        if let modelType, modelType != "qwen3" {
            return "model_type is \(modelType.escapedForTerminal), expected qwen3"
        }
        if let scaling { return "positions are scaled (\(scaling.escapedForTerminal)), which is not supported" }
        if let activation, activation != "silu" {
            return "hidden_act is \(activation.escapedForTerminal), expected silu"
        }
        if hasAttentionBias == true { return "attention_bias is true, expected false" }
        if slides == true { return "use_sliding_window is true, expected false" }
        if let type = layerTypes?.first(where: { $0 != "full_attention" }) {
            return "layer_types has \(type.escapedForTerminal), expected full_attention"
        }
        if isCausal == false { return "is_causal is false, expected true" }
        if ropes.contains(where: { $0.share ?? 1 != 1 }) { return "partial_rotary_factor is not 1" }
        if theta == nil { return "rope_theta is missing" }
        for (key, size) in sizes where !(1...Qwen3Config.vocabularyLimit ~= size) {
            return "\(key.rawValue) is \(size), expected 1 to \(Qwen3Config.vocabularyLimit)"
        }
        if !(1...Int(UInt32.max) ~= contextLength) { return "max_position_embeddings is \(contextLength)" }
        return nil
    }
}
