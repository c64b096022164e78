// The tokens of a file: their bytes, their kinds, and the way back from bytes to a token.

import Q3GGUF

/// What a token is for, as GGUF numbers it.
enum TokenKind: UInt8 {
    /// A BPE token, written in the byte-level alphabet. All other kinds are plain text.
    case normal = 1
    case unknown = 2
    /// An added token that carries structure, such as <|im_end|>. Hugging Face calls it special.
    case control = 3
    /// An added token that is content, such as <think>.
    case userDefined = 4
    /// Fills up the table to the number of the model's rows; no text has it.
    case unused = 5
    case byte = 6

    var isAdded: Bool { self == .control || self == .userDefined }
}

/// Tokens by id and ids by bytes, checked: no token is empty, none is there twice, every byte has one.
struct Vocabulary: Sendable {
    /// Tokens and merges of a vocabulary, ten times the largest in use: all bytes together then stay below 2^31.
    static let countLimit = 1 << 21
    /// Ten times the longest token of Qwen3.
    static let tokenByteLimit = 1024

    private(set) var store = PieceStore()
    private(set) var kinds: [TokenKind] = []
    private(set) var added = AddedTokens()
    /// The token that is one byte, by byte.
    private(set) var byteTokens: [Int32] = []
    /// Tokens of the kind `normal`.
    private var normal: PieceTable
    /// All others.
    private var verbatim: PieceTable

    var count: Int { kinds.count }

    init(tokens: StringArray, types: [Int32]) throws(TokenizerError) {
        guard tokens.count > 0 else { throw .noTokens }
        guard tokens.count <= Self.countLimit else {
            throw .tooMany(key: TokenizerKey.tokens, count: tokens.count, limit: Self.countLimit)
        }
        guard types.count == tokens.count else {
            throw .tokenTypeCount(types: types.count, tokens: tokens.count)
        }
        kinds.reserveCapacity(types.count)
        for (id, type) in types.enumerated() {
            guard let kind = UInt8(exactly: type).flatMap(TokenKind.init) else {
                throw .unknownTokenType(id: Int32(id), type: type)
            }
            kinds.append(kind)
        }
        normal = try PieceTable([], of: store)
        verbatim = normal

        store.reserve(tokenCount: tokens.count)
        unsafe try tokens.forEachBytes { index, bytes throws(TokenizerError) in
            try append(id: Int32(index), unsafe Span(_unsafeBytes: bytes))
        }
        // An open file can lose its bytes to another process; the reader then stops early.
        guard store.count == kinds.count else {
            throw .tokenTypeCount(types: kinds.count, tokens: store.count)
        }
        normal = try PieceTable(kinds.indices.filter { kinds[$0] == .normal }.map(Int32.init), of: store)
        verbatim = try PieceTable(kinds.indices.filter { kinds[$0] != .normal }.map(Int32.init), of: store)
        try checkAddedTokensAreNotNormal()
        for byte in UInt8.min...UInt8.max {
            let one: [UInt8] = [byte]
            guard let id = normal.find(one.span, in: store) else { throw .missingByte(byte) }
            byteTokens.append(id)
        }
    }

    private mutating func append(id: Int32, _ text: Span<UInt8>) throws(TokenizerError) {
        guard !text.isEmpty else { throw .emptyToken(id: id) }
        guard text.count <= Self.tokenByteLimit else {
            throw .tokenTooLong(id: id, byteCount: text.count, limit: Self.tokenByteLimit)
        }
        let kind = kinds[Int(id)]
        try store.append { bytes throws(TokenizerError) in
            if kind == .normal {
                if let offset = ByteLevelAlphabet.decode(text, into: &bytes) {
                    throw .tokenNotByteLevel(id: id, byteOffset: offset)
                }
            } else {
                guard (try? UTF8Span(validating: text)) != nil else { throw .tokenNotUTF8(id: id) }
                for index in text.indices { bytes.append(text[index]) }
            }
        }
        if kind.isAdded { added.insert(text, id: id) }
    }

    /// Refuses an added token that is written in the file like a normal one.
    private func checkAddedTokensAreNotNormal() throws(TokenizerError) {
        for id in kinds.indices where kinds[id] != .normal {
            var decoded: [UInt8] = []
            let text = store.bytes.span.extracting(store.range(of: Int32(id)))
            if ByteLevelAlphabet.decode(text, into: &decoded) == nil, let twin = normal.find(decoded.span, in: store) {
                throw .duplicateToken(id: max(Int32(id), twin), first: min(Int32(id), twin))
            }
        }
    }

    /// The normal token that is exactly these bytes.
    @inline(__always)
    func normalToken(_ piece: Span<UInt8>) -> Int32? {
        normal.find(piece, in: store)
    }

    /// The normal token that is exactly these bytes; a right guess saves the search.
    func normalToken(_ piece: Span<UInt8>, guess: Int32) -> Int32? {
        if guess < count, kinds[Int(guess)] == .normal, store.isEqual(guess, piece) { return guess }
        return normalToken(piece)
    }

    func token(_ piece: Span<UInt8>) -> Int32? {
        normal.find(piece, in: store) ?? verbatim.find(piece, in: store)
    }
}
