// Messages of the model: one line, the offending values in it.
import Q3GGUF
import Q3Model
import Testing

struct ErrorTextTests {
    private static let errors: [(error: ModelError, word: String)] = [
        (.unsupportedArchitecture("llama"), "llama"), (.badValue(key: "k", value: "9", expected: "1 to 8"), "1 to 8"),
        (.unsupported(key: "k", value: "yarn", expected: "none"), "k is yarn, which is not supported"),
        (.missingTensor("blk.0.attn_q.weight"), "blk.0.attn_q.weight"),
        (.badShape(tensor: "t", got: [1], expected: [7]), "[7]"),
        (.unsupportedType(tensor: "t", type: .f64, expected: "F32"), "F64"), (.unknownTensor("x.bias"), "x.bias"),
        (.nonFiniteWeight(tensor: "t", index: 13), "13"), (.emptyInput(index: 4), "input 4"),
        (.tokenOutOfRange(index: 4, token: -1, vocabularySize: 99), "-1"),
        (.inputTooLong(index: 4, tokenCount: 10, limit: 8), "10 tokens"), (.outOfMemory(byteCount: 123), "123"),
        (.badThreadCount(0), "1 to 512"), (.cannotStartThreads(expected: 8, got: 3), "3 of 8"),
    ]

    @Test(arguments: errors) func `messages are one line`(_ test: (error: ModelError, word: String)) {
        let text = test.error.description
        #expect(text.contains(test.word))
        #expect(!text.contains { $0.isNewline })
    }
}
