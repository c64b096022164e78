// A GGUF file with a vocabulary and nothing else, written byte by byte: the writer of q3 takes only text.

import Q3GGUF
import TestSupport

/// The 256 bytes of the alphabet, then tokens and merges of any bytes.
struct VocabularyFile {
    /// Strings, each with its length before it, as GGUF has them.
    private var tokens: [UInt8] = []
    private var types: [UInt8] = []
    private var tokenCount = 0
    private var merges: [UInt8] = []
    private var mergeCount = 0

    private static let alphabet = Result {
        try Fixture.model("tokenizer").metadata.stringArray("tokenizer.ggml.tokens").makeStrings().prefix(256)
    }

    init() throws {
        for token in try Self.alphabet.get() { addToken(token.utf8, type: 1) }
    }

    mutating func addToken(_ token: some Collection<UInt8>, type: Int32) {
        tokens.append(string: token)
        types.append(number: UInt32(bitPattern: type))
        tokenCount += 1
    }

    mutating func addMerge(_ merge: some Collection<UInt8>) {
        merges.append(string: merge)
        mergeCount += 1
    }

    var bytes: [UInt8] {
        var bytes = Array("GGUF".utf8)
        bytes.append(number: UInt32(3))
        bytes.append(number: UInt64(0))
        bytes.append(number: UInt64(5))
        for (key, value) in [("tokenizer.ggml.model", "gpt2"), ("tokenizer.ggml.pre", "qwen2")] {
            bytes.append(string: key.utf8)
            bytes.append(number: UInt32(8))
            bytes.append(string: value.utf8)
        }
        let arrays = [
            (key: "tokens", type: UInt32(8), count: tokenCount, elements: tokens),
            (key: "token_type", type: UInt32(5), count: tokenCount, elements: types),
            (key: "merges", type: UInt32(8), count: mergeCount, elements: merges),
        ]
        for array in arrays {
            bytes.append(string: "tokenizer.ggml.\(array.key)".utf8)
            bytes.append(number: UInt32(9))
            bytes.append(number: array.type)
            bytes.append(number: UInt64(array.count))
            bytes += array.elements
        }
        return bytes
    }
}

extension [UInt8] {
    fileprivate mutating func append(number: some FixedWidthInteger) {
        for shift in stride(from: 0, to: number.bitWidth, by: 8) { append(UInt8(truncatingIfNeeded: number >> shift)) }
    }

    fileprivate mutating func append(string: some Collection<UInt8>) {
        append(number: UInt64(string.count))
        append(contentsOf: string)
    }
}
