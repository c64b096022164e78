// From a pair of texts to token ids, so that no text can ever act as a control token.
package import Q3Model
package import Q3Tokenizer

/// The prompt of one template for one vocabulary.
package struct RerankPrompt: Sendable {
    package let template: RerankTemplate
    private let defaultInstruction: String
    /// Everything before and after the text around the document.
    private let head, tail: [Segment]
    private let wrapping: RerankWrapping?
    /// The text around the document, which has no control tokens.
    private let before, after: [RerankTemplate.Part]

    /// Constant ids, or text with holes.
    private enum Segment {
        case ids([Int32])
        case text([RerankTemplate.Part])
    }

    /// The prompt of a style; of `model` the card's.
    package init(style: PromptStyle, tokenizer: Tokenizer) throws(RerankError) {
        try self.init(
            RerankTemplate(style.template), defaultInstruction: style.defaultInstruction, tokenizer: tokenizer)
    }

    /// Constant ids that every prompt begins and ends with.
    package var prefix: [Int32] { Self.constantIDs(head) }
    package var suffix: [Int32] { Self.constantIDs(tail) }

    private static func constantIDs(_ segments: [Segment]) -> [Int32] {
        segments.flatMap { if case .ids(let ids) = $0 { ids } else { [Int32]() } }
    }

    /// Throws `missingPiece` where the template has a control token of Qwen3 that the vocabulary lacks.
    package init(
        _ template: RerankTemplate, defaultInstruction: String, tokenizer: Tokenizer
    ) throws(RerankError) {
        var segments: [Segment] = []
        var run: [RerankTemplate.Part] = []
        func endRun() {
            let constants = run.compactMap { if case .text(let text) = $0 { text } else { nil } }
            let isConstant = constants.count == run.count
            if !run.isEmpty { segments.append(isConstant ? .ids(tokenizer.encode(constants.joined())) : .text(run)) }
            run = []
        }
        for part in template.parts {
            guard case .text(let text) = part else {
                run.append(part)
                continue
            }
            for piece in try Self.pieces(of: text, tokenizer) {
                switch piece {
                case .ids:
                    endRun()
                    segments.append(piece)
                case .text(let parts): run += parts
                }
            }
        }
        endRun()
        let place = segments.firstIndex { if case .text(let parts) = $0 { parts.contains(.document) } else { false } }
        guard let place, case .text(let parts) = segments[place], let hole = parts.firstIndex(of: .document) else {
            preconditionFailure("a template has a document")
        }
        self.template = template
        wrapping = RerankWrapping(template)
        self.defaultInstruction = defaultInstruction
        head = Array(segments[..<place])
        tail = Array(segments[(place + 1)...])
        before = Array(parts[..<hole])
        after = Array(parts[(hole + 1)...])
    }

    /// The text as control tokens and what is between them. They look like `<|im_end|>` or `</think>`; the prompt's
    /// own `<Query>` is text.
    private static func pieces(of text: String, _ tokenizer: Tokenizer) throws(RerankError) -> [Segment] {
        var segments: [Segment] = []
        var constant = ""
        var rest = text[...]
        while let character = rest.first {
            if character == "<", let end = rest.firstIndex(of: ">") {
                let piece = String(rest[...end])
                let ids = tokenizer.encode(piece, parseSpecial: true)
                if ids.count == 1, tokenizer.encode(piece) != ids {
                    if !constant.isEmpty { segments.append(.text([.text(constant)])) }
                    constant = ""
                    segments.append(.ids(ids))
                    rest = rest[rest.index(after: end)...]
                    continue
                }
                if piece.hasPrefix("<|") || ["<think>", "</think>"].contains(piece) { throw .missingPiece(piece) }
            }
            constant.append(character)
            rest = rest.dropFirst()
        }
        if !constant.isEmpty { segments.append(.text([.text(constant)])) }
        return segments
    }

    /// The ids of a whole prompt of at most `limit` tokens.
    ///
    /// The text between control tokens is built once and encoded as one string, because merges across "<Query>: " and
    /// the query must be the reference's; added tokens of any kind inside it stay letters. Only the document is ever
    /// cut, from its end. A pair that already stands in this very prompt is taken out of it first. Throws `queryTooLong`,
    /// `tooLong`, or `fixedInstruction` for an instruction without a hole for it.
    package func input(
        for pair: RerankPair, tokenizer: Tokenizer, limit: Int, truncates: Bool
    ) throws(RerankError) -> ModelInput {
        let pair = wrapping?.pair(in: pair) ?? pair
        guard pair.instruction == nil || template.hasInstruction else { throw .fixedInstruction }
        func filled(_ parts: [RerankTemplate.Part]) -> String {
            parts.map {
                switch $0 {
                case .text(let text): text
                case .query: pair.query
                case .document: pair.document
                case .instruction: pair.instruction ?? defaultInstruction
                }
            }.joined()
        }
        func ids(_ segments: [Segment]) -> [Int32] {
            segments.flatMap { segment in
                switch segment {
                case .ids(let ids): ids
                case .text(let parts): tokenizer.encode(filled(parts))
                }
            }
        }
        let (prefix, suffix) = (ids(head), ids(tail))
        let room = max(0, limit - prefix.count - suffix.count)
        let (start, end) = (filled(before), filled(after))
        // To cut a document, no more of it need be read; to refuse one, all of it is counted.
        let middle = tokenizer.encode(start + pair.document + end, atLeast: truncates ? room + 1 : .max)
        if middle.count <= room { return ModelInput(ids: prefix + middle + suffix, isTruncated: false) }
        let endIDs = tokenizer.encode(end)
        let fixedCount = tokenizer.encode(start).count + endIDs.count
        guard fixedCount < room else {
            throw .queryTooLong(tokenCount: prefix.count + fixedCount + suffix.count, limit: limit)
        }
        guard truncates else {
            throw .tooLong(tokenCount: prefix.count + middle.count + suffix.count, limit: limit)
        }
        let cut = tokenizer.encode(start + pair.document, atLeast: room - endIDs.count).prefix(room - endIDs.count)
        return ModelInput(ids: prefix + cut + endIDs + suffix, isTruncated: true)
    }
}
