// From a pair of texts to token ids, so that no text can ever act as a control token.
package import Q3Model
package import Q3Tokenizer

/// The prompt of one style for one vocabulary.
package struct RerankPrompt: Sendable {
    package let style: PromptStyle
    /// Constant ids around the user's text; the only place where control tokens occur.
    package let prefix: [Int32]
    package let suffix: [Int32]

    /// Tokens that the constant parts consist of besides text.
    private static let controlPieces = ["<|im_start|>", "<|im_end|>", "<think>", "</think>"]

    package init(style: PromptStyle, tokenizer: Tokenizer) throws(RerankError) {
        for piece in Self.controlPieces where tokenizer.id(ofPiece: piece) == nil {
            throw .missingPiece(piece)
        }
        self.style = style
        prefix = tokenizer.encode(style.prefix, parseSpecial: true)
        suffix = tokenizer.encode(style.suffix, parseSpecial: true)
    }

    /// The ids of a whole prompt of at most `limit` tokens.
    ///
    /// The user's text is built once and encoded as one string, because merges across "<Query>: " and the query must be
    /// the reference's; added tokens of any kind inside it stay letters. Only the document is ever cut, from its end.
    package func input(
        for pair: RerankPair, tokenizer: Tokenizer, limit: Int, truncates: Bool
    ) throws(RerankError) -> ModelInput {
        let head = style.middle(instruction: pair.instruction ?? style.defaultInstruction, query: pair.query)
        let room = max(0, limit - prefix.count - suffix.count)
        // To cut a document, no more of it need be read; to refuse one, all of it is counted.
        let middle = tokenizer.encode(head + pair.document, atLeast: truncates ? room + 1 : .max)
        if middle.count <= room {
            return ModelInput(ids: prefix + middle + suffix, isTruncated: false)
        }
        let headCount = tokenizer.encode(head).count
        guard headCount < room else {
            throw .queryTooLong(tokenCount: prefix.count + headCount + suffix.count, limit: limit)
        }
        guard truncates else {
            throw .tooLong(tokenCount: prefix.count + middle.count + suffix.count, limit: limit)
        }
        return ModelInput(ids: prefix + middle.prefix(room) + suffix, isTruncated: true)
    }
}
