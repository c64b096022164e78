// What can be wrong with a vocabulary, and what the person who loads it can do about it.

import Q3GGUF
import Q3System

/// A vocabulary that cannot be used, or an id that does not belong to it. Token ids and merge numbers count from 0.
public enum TokenizerError: Error, Equatable, Sendable {
    /// `tokenizer.ggml.model` is not "gpt2", byte-level BPE.
    case unsupportedModel(String)
    /// `tokenizer.ggml.pre` is not "qwen2".
    case unsupportedPreTokenizer(String?)
    /// An empty vocabulary.
    case noTokens
    /// More tokens or merges than the tables have room for.
    case tooMany(key: String, count: Int, limit: Int)
    /// There is not one type for each token.
    case tokenTypeCount(types: Int, tokens: Int)
    /// A type of token that is not in the format.
    case unknownTokenType(id: Int32, type: Int32)
    /// A token without bytes.
    case emptyToken(id: Int32)
    /// A token longer than any text piece.
    case tokenTooLong(id: Int32, byteCount: Int, limit: Int)
    /// A token with a character outside the byte-level alphabet.
    case tokenNotByteLevel(id: Int32, byteOffset: Int)
    /// An added token that is not UTF-8.
    case tokenNotUTF8(id: Int32)
    /// Two tokens with the same bytes.
    case duplicateToken(id: Int32, first: Int32)
    /// A byte without a token, so that some text could not be encoded.
    case missingByte(UInt8)
    /// A merge that is not two parts with a space between.
    case malformedMerge(rank: Int)
    /// A merge of what is not a token.
    case unknownMergePart(rank: Int, part: String)
    /// A merge into what is not a token.
    case unknownMergeResult(rank: Int, result: String)
    /// A merge that is there twice.
    case duplicateMerge(rank: Int, first: Int)
    /// A key that names a token outside the vocabulary.
    case idOutOfRange(key: String, id: UInt32, vocabularySize: Int)
    /// An id given to `decode` that is negative or not below the size of the vocabulary.
    case unknownID(Int32, vocabularySize: Int)
}

extension TokenizerError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unsupportedModel(let model):
            "\(TokenizerKey.model) is \"\(model.escapedForTerminal)\", but only \"gpt2\" (byte-level BPE) is "
                + "supported; this is not the tokenizer of a Qwen3 model"
        case .unsupportedPreTokenizer(let name?):
            "\(TokenizerKey.preTokenizer) is \"\(name.escapedForTerminal)\", but only \"qwen2\" is supported; "
                + "this is not the tokenizer of a Qwen3 model"
        case .unsupportedPreTokenizer(nil):
            "\(TokenizerKey.preTokenizer) is missing, so text would be cut in ways the model has not seen; "
                + "convert the model again with a current converter"
        case .noTokens:
            "\(TokenizerKey.tokens) is empty; \(Self.convertAgain)"
        case .tooMany(let key, let count, let limit):
            "\(key) has \(count) entries, but at most \(limit) are supported; the file is damaged"
        case .tokenTypeCount(let types, let tokens):
            "\(TokenizerKey.tokenTypes) has \(types) entries for \(tokens) tokens; \(Self.convertAgain)"
        case .unknownTokenType(let id, let type):
            "token \(id) has type \(type), expected 1 to 6; \(Self.convertAgain)"
        case .emptyToken(let id):
            "token \(id) is empty; \(Self.convertAgain)"
        case .tokenTooLong(let id, let byteCount, let limit):
            "token \(id) has \(byteCount) bytes, but at most \(limit) are supported; the file is damaged"
        case .tokenNotByteLevel(let id, let byteOffset):
            "token \(id), byte \(byteOffset): not a character of the byte-level alphabet; \(Self.convertAgain)"
        case .tokenNotUTF8(let id):
            "token \(id) is not UTF-8; \(Self.convertAgain)"
        case .duplicateToken(let id, let first):
            "token \(id) is the same as token \(first); \(Self.convertAgain)"
        case .missingByte(let byte):
            "no token stands for byte 0x\(String(byte, radix: 16)), so some text has no tokens; \(Self.convertAgain)"
        case .malformedMerge(let rank):
            "merge \(rank) is not two tokens with one space between them; \(Self.convertAgain)"
        case .unknownMergePart(let rank, let part):
            "merge \(rank): its part \"\(part.escapedForTerminal)\" is not a token; \(Self.convertAgain)"
        case .unknownMergeResult(let rank, let result):
            "merge \(rank): its result \"\(result.escapedForTerminal)\" is not a token; \(Self.convertAgain)"
        case .duplicateMerge(let rank, let first):
            "merge \(rank) is the same as merge \(first); \(Self.convertAgain)"
        case .idOutOfRange(let key, let id, let vocabularySize):
            "\(key) is \(id), but the vocabulary has \(vocabularySize) tokens; \(Self.convertAgain)"
        case .unknownID(let id, let vocabularySize):
            "token id \(id) is outside the vocabulary (0 to \(vocabularySize - 1))"
        }
    }

    private static let convertAgain = "download the file or convert the model again"
}
