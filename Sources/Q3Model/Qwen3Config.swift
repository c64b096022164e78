// The numbers of one checkpoint: read from the file and checked, or written into one.

public import Q3GGUF
import Q3Kernels
import Q3System

/// The sizes and constants of one Qwen3 checkpoint, read from the file's metadata and checked.
public struct Qwen3Config: Sendable, Equatable {
    /// Transformer layers.
    public let layerCount: Int
    /// Width of the residual stream, which is the length of a full vector.
    public let hiddenSize: Int
    /// Query heads.
    public let heads: Int
    /// Key and value heads; each serves heads / kvHeads query heads.
    public let kvHeads: Int
    /// Width of a head.
    public let headDim: Int
    /// Inner width of the feed-forward network.
    public let ffnSize: Int
    /// Rows of `token_embd.weight`.
    public let vocabularySize: Int
    /// Most tokens of a text: the positions that the checkpoint was made for, but at most `contextLimit`.
    public let contextLength: Int
    /// Base of the rotations.
    public let ropeTheta: Float
    /// Added to the mean square in norms.
    public let rmsNormEpsilon: Float

    /// Three times the longest context of any Qwen3 embedding or reranker checkpoint: no memory is sized by what a file
    /// says beyond that.
    public static let contextLimit = 1 << 17
    /// Ten times the vocabulary of any Qwen3 checkpoint.
    package static let vocabularyLimit = 1 << 21

    /// Width of all query heads together.
    public var queryWidth: Int { heads * headDim }
    /// Width of all keys, or all values, of one token.
    public var keyWidth: Int { kvHeads * headDim }
    /// Query heads that share one key and value head.
    public var group: Int { heads / kvHeads }

    /// The numbers of a model that is to be made; they are checked when its file is opened.
    package init(
        layerCount: Int, hiddenSize: Int, heads: Int, kvHeads: Int, headDim: Int, ffnSize: Int, vocabularySize: Int,
        contextLength: Int, ropeTheta: Float, rmsNormEpsilon: Float
    ) {
        self.layerCount = layerCount
        self.hiddenSize = hiddenSize
        self.heads = heads
        self.kvHeads = kvHeads
        self.headDim = headDim
        self.ffnSize = ffnSize
        self.vocabularySize = vocabularySize
        self.contextLength = contextLength
        self.ropeTheta = ropeTheta
        self.rmsNormEpsilon = rmsNormEpsilon
    }

    /// Reads and checks the numbers. Throws `GGUFError` for a missing key or one of the wrong type, `ModelError` for a
    /// value that cannot be run.
    public init(file: GGUFFile) throws {
        let metadata = file.metadata
        let architecture = try metadata.string(Key.architecture)
        guard architecture == Qwen3Schema.architecture else {
            throw ModelError.unsupportedArchitecture(architecture.escapedForTerminal)
        }
        func size(_ key: String, in range: ClosedRange<Int>, multipleOf unit: Int = 1) throws -> Int {
            let value = Int(try metadata.uint32(key))
            guard range ~= value, value.isMultiple(of: unit) else {
                let multiple = unit == 1 ? "" : " and a multiple of \(unit)"
                throw ModelError.badValue(
                    key: key, value: "\(value)", expected: "\(range.lowerBound) to \(range.upperBound)\(multiple)")
            }
            return value
        }
        func number(_ key: String, in range: ClosedRange<Float>) throws -> Float {
            let value = try metadata.float32(key)
            guard range ~= value else {
                throw ModelError.badValue(
                    key: key, value: "\(value)", expected: "\(range.lowerBound) to \(range.upperBound)")
            }
            return value
        }

        // Largest sizes: four times those of the 8B model, so that products of sizes stay far from overflow.
        layerCount = try size(Key.layerCount, in: 1...512)
        hiddenSize = try size(Key.hiddenSize, in: 32...16_384, multipleOf: Matrix.colMultiple)
        ffnSize = try size(Key.ffnSize, in: 32...65_536, multipleOf: Matrix.colMultiple)
        heads = try size(Key.heads, in: 1...128)
        kvHeads = try size(Key.kvHeads, in: 1...heads)
        headDim = try size(Key.keyLength, in: 32...256, multipleOf: 32)
        contextLength = min(try size(Key.contextLength, in: 1...Int(UInt32.max)), Self.contextLimit)
        ropeTheta = try number(Key.ropeTheta, in: 1...1e12)
        rmsNormEpsilon = try number(Key.rmsNormEpsilon, in: Float.leastNormalMagnitude...0.1)
        guard heads.isMultiple(of: kvHeads) else {
            throw ModelError.badValue(
                key: Key.kvHeads, value: "\(kvHeads)", expected: "a divisor of the \(heads) heads")
        }
        _ = try size(Key.valueLength, in: headDim...headDim)
        let table = Qwen3Schema.Tensor(.tokenEmbedding).name
        guard let embedding = file.tensor(named: table) else { throw ModelError.missingTensor(table) }
        guard embedding.rowCount <= Self.vocabularyLimit else {
            throw ModelError.badShape(
                tensor: table, got: embedding.shape, expected: [hiddenSize, Self.vocabularyLimit])
        }
        vocabularySize = embedding.rowCount
        try Self.refuseVariants(metadata, config: self)
    }

    /// Variants of the architecture whose arithmetic is not implemented; their vectors would be wrong. A key of
    /// the architecture that is not known here may be one.
    private static func refuseVariants(_ metadata: Metadata, config: Qwen3Config) throws {
        func refuse(_ key: String, _ value: String, _ expected: String) -> ModelError {
            .unsupported(key: key, value: value, expected: expected)
        }
        if let scaling = try metadata.optionalString(Key.ropeScalingType), scaling != "none" {
            throw refuse(Key.ropeScalingType, scaling.escapedForTerminal, "none")
        }
        for key in [Key.ropeScalingFactor, Key.ropeLinearScale, Key.ropeAttentionFactor, Key.attentionScale] {
            // A scale of 0 means the usual one, as in llama.cpp.
            let neutral = key == Key.attentionScale ? [0, 1 / Float(config.headDim).squareRoot()] : [1]
            if let factor = try metadata.optionalFloat32(key), !neutral.contains(where: { abs(factor - $0) < 1e-6 }) {
                throw refuse(key, "\(factor)", "\(neutral[neutral.count - 1])")
            }
        }
        let numbers = [
            (Key.ropeDimensions, config.headDim), (Key.slidingWindow, 0), (Key.expertCount, 0),
            (Key.usedExpertCount, 0),
            (Key.outputSize, config.hiddenSize), (Key.vocabularySize, config.vocabularySize),
        ]
        for (key, value) in numbers {
            if let got = try metadata.optionalUInt32(key), Int(got) != value { throw refuse(key, "\(got)", "\(value)") }
        }
        if let causal = try metadata.optionalBool(Key.isCausal), !causal { throw refuse(Key.isCausal, "false", "true") }
        let prefix = Qwen3Schema.architecture + "."
        for key in metadata.keys where key.utf8.starts(with: prefix.utf8) && !Qwen3Schema.knownKeys.contains(key) {
            throw refuse(key.escapedForTerminal, "set", "a model without it")
        }
    }

    /// What a file says of these numbers, in the order in which converters write it.
    package var metadata: [(key: String, value: MetadataValue)] {
        let sizes = [
            (Key.layerCount, layerCount), (Key.contextLength, contextLength), (Key.hiddenSize, hiddenSize),
            (Key.ffnSize, ffnSize), (Key.heads, heads), (Key.kvHeads, kvHeads), (Key.keyLength, headDim),
            (Key.valueLength, headDim),
        ]
        return [(Key.architecture, .string(Qwen3Schema.architecture))]
            + sizes.map { ($0, .uint32(UInt32(clamping: $1))) }
            + [(Key.rmsNormEpsilon, .float32(rmsNormEpsilon)), (Key.ropeTheta, .float32(ropeTheta))]
    }

    private typealias Key = Qwen3Schema.Key
}
