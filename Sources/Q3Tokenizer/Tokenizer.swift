// Text to token ids and back, as Hugging Face's Qwen2TokenizerFast does it, from the metadata of a GGUF file.

public import Q3GGUF

/// The byte-level BPE tokenizer of the Qwen3 family.
///
/// Text is put into NFC, cut into pieces by Qwen2's pattern, and each piece's bytes are merged by rank. Any number of
/// threads may use a tokenizer at once; its memory does not grow.
///
///     let file = try GGUFFile(path: "Qwen3-Embedding-0.6B-Q8_0.gguf")
///     let tokenizer = try Tokenizer(metadata: file.metadata)
///     tokenizer.encode("Hello world")    // [9707, 1879]
public final class Tokenizer: Sendable {
    /// The token that the metadata names as the end of a sequence; nil if it names none.
    public let eosTokenID: Int32?
    /// The token that the metadata names for padding; nil if it names none. q3 never pads.
    public let padTokenID: Int32?
    /// Whether the file asks for the EOS token after every text; nil if it does not say. `encode` never appends it.
    public let addsEOS: Bool?
    /// The id of `<|endoftext|>`, which closes every text of the embedding models; nil if there is no such added
    /// token.
    public let endOfTextID: Int32?

    let vocabulary: Vocabulary
    private let merger: BytePairMerger
    private let knownTokens = KnownTokens()

    /// Reads and checks the whole tokenizer.
    ///
    /// Throws `TokenizerError` for a tokenizer of another kind or a damaged one, `GGUFError` for metadata that is missing or
    /// has another type.
    public init(metadata: Metadata) throws {
        let model = try metadata.string(TokenizerKey.model)
        guard model == "gpt2" else { throw TokenizerError.unsupportedModel(model) }
        let preTokenizer = try metadata.optionalString(TokenizerKey.preTokenizer)
        guard preTokenizer == "qwen2" else { throw TokenizerError.unsupportedPreTokenizer(preTokenizer) }

        let vocabulary = try Vocabulary(
            tokens: metadata.stringArray(TokenizerKey.tokens), types: metadata.int32Array(TokenizerKey.tokenTypes))
        let list = try Merge.resolve(metadata.stringArray(TokenizerKey.merges), in: vocabulary)
        let merges = try MergeTable(list, byteTokens: vocabulary.byteTokens)

        let size = vocabulary.count
        func optionalID(_ key: String) throws -> Int32? {
            guard let id = try metadata.optionalUInt32(key) else { return nil }
            guard id < size else { throw TokenizerError.idOutOfRange(key: key, id: id, vocabularySize: size) }
            return Int32(id)
        }
        _ = try optionalID(TokenizerKey.bosID)
        eosTokenID = try optionalID(TokenizerKey.eosID)
        padTokenID = try optionalID(TokenizerKey.padID)
        addsEOS = try metadata.optionalBool(TokenizerKey.addsEOS)
        let endOfText = vocabulary.token("<|endoftext|>".utf8.span)
        endOfTextID = endOfText.flatMap { vocabulary.kinds[Int($0)].isAdded ? $0 : nil }
        self.vocabulary = vocabulary
        merger = BytePairMerger(table: merges, byteTokens: vocabulary.byteTokens)
    }

    /// The number of tokens; ids are 0 to one less.
    public var vocabularySize: Int { vocabulary.count }

    /// The tokens of a text; nothing is added before or after them.
    ///
    /// With `parseSpecial` added tokens such as `<|im_end|>` in the text become those tokens, the leftmost and longest first.
    /// Without it they are text like any other, so that text from outside cannot carry control tokens.
    public func encode(_ text: String, parseSpecial: Bool = false) -> [Int32] {
        encode(text, parseSpecial: parseSpecial, atLeast: .max)
    }

    /// The first `count` tokens of a text or a few more, if it has so many. The rest is not encoded.
    package func encode(_ text: String, parseSpecial: Bool = false, atLeast count: Int) -> [Int32] {
        var ids: [Int32] = []
        ids.reserveCapacity(min(text.utf8.count / 3, count))
        encode(text.utf8.span, parseSpecial: parseSpecial, upTo: count, into: &ids) { _, _, _ in }
        return ids
    }

    /// The tokens of a text, each with the bytes of the text that it covers.
    public func encodeWithOffsets(_ text: String, parseSpecial: Bool = false) -> [TokenPiece] {
        var ids: [Int32] = []
        var pieces: [TokenPiece] = []
        encode(text.utf8.span, parseSpecial: parseSpecial, into: &ids) { ids, start, edits in
            var offsets = OffsetMap(start: start, edits: edits)
            for id in ids {
                pieces.append(TokenPiece(id: id, range: offsets.advance(by: vocabulary.store.range(of: id).count)))
            }
        }
        return pieces
    }

    /// Encodes section by section: added tokens, and the text between them. Calls `body` after each with its ids,
    /// where it begins in `text`, and where NFC changed it. Stops after the piece that completes `limit` ids.
    private func encode(
        _ text: Span<UInt8>, parseSpecial: Bool, upTo limit: Int = .max, into ids: inout [Int32],
        body: (ArraySlice<Int32>, Int, [NormalizedText.Edit]) -> Void
    ) {
        var scratch: [BytePairMerger.Node] = []
        var start = 0
        while start < text.count, ids.count < limit {
            let match = parseSpecial ? vocabulary.added.firstMatch(in: text, from: start) : nil
            let end = match?.range.lowerBound ?? text.count
            if start < end {
                let (first, section) = (ids.count, text.extracting(start..<end))
                let normalized = Normalizer.normalize(section)
                if let normalized {
                    encodePieces(of: normalized.bytes.span, upTo: limit, scratch: &scratch, into: &ids)
                } else {
                    encodePieces(of: section, upTo: limit, scratch: &scratch, into: &ids)
                }
                body(ids[first...], start, normalized?.edits ?? [])
            }
            guard let match else { return }
            ids.append(match.id)
            body(ids[(ids.count - 1)...], match.range.lowerBound, [])
            start = match.range.upperBound
        }
    }

    private func encodePieces(
        of text: Span<UInt8>, upTo limit: Int, scratch: inout [BytePairMerger.Node], into ids: inout [Int32]
    ) {
        var preTokenizer = PreTokenizer(text)
        while ids.count < limit, let range = preTokenizer.next() {
            let piece = text.extracting(range)
            let token = vocabulary.normalToken(piece)
            if let token, knownTokens.contains(token) {
                ids.append(token)
                continue
            }
            let first = ids.count
            merger.merge(piece, scratch: &scratch, into: &ids)
            if let token, ids.count - first == 1 { knownTokens.insert(token) }
        }
    }
}
