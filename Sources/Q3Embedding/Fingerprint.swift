// A short name for a vector space, so that an index can refuse vectors that were made another way.
import Q3GGUF
public import Q3Model
import Q3Tokenizer

/// Models with equal fingerprints give vectors that may be compared; do not mix the vectors of others.
///
/// It covers everything that the direction of a vector depends on: the weights (name, shape, type and every byte), the
/// constants of the architecture, the vocabulary and its merges, the prompt, pooling and normalization rules of this
/// package, the precision, and the version of the kernels' arithmetic. It does not cover what leaves the space the
/// same: the file's name and other metadata, the longest input, threads and batches. Store it with an index, beside
/// the dimensions and the type of the stored values. It is `Codable` as its sixteen digits.
///
/// Computing it reads the whole file once, at the speed of memory when the file is cached. It tells models apart; it
/// does not protect against a file that was made to collide.
public struct Fingerprint: Sendable, Hashable, LosslessStringConvertible {
    /// The 64 bits; `description` has them as 16 hexadecimal digits.
    public let value: UInt64

    /// To be raised with any change that gives another vector for the same text, beyond rounding.
    private static let rulesVersion: UInt64 = 1
    private static let rules = "nfc, text literal, one <|endoftext|>, last token, output norm, cut, l2"

    /// Computes the fingerprint of a model. Throws `GGUFError`: for metadata of the tokenizer that is missing or of
    /// another type, and `changed` when the file was written during the call.
    public init(of model: Qwen3Model) throws {
        var hash = SpaceHash()
        hash.combine(Self.rulesVersion)
        hash.combine(Self.rules)
        let metadata = model.file.metadata
        hash.combine(try EmbeddingPrompts(of: metadata).fingerprintText)
        hash.combine(model.options.precision.fingerprintText)
        hash.combine(model.config)

        hash.combine(try metadata.string(TokenizerKey.preTokenizer))
        for type in try metadata.int32Array(TokenizerKey.tokenTypes) {
            hash.combine(UInt64(bitPattern: Int64(type)))
        }
        for key in [TokenizerKey.tokens, TokenizerKey.merges] {
            let strings = try metadata.stringArray(key)
            hash.combine(UInt64(strings.count))
            unsafe strings.forEachBytes { _, bytes in unsafe hash.combine(bytes) }
        }

        // By name, because converters differ in the order in which they write tensors.
        for tensor in model.file.tensors.sorted(by: { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }) {
            hash.combine(tensor.name)
            hash.combine(tensor.type.name)
            for extent in tensor.shape { hash.combine(UInt64(extent)) }
            unsafe hash.combine(model.file.bytes(of: tensor))
        }
        try model.file.checkUnchanged()
        value = hash.finish()
    }

    init(value: UInt64) { self.value = value }

    /// Sixteen hexadecimal digits.
    public var description: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// Reads a fingerprint back from its description; nil for anything but sixteen hexadecimal digits.
    public init?(_ description: String) {
        guard description.utf8.count == 16, description.utf8.allSatisfy({ $0 != UInt8(ascii: "+") }),
            let value = UInt64(description, radix: 16)
        else { return nil }
        self.value = value
    }
}

extension Fingerprint: Codable {
    /// Throws `DecodingError` for anything but a string of sixteen hexadecimal digits.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let fingerprint = Fingerprint(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "expected a fingerprint of sixteen hexadecimal digits")
        }
        self = fingerprint
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension Precision {
    /// `auto` was called fast before there were steps; indexes keep their vectors.
    fileprivate var fingerprintText: String {
        switch self {
        case .auto: "fast"
        case .fast: "8 bits, in attention too, 14 for some matrices"
        case .fine: "14 bits"
        case .exact: "exact"
        }
    }
}

extension SpaceHash {
    /// The constants that a hidden state depends on; the context length only decides what is refused.
    fileprivate mutating func combine(_ config: Qwen3Config) {
        let sizes = [
            config.layerCount, config.hiddenSize, config.heads, config.kvHeads, config.headDim, config.ffnSize,
            config.vocabularySize,
        ]
        for size in sizes { combine(UInt64(size)) }
        combine(UInt64(config.ropeTheta.bitPattern))
        combine(UInt64(config.rmsNormEpsilon.bitPattern))
    }
}
