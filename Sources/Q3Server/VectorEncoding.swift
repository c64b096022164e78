// How a vector is scaled and written in an answer.
#if Server
import Q3Embedding
import Q3System

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The length that a vector is given.
enum VectorNorm: Sendable, Equatable {
    /// As computed.
    case none
    case unitLength
    /// llama-server's: the largest magnitude becomes 32760.
    case maxMagnitude
    /// llama-server's: the p-norm becomes 1.
    case power(Int)

    /// llama-server's numbers: -1 none, 0 the largest magnitude, 2 Euclidean length, others the p-norm.
    init(embdNormalize number: Whole?) throws(APIError) {
        switch number?.value {
        case nil, 2: self = .unitLength
        case -1: self = .none
        case 0: self = .maxMagnitude
        case let power? where power > 0: self = .power(power)
        default: throw .invalid("embd_normalize", "\"embd_normalize\" must be -1 or more")
        }
    }

    /// Scales a vector as it was computed; `unit` is the same at length 1.
    func applied(to vector: [Float], unit: [Float]) -> [Float] {
        let size: Double
        switch self {
        case .none: return vector
        case .unitLength: return unit
        case .maxMagnitude: size = vector.reduce(0) { max($0, Double(abs($1))) } / 32760
        case .power(let power):
            // Of the unit vector, whose powers do not overflow.
            let sum = unit.reduce(0) { $0 + powerOf(Double(abs($1)), power) }
            let size = exp2(log2(sum) / Double(power))
            return unit.map { Float(Double($0) / size) }
        }
        return vector.map { Float(Double($0) / size) }
    }

    private func powerOf(_ value: Double, _ exponent: Int) -> Double {
        value == 0 ? 0 : exp2(log2(value) * Double(exponent))
    }
}

/// How the values of a vector are written.
struct VectorEncoding: Sendable {
    enum Format { case list, base64, binary, ubinary }
    enum Element { case float32, float16, bfloat16 }

    var format = Format.list
    var element = Element.float32
    var isBigEndian = false

    init() {}

    /// - Parameters:
    ///   - format: OpenAI's `encoding_format` or Jina's `embedding_type`.
    ///   - type: vLLM's `embed_dtype`, which is that of bytes; a list has numbers.
    init(format: String?, field: String, type: String? = nil, endianness: String? = nil) throws(APIError) {
        switch format?.lowercased() {
        case "float", nil: self.format = .list
        case "base64": self.format = .base64
        case "binary" where field == "embedding_type": self.format = .binary
        case "ubinary" where field == "embedding_type": self.format = .ubinary
        default: throw .invalid(field, "\"\(field)\" must be \"float\" or \"base64\"")
        }
        switch type?.lowercased() {
        case "float32", nil: element = .float32
        case "float16": element = .float16
        case "bfloat16": element = .bfloat16
        default: throw .invalid("embed_dtype", "\"embed_dtype\" must be float32, float16 or bfloat16")
        }
        switch endianness?.lowercased() {
        case "native", "little", nil: isBigEndian = false
        case "big": isBigEndian = true
        default: throw .invalid("endianness", "\"endianness\" must be native, little or big")
        }
    }

    func bytes(of vector: [Float]) -> [UInt8] {
        func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
            let value = isBigEndian ? value.byteSwapped : value
            return (0..<value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
        }
        return switch element {
        case .float32: vector.flatMap { bytes($0.bitPattern) }
        case .float16: vector.flatMap { bytes(HalfPrecision.bits(of: $0)) }
        case .bfloat16: vector.flatMap { bytes(Self.bfloat16($0)) }
        }
    }

    /// The nearest number with the upper 16 bits of a float, ties to even.
    private static func bfloat16(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
    }
}

/// A vector as it is written in JSON.
enum WireVector: Encodable {
    case list([Float])
    case base64([UInt8])
    case bits(EncodedVector)

    init(_ vector: [Float], _ encoding: VectorEncoding) throws(APIError) {
        do throws(EmbeddingError) {
            switch encoding.format {
            case .list: self = .list(vector)
            case .base64: self = .base64(encoding.bytes(of: vector))
            case .binary: self = .bits(try EmbeddingType.binary.encode(vector))
            case .ubinary: self = .bits(try EmbeddingType.ubinary.encode(vector))
            }
        } catch {
            throw APIError(error)
        }
    }

    func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        switch self {
        case .list(let vector), .bits(.float32(let vector)): try value.encode(vector)
        case .base64(let bytes): try value.encode(Data(bytes).base64EncodedString())
        case .bits(.int8(let values)): try value.encode(values)
        case .bits(.uint8(let values)): try value.encode(values)
        case .bits(.float16(let bits)): try value.encode(bits)
        }
    }
}
#endif
