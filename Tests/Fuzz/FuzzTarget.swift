// What fuzzing runs: bytes from anywhere go in, and whatever is wrong with them must come out as an error.

import Q3Embedding
import Q3GGUF
import Q3Model
import Q3Reranking
import Q3Tokenizer
import TestSupport

/// One way into q3 for bytes from outside. A run ends normally or finds a defect.
enum FuzzTarget: String, CaseIterable {
    /// A whole model file.
    case gguf
    /// The tokens and merges of a model file, a line each; an empty line stands between them. A token's first byte is its
    /// type if it is less than 9, "<" begins a control token, all others are normal.
    case vocabulary
    /// Text for the tokenizer.
    case text
    /// Instruction, query and document of a reranker's prompt, with a NUL between them.
    case rerank
    /// A file of texts, read as plain lines and as JSON lines.
    case records
    /// A Hugging Face folder.
    case checkpoint
    #if Index
    /// A file of an index's vectors.
    case segments
    #endif

    /// Runs the target; `scratch` becomes the file of those that read one, and its folder holds those of others.
    func run(_ bytes: [UInt8], _ scratch: ScratchFile) throws {
        switch self {
        case .gguf: Self.readModel(bytes, scratch)
        case .vocabulary: try Self.readVocabulary(bytes, scratch)
        case .text: try Self.tokenize(bytes)
        case .rerank: try Self.prompt(bytes)
        case .records: try Self.readRecords(bytes, scratch)
        case .checkpoint: try Self.convert(bytes, scratch)
        #if Index
        case .segments: try Self.readSegment(bytes, scratch)
        #endif
        }
    }

    /// Opens the file and everything that is built on it, and touches all its bytes.
    private static func readModel(_ bytes: [UInt8], _ scratch: ScratchFile) {
        scratch.replace(with: bytes)
        guard let file = opened({ try GGUFFile(path: scratch.path) }) else { return }
        for key in file.metadata.keys {
            if case .array(let array)? = file.metadata.value(key) { _ = array.strings?.makeStrings() }
        }
        var sum: UInt8 = 0
        for tensor in file.tensors {
            unsafe file.bytes(of: tensor).withMemoryRebound(to: UInt8.self) { bytes in
                for index in bytes.indices { unsafe sum &+= bytes[index] }
            }
        }
        blackHole(sum)
        _ = opened { try Embedder(file: file) }
        _ = opened { try Reranker(file: file) }
    }

    /// What opening gives, nil for an error; its message must be fit for a terminal.
    private static func opened<Model>(_ open: () throws -> Model) -> Model? {
        do {
            return try open()
        } catch {
            precondition(isPrintable("\(error)"), "the message of an error holds control characters")
            return nil
        }
    }

    private static func readVocabulary(_ bytes: [UInt8], _ scratch: ScratchFile) throws {
        var file = try VocabularyFile()
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let tokens = lines.prefix { !$0.isEmpty }
        for token in tokens {
            if let first = token.first, first < 9 {
                file.addToken(token.dropFirst(), type: Int32(first))
            } else {
                file.addToken(token, type: token.first == UInt8(ascii: "<") ? 3 : 1)
            }
        }
        for merge in lines.dropFirst(tokens.count + 1) { file.addMerge(merge) }
        scratch.replace(with: file.bytes)
        guard let tokenizer = opened({ try Tokenizer(metadata: GGUFFile(path: scratch.path).metadata) }) else { return }
        check(tokenizer, "some text: 123  \n" + String(decoding: bytes, as: UTF8.self))
    }

    private static let tokenizer = Result { try Tokenizer(metadata: Fixture.model("tokenizer").metadata) }

    private static func tokenize(_ bytes: [UInt8]) throws {
        check(try tokenizer.get(), String(decoding: bytes, as: UTF8.self))
    }

    /// Ids lie in the vocabulary, cover the text without a gap, and give it back in NFC.
    private static func check(_ tokenizer: Tokenizer, _ text: String) {
        let pieces = tokenizer.encodeWithOffsets(text)
        precondition(pieces.map(\.id) == tokenizer.encode(text), "offsets change the ids")
        precondition(pieces.allSatisfy { 0..<tokenizer.vocabularySize ~= Int($0.id) }, "an id beyond the vocabulary")
        precondition(pieces.allSatisfy { !tokenizer.isSpecial($0.id) }, "text became a control token")
        precondition(
            pieces.allSatisfy { 0...text.utf8.count ~= $0.range.upperBound && $0.range.lowerBound >= 0 },
            "an offset outside")
        let back = try? tokenizer.decode(pieces.map(\.id))
        // Comparison of Swift strings is by canonical equivalence, which NFC keeps.
        precondition(back == text, "decoding gives another text")
        _ = tokenizer.encode(text, parseSpecial: true)
    }

    /// Control tokens stand where the prompt has them and nowhere else.
    private static func prompt(_ bytes: [UInt8]) throws {
        let parts = bytes.split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        let tokenizer = try tokenizer.get()
        let pair = RerankPair(
            query: parts.count > 1 ? parts[1] : "", document: parts.count > 2 ? parts[2] : "", instruction: parts[0])
        for style in PromptStyle.allCases {
            let prompt = try RerankPrompt(style: style, tokenizer: tokenizer)
            for limit in [256, 1 << 20] {
                guard let ids = try? prompt.input(for: pair, tokenizer: tokenizer, limit: limit, truncates: true).ids
                else {
                    continue
                }
                precondition(ids.count <= limit && ids.starts(with: prompt.prefix), "not the prompt's prefix")
                precondition(ids.suffix(prompt.suffix.count) == prompt.suffix[...], "not the prompt's suffix")
                let middle = ids.dropFirst(prompt.prefix.count).dropLast(prompt.suffix.count)
                precondition(!middle.contains(where: tokenizer.isSpecial), "text became a control token")
            }
        }
    }

    /// Whether a message neither breaks its line nor steers a terminal.
    static func isPrintable(_ message: String) -> Bool { message.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } }
}

@inline(never) private func blackHole(_: UInt8) {}
