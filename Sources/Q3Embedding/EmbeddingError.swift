// Everything that can be wrong with an embedding model, a text or a request.

import Q3GGUF
import Q3System

/// Why a text got no vector, or why a file cannot give any.
public enum EmbeddingError: Error, Sendable, Equatable {
    /// The file was made for reranking.
    case rerankerModel(path: String, evidence: String)
    /// The file asks for a pooling that Qwen3-Embedding does not use.
    case unsupportedPooling(type: UInt32, name: String)
    /// The vocabulary has no `<|endoftext|>`, whose hidden state is the embedding.
    case missingEndOfText
    /// More tokens than token embeddings, so some text could not be embedded.
    case vocabulary(tokenCount: Int, embeddingCount: Int)
    /// More or fewer dimensions asked for than the model has.
    case dimensions(requested: Int, available: Int)
    /// A text longer than the context, and truncation was not asked for.
    case tooLong(tokenCount: Int, limit: Int)
    /// The hidden state holds a NaN or an infinity.
    case nonFinite(dimension: Int)
    /// The hidden state is zero in every dimension that was kept, so it has no direction.
    case zeroNorm
    /// Bits are packed eight to a byte.
    case unevenBits(dimensions: Int)
    /// `int8` and `uint8` need the range of every dimension.
    case missingRanges(type: EmbeddingType)
    /// Vectors or ranges of different sizes were mixed.
    case sizeMismatch(expected: Int, got: Int)
    /// A file that is not an adapter, or whose parts do not fit together.
    case badAdapter(path: String, fault: String)
    /// An adapter that was made for another model; both fingerprints.
    case otherModel(adapter: String, expected: String, got: String)
    /// An adapter for vectors of another size than the model's, or than what is to be kept of them.
    case adapterDimensions(adapter: Int, requested: Int)
    /// What is wrong with one text of a list, by its index.
    indirect case text(index: Int, EmbeddingError)
}

extension EmbeddingError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .rerankerModel(let path, let evidence):
            "\(path.escapedForTerminal) is a reranker (\(evidence)), which gives scores and no vectors; open it with Q3Reranking"
        case .unsupportedPooling(let type, let name):
            "qwen3.pooling_type is \(type) (\(name)), but Qwen3 embeddings take the last token (3): any other pooling "
                + "would give vectors that rank at random; convert the file again from the original checkpoint"
        case .missingEndOfText:
            "the vocabulary has no <|endoftext|>, the token whose state is the embedding; this is not a Qwen3 tokenizer"
        case .vocabulary(let tokenCount, let embeddingCount):
            "the tokenizer has \(tokenCount) tokens, but token_embd.weight has rows for \(embeddingCount); "
                + "the file's parts do not belong together"
        case .dimensions(let requested, let available):
            "\(requested) dimensions asked for, but this model gives 1 to \(available)"
        case .tooLong(let tokenCount, let limit):
            "the text has \(tokenCount) tokens, but the model takes at most \(limit); "
                + "split it, or have it truncated"
        case .nonFinite(let dimension):
            "the model gave a value that is not a finite number (dimension \(dimension)): the weights are damaged, "
                + "or too large to compute with"
        case .zeroNorm:
            "the model gave a vector of zeros, which has no direction: the weights are damaged"
        case .unevenBits(let dimensions):
            "bits are packed eight to a byte, so binary types need dimensions divisible by 8, not \(dimensions)"
        case .missingRanges(let type):
            "type \(type.rawValue) needs the range of each dimension, taken from a number of vectors"
        case .sizeMismatch(let expected, let got):
            "a vector of \(got) dimensions where \(expected) were expected"
        case .badAdapter(let path, let fault):
            "\(path.escapedForTerminal) holds no adapter that q3 can use: \(fault)"
        case .otherModel(let adapter, let expected, let got):
            "\(adapter.escapedForTerminal) was made for the model \(expected), and this one is \(got): use that model, or make "
                + "an adapter for this one with 'q3 tune adapter'"
        case .adapterDimensions(let adapter, let requested):
            "the adapter is for vectors of \(adapter) values, and \(requested) are asked for; ask for \(adapter) or fewer"
        case .text(let index, let error):
            "text \(index): \(error)"
        }
    }
}
