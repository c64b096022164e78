// Messages of the reranker: one line, the offending values in it, nothing that a terminal would act on.
import Q3Reranking
import Testing

@Suite struct ErrorTextTests {
    private static let errors: [(error: RerankError, word: String)] = [
        (.embeddingModel(path: "a\n\u{1B}b", evidence: "qwen3.pooling_type is 3"), "pooling_type is 3"),
        (.missingPiece("<think>"), "<think>"), (.vocabulary(tokenCount: 77, embeddingCount: 66), "66"),
        (.missingLabels, "output_labels"), (.labels(["a\n\u{1B}", "\u{202E}"]), "\\u{202e}"), (.labelCount(12), "12"),
        (.classifierRows(rows: 3, labels: 2), "3 rows"), (.missingHead(hiddenSize: 4096), "4096"),
        (.nonFiniteHead(tensor: "output.weight"), "output.weight"), (.queryTooLong(tokenCount: 900, limit: 800), "900"),
        (.tooLong(tokenCount: 900, limit: 800), "800"), (.nonFinite, "not a finite number"), (.zeroState, "zeros"),
        (.pair(index: 5, .zeroState), "pair 5"),
    ]

    @Test(arguments: errors) func `messages are one line`(_ test: (error: RerankError, word: String)) {
        let text = test.error.description
        #expect(text.contains(test.word))
        #expect(
            text.unicodeScalars.allSatisfy { ![.control, .format].contains($0.properties.generalCategory) }, "\(text)")
    }
}
