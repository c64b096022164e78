// The numbers of one checkpoint: all read from the file, none assumed.

public import Q3GGUF
import Q3Kernels
import Q3System

/// The sizes and constants of one Qwen3 checkpoint, read from the file's metadata and checked.
public struct Qwen3Config: Sendable, Equatable {
    public let layerCount: Int
    public let hiddenSize: Int
    /// Query heads.
    public let heads: Int
    /// Key and value heads; each serves heads / kvHeads query heads.
    public let kvHeads: Int
    public let headDim: Int
    /// Inner width of the feed-forward network.
    public let ffnSize: Int
    /// Rows of `token_embd.weight`.
    public let vocabularySize: Int
    /// Most tokens of a text: the positions that the checkpoint was made for, but at most `contextLimit`.
    public let contextLength: Int
    public let ropeTheta: Float
    public let rmsNormEpsilon: Float

    /// Three times the longest context of any Qwen3 checkpoint: what a file says beyond that sizes nothing.
    public static let contextLimit = 1 << 17
    /// Ten times the vocabulary of any Qwen3 checkpoint.
    package static let vocabularyLimit = 1 << 21

    /// Width of all query heads together.
    public var queryWidth: Int { heads * headDim }
    /// Width of all keys, or all values, of one token.
    public var keyWidth: Int { kvHeads * headDim }
    /// Query heads that share one key and value head.
    public var group: Int { heads / kvHeads }

    /// Throws `GGUFError` for a missing key or one of the wrong type, `ModelError` for a value that cannot be run.
    public init(file: GGUFFile) throws {
        let metadata = file.metadata
        let architecture = try metadata.string("general.architecture")
        guard architecture == "qwen3" else { throw ModelError.unsupportedArchitecture(architecture.escapedForTerminal) }
        func size(_ key: String, in range: ClosedRange<Int>, multipleOf unit: Int = 1) throws -> Int {
            let value = Int(try metadata.uint32("qwen3." + key))
            guard range ~= value, value.isMultiple(of: unit) else {
                let multiple = unit == 1 ? "" : " and a multiple of \(unit)"
                throw ModelError.badValue(
                    key: "qwen3." + key, value: "\(value)",
                    wanted: "\(range.lowerBound) to \(range.upperBound)\(multiple)")
            }
            return value
        }
        func number(_ key: String, in range: ClosedRange<Float>) throws -> Float {
            let value = try metadata.float32("qwen3." + key)
            guard range ~= value else {
                throw ModelError.badValue(
                    key: "qwen3." + key, value: "\(value)", wanted: "\(range.lowerBound) to \(range.upperBound)")
            }
            return value
        }

        // Largest sizes: four times those of the 8B model, so that products of sizes stay far from overflow.
        layerCount = try size("block_count", in: 1...512)
        hiddenSize = try size("embedding_length", in: 32...16_384, multipleOf: Matrix.colMultiple)
        ffnSize = try size("feed_forward_length", in: 32...65_536, multipleOf: Matrix.colMultiple)
        heads = try size("attention.head_count", in: 1...128)
        kvHeads = try size("attention.head_count_kv", in: 1...heads)
        headDim = try size("attention.key_length", in: 32...256, multipleOf: 32)
        contextLength = min(try size("context_length", in: 1...Int(UInt32.max)), Self.contextLimit)
        ropeTheta = try number("rope.freq_base", in: 1...1e12)
        rmsNormEpsilon = try number("attention.layer_norm_rms_epsilon", in: Float.leastNormalMagnitude...0.1)
        guard heads.isMultiple(of: kvHeads) else {
            throw ModelError.badValue(
                key: "qwen3.attention.head_count_kv", value: "\(kvHeads)", wanted: "a divisor of the \(heads) heads")
        }
        let valueLength = try size("attention.value_length", in: headDim...headDim)
        guard let embedding = file.tensor(named: "token_embd.weight") else {
            throw ModelError.missingTensor("token_embd.weight")
        }
        guard embedding.rowCount <= Self.vocabularyLimit else {
            throw ModelError.badShape(
                tensor: embedding.name, got: embedding.shape, wanted: [hiddenSize, Self.vocabularyLimit])
        }
        vocabularySize = embedding.rowCount
        try Self.refuseVariants(metadata, headDim: valueLength)
    }

    /// Variants of the architecture whose arithmetic is not implemented: better no vector than a wrong one.
    private static func refuseVariants(_ metadata: Metadata, headDim: Int) throws {
        if let scaling = try metadata.optionalString("qwen3.rope.scaling.type"), scaling != "none" {
            throw ModelError.badValue(key: "qwen3.rope.scaling.type", value: scaling.escapedForTerminal, wanted: "none")
        }
        for key in ["qwen3.rope.scaling.factor", "qwen3.rope.scale_linear"] {
            if let factor = try metadata.optionalFloat32(key), factor != 1 {
                throw ModelError.badValue(key: key, value: "\(factor)", wanted: "1 (unscaled positions)")
            }
        }
        let wanted: [(key: String, value: Int)] = [
            ("qwen3.rope.dimension_count", headDim), ("qwen3.attention.sliding_window", 0), ("qwen3.expert_count", 0),
        ]
        for (key, value) in wanted {
            if let got = try metadata.optionalUInt32(key), Int(got) != value {
                throw ModelError.badValue(key: key, value: "\(got)", wanted: "\(value)")
            }
        }
        if let causal = try metadata.optionalBool("qwen3.attention.causal"), !causal {
            throw ModelError.badValue(key: "qwen3.attention.causal", value: "false", wanted: "true")
        }
    }
}
