// What fuzzing runs: bytes from anywhere go in, and whatever is wrong with them must come out as an error.

import Q3Embedding
import Q3GGUF
import Q3Model
import Q3Reranking
import Q3Tokenizer
import TestSupport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// One way into q3 for bytes from outside. A run ends normally or finds a defect.
enum FuzzTarget: String, CaseIterable {
    /// A whole model file.
    case gguf
    /// The tokens and merges of a model file, a line each; an empty line stands between them.
    case vocabulary
    /// Text for the tokenizer.
    case text
    /// Instruction, query and document of a reranker's prompt, with a NUL between them.
    case rerank

    func run(_ bytes: [UInt8]) throws {
        switch self {
        case .gguf: try Self.readModel(bytes)
        case .vocabulary: try Self.readVocabulary(bytes)
        case .text: try Self.tokenize(bytes)
        case .rerank: try Self.prompt(bytes)
        }
    }

    /// Opens the file and everything that is built on it, and touches all its bytes.
    private static func readModel(_ bytes: [UInt8]) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("model.gguf", bytes)
        guard let file = try? GGUFFile(path: path) else { return }
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
        _ = try? Embedder(file: file)
        _ = try? Reranker(file: file)
    }

    private static func readVocabulary(_ bytes: [UInt8]) throws {
        let parts = String(decoding: bytes, as: UTF8.self).split(separator: "\n\n", maxSplits: 1)
        let tokens =
            parts.first.map { $0.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) } ?? []
        let merges = parts.count > 1 ? parts[1].split(separator: "\n").map(String.init) : []
        var copy = try ModelCopy(of: "tokenizer")
        guard case .array(let known)? = copy.metadata.first(where: { $0.key == "tokenizer.ggml.tokens" })?.value else {
            return
        }
        let all = (known.strings?.makeStrings() ?? []) + tokens
        let control = all.map { Int32($0.hasPrefix("<") ? 3 : 1) }
        copy["tokenizer.ggml.tokens"] = .array(MetadataArray(all))
        copy["tokenizer.ggml.token_type"] = .array(MetadataArray(control))
        copy["tokenizer.ggml.merges"] = .array(MetadataArray(merges))
        guard let tokenizer = try? Tokenizer(metadata: copy.open().metadata) else { return }
        check(tokenizer, "some text: 123  \n" + all.suffix(20).joined(separator: " "))
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
                guard let ids = try? prompt.input(for: pair, tokenizer: tokenizer, limit: limit, truncate: true).ids
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
}

@inline(never) private func blackHole(_: UInt8) {}
