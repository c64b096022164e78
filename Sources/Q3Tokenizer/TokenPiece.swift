// A token together with the text it stands for.

/// A token and the bytes of the original text that it comes from.
public struct TokenPiece: Hashable, Sendable {
    /// The token, 0 up to the size of the vocabulary.
    public let id: Int32
    /// Byte offsets into the UTF-8 of the text that was given to the tokenizer, before NFC. Tokens may begin or end
    /// within a scalar. Where NFC changed a stretch of the text (a letter with its combining marks), every token of
    /// the stretch has the whole stretch's range.
    public let range: Range<Int>

    /// A token with the bytes that it comes from.
    public init(id: Int32, range: Range<Int>) {
        self.id = id
        self.range = range
    }
}
