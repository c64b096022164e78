// From token ids back to bytes and text, and what single tokens are.

extension Tokenizer {
    /// The text of a sequence of tokens, with U+FFFD for bytes that are not UTF-8, as a cut-off sequence can have
    /// them.
    ///
    /// `skipSpecial` leaves out control tokens such as `<|im_end|>`; `<think>` and its like stay. Throws
    /// `TokenizerError.unknownID`.
    public func decode(_ ids: [Int32], skipSpecial: Bool = false) throws(TokenizerError) -> String {
        String(decoding: try decodeBytes(ids, skipSpecial: skipSpecial), as: UTF8.self)
    }

    /// The bytes of a sequence of tokens.
    public func decodeBytes(_ ids: [Int32], skipSpecial: Bool = false) throws(TokenizerError) -> [UInt8] {
        var bytes: [UInt8] = []
        for id in ids {
            guard vocabulary.kinds.indices.contains(Int(id)) else {
                throw .unknownID(id, vocabularySize: vocabularySize)
            }
            if !(skipSpecial && isSpecial(id)) { bytes += vocabulary.store.bytes[vocabulary.store.range(of: id)] }
        }
        return bytes
    }

    /// The bytes of a token; none for an id outside the vocabulary.
    public func piece(_ id: Int32) -> [UInt8] {
        guard vocabulary.kinds.indices.contains(Int(id)) else { return [] }
        return Array(vocabulary.store.bytes[vocabulary.store.range(of: id)])
    }

    /// The token that is exactly these bytes. If both a BPE token and an added one are, which no file has been seen
    /// to have, the BPE token.
    public func id(ofPiece bytes: [UInt8]) -> Int32? {
        vocabulary.token(bytes.span)
    }

    /// The token that is exactly this text.
    public func id(ofPiece text: String) -> Int32? {
        vocabulary.token(text.utf8.span)
    }

    /// Whether a token carries structure and not text, such as `<|im_end|>`: GGUF's type 3, `special` in Hugging
    /// Face's files.
    public func isSpecial(_ id: Int32) -> Bool {
        vocabulary.kinds.indices.contains(Int(id)) && vocabulary.kinds[Int(id)] == .control
    }
}
