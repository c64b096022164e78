// The part of a text that its first tokens stand for.

extension Tokenizer {
    /// The prefix of a text that has at most `count` tokens, cut between scalars.
    package func prefix(of text: String, tokens count: Int) -> String {
        let pieces = encodeWithOffsets(text)
        guard pieces.count > max(0, count) else { return text }
        let utf8 = text.utf8
        var end = utf8.index(utf8.startIndex, offsetBy: pieces[max(0, count)].range.lowerBound)
        while end > utf8.startIndex, String.Index(end, within: text.unicodeScalars) == nil {
            end = utf8.index(before: end)
        }
        return String(text[..<end])
    }
}
