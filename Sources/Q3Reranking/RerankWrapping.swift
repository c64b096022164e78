// Pairs that already stand in the reranker's prompt, as clients of servers that put none around them send.

/// The halves of a prompt as such clients write it: everything up to the query and its line break in the query, the rest in
/// the document.
struct RerankWrapping: Sendable {
    private let beforeInstruction, beforeQuery, afterQuery, beforeDocument, afterDocument: [UInt8]

    /// Nil for prompts without an instruction or control tokens, which plain texts could look like by chance.
    init?(_ template: RerankTemplate) {
        let parts = template.parts
        guard parts.count == 7, case .text(let start) = parts[0], parts[1] == .instruction,
            case .text(let middle) = parts[2], parts[3] == .query, case .text(let label) = parts[4],
            parts[5] == .document, case .text(let end) = parts[6], start.contains("<|im_start|>"),
            end.contains("<|im_end|>")
        else { return nil }
        beforeInstruction = Array(start.utf8)
        beforeQuery = Array(middle.utf8)
        afterQuery = Array(label.utf8.prefix { $0 == UInt8(ascii: "\n") })
        beforeDocument = Array(label.utf8.dropFirst(afterQuery.count))
        afterDocument = Array(end.utf8)
    }

    /// The pair inside of a pair that is wrapped in exactly this prompt, nil for any other. What is inside stays text, whatever it
    /// looks like.
    func pair(in pair: RerankPair) -> RerankPair? {
        guard let inner = Self.inner(pair.query, beforeInstruction, afterQuery),
            let label = inner.firstRange(of: beforeQuery),
            let document = Self.inner(pair.document, beforeDocument, afterDocument)
        else { return nil }
        return RerankPair(
            query: String(decoding: inner[label.upperBound...], as: UTF8.self),
            document: String(decoding: document, as: UTF8.self),
            instruction: String(decoding: inner[..<label.lowerBound], as: UTF8.self))
    }

    private static func inner(_ text: String, _ start: [UInt8], _ end: [UInt8]) -> ArraySlice<UInt8>? {
        let bytes = text.utf8
        guard bytes.count >= start.count + end.count, bytes.starts(with: start),
            bytes.suffix(end.count).elementsEqual(end)
        else { return nil }
        return Array(bytes)[start.count..<bytes.count - end.count]
    }
}
