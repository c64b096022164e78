// Why a file cannot be run as a Qwen3 model, or a text cannot be run through it.

public import Q3GGUF

/// Errors of loading and running a model. Texts from the file are escaped by `GGUFError`'s rules before they are shown.
public enum ModelError: Error, Sendable, Equatable {
    /// `general.architecture` is not "qwen3".
    case unsupportedArchitecture(String)
    /// A number that no Qwen3 model can have.
    case badValue(key: String, value: String, expected: String)
    /// A variant of the architecture that is not implemented, whose vectors would be wrong.
    case unsupported(key: String, value: String, expected: String)
    /// A tensor that every Qwen3 model has is not there.
    case missingTensor(String)
    /// Shapes with the fastest axis first, as in the file.
    case badShape(tensor: String, got: [Int], expected: [Int])
    /// A type that no kernel reads, or not in this place.
    case unsupportedType(tensor: String, type: TensorType, expected: String)
    /// A tensor that a plain Qwen3 model does not have, so leaving it out would change the results.
    case unknownTensor(String)
    /// A NaN or an infinity among the weights of a norm or a head.
    case nonFiniteWeight(tensor: String, index: Int)
    /// A list without tokens.
    case emptyInput(index: Int)
    /// An id outside the vocabulary.
    case tokenOutOfRange(index: Int, token: Int32, vocabularySize: Int)
    /// More tokens than the context has positions.
    case inputTooLong(index: Int, tokenCount: Int, limit: Int)
    /// The system does not have enough memory for a pass.
    case outOfMemory(byteCount: Int)
    /// Not 1 to `ModelOptions.threadLimit` threads.
    case badThreadCount(Int)
    /// The system lets fewer threads run at once than are asked for.
    case cannotStartThreads(expected: Int, got: Int)
}

extension ModelError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unsupportedArchitecture(let name):
            "general.architecture is \"\(name)\", but only qwen3 models can be run"
        case .badValue(let key, let value, let expected):
            "\(key) is \(value), expected \(expected); the file is damaged or made for another program"
        case .unsupported(let key, let value, let expected):
            "\(key) is \(value), which is not supported: only \(expected) is computed, and vectors without it would be wrong"
        case .missingTensor(let name):
            "tensor \(name) is missing; the file is incomplete, convert or download it again"
        case .badShape(let tensor, let got, let expected):
            "tensor \(tensor) has shape \(got), expected \(expected) from the metadata"
        case .unsupportedType(let tensor, let type, let expected):
            "tensor \(tensor) has type \(type.name), expected \(expected)"
        case .unknownTensor(let name):
            "tensor \(name) is not part of a Qwen3 model; results without it would be wrong"
        case .nonFiniteWeight(let tensor, let index):
            "tensor \(tensor) holds a NaN or an infinity at \(index); the file is damaged"
        case .emptyInput(let index):
            "input \(index) has no tokens"
        case .tokenOutOfRange(let index, let token, let vocabularySize):
            "input \(index) has token \(token), outside the vocabulary of \(vocabularySize)"
        case .inputTooLong(let index, let tokenCount, let limit):
            "input \(index) has \(tokenCount) tokens, more than the model's \(limit); shorten it or allow truncation"
        case .outOfMemory(let byteCount):
            "no memory for \(byteCount) bytes of scratch; use shorter inputs or fewer threads"
        case .badThreadCount(let count):
            "\(count) threads asked for, expected 1 to \(ModelOptions.threadLimit)"
        case .cannotStartThreads(let expected, let got):
            "the system lets only \(got) of \(expected) threads run; use fewer threads or raise the limit (ulimit -u)"
        }
    }
}
