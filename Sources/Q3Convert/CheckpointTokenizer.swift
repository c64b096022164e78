// A Hugging Face tokenizer as the keys that GGUF has for it.
import Q3GGUF
import Q3System

/// The vocabulary of `tokenizer.json`, or of `vocab.json` and `merges.txt`, with the tokens that were added to it.
struct CheckpointTokenizer {
    /// By id, one for every row of the embeddings.
    private(set) var tokens: [String]
    /// GGUF's numbers for what tokens are: 1 normal, 3 control, 4 user-defined, 5 unused.
    private(set) var types: [Int32]
    private(set) var merges: [String]

    /// How Qwen2 and Qwen3 split text before merges apply; another split would give other ids.
    static let pattern =
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

    /// Reads the tokenizer of a model with that many rows of token embeddings.
    init(folder path: String, rowCount: Int) throws {
        if let file = try JSONFile.decode("tokenizer.json", in: path, as: TokenizerFile.self) {
            try self.init(file, path: "\(path)/tokenizer.json", rowCount: rowCount)
        } else {
            try self.init(partsIn: path, rowCount: rowCount)
        }
    }

    private init(_ file: TokenizerFile, path: String, rowCount: Int) throws {
        func check(_ isRight: Bool, _ fault: @autoclosure () -> String) throws {
            guard isRight else { throw ConvertError.badFile(path: path, fault: fault()) }
        }
        try check(
            file.model.type ?? "BPE" == "BPE",
            "its model is \((file.model.type ?? "").escapedForTerminal), expected BPE")
        try check(file.normalizer?.type == "NFC", "its normalizer is not NFC, which Qwen3's is")
        try check(file.preTokenizer?.splitsLikeQwen == true, "it does not split text as Qwen3 does")
        try check(!file.model.hasVariants, "its model merges in another way than Qwen3's")
        try self.init(
            vocabulary: file.model.vocab, merges: file.model.merges.map(\.text), added: file.addedTokens ?? [],
            path: path, rowCount: rowCount)
    }

    /// `merges.txt` has one merge a line after a line that names its version.
    private init(partsIn path: String, rowCount: Int) throws {
        let vocabulary = try JSONFile.required("vocab.json", in: path, as: [String: Int].self)
        guard let text = try JSONFile.data("merges.txt", in: path) else {
            throw ConvertError.missingFile(folder: path, name: "merges.txt")
        }
        let lines = String(decoding: text, as: UTF8.self).split(whereSeparator: \.isNewline)
        let merges = lines.drop { $0.hasPrefix("#version") }.map(String.init)
        let config = try JSONFile.required("tokenizer_config.json", in: path, as: TokenizerParts.self)
        try self.init(
            vocabulary: vocabulary, merges: merges, added: config.added, path: "\(path)/vocab.json", rowCount: rowCount)
    }

    private init(vocabulary: [String: Int], merges: [String], added: [AddedToken], path: String, rowCount: Int) throws {
        tokens = (0..<rowCount).map { "[PAD\($0)]" }
        types = [Int32](repeating: 5, count: rowCount)
        self.merges = merges
        func place(_ text: String, _ id: Int, _ type: Int32) throws {
            guard tokens.indices ~= id else {
                throw ConvertError.badFile(
                    path: path,
                    fault:
                        "token \(text.escapedForTerminal) has number \(id), but the model has \(rowCount) rows of embeddings"
                )
            }
            guard types[id] == 5 || tokens[id].hasBytes(of: text) else {
                throw ConvertError.badFile(path: path, fault: "two tokens have number \(id)")
            }
            tokens[id] = text
            types[id] = type
        }
        for (text, id) in vocabulary { try place(text, id, 1) }
        for token in added { try place(token.content, token.id, token.isControl ? 3 : 4) }
        if let merge = merges.first(where: { $0.utf8.count { $0 == UInt8(ascii: " ") } != 1 }) {
            throw ConvertError.badFile(path: path, fault: "\(merge.escapedForTerminal) is not a merge of two tokens")
        }
    }

    /// The number of a token, nil if there is none.
    func id(of text: String) -> Int? { tokens.firstIndex(of: text) }

    /// The number of a token that was added to those of texts, nil if there is none.
    func addedID(of text: String) -> Int? { id(of: text).flatMap { [3, 4].contains(types[$0]) ? $0 : nil } }
}

/// A token that is found in text before anything else.
private struct AddedToken: Decodable {
    let id: Int
    let content: String
    let special: Bool?

    /// Whether it carries structure, such as <|im_end|>, and not content, such as <think>.
    var isControl: Bool { special == true }
}

private struct TokenizerParts: Decodable {
    private let addedTokens: [String: Content]?

    private struct Content: Decodable {
        let content: String
        let special: Bool?
    }

    private enum CodingKeys: String, CodingKey { case addedTokens = "added_tokens_decoder" }

    var added: [AddedToken] {
        (addedTokens ?? [:]).compactMap { key, token in
            Int(key).map { AddedToken(id: $0, content: token.content, special: token.special) }
        }
    }
}

/// `tokenizer.json`, as far as it matters.
private struct TokenizerFile: Decodable {
    let model: Model
    let addedTokens: [AddedToken]?
    let normalizer: Step?
    let preTokenizer: Step?

    struct Model: Decodable {
        let type: String?
        let vocab: [String: Int]
        let merges: [Merge]
        private let prefix: String?
        private let suffix: String?
        private let hasByteFallback: Bool?
        private let ignoresMerges: Bool?

        private enum CodingKeys: String, CodingKey {
            case type, vocab, merges
            case prefix = "continuing_subword_prefix"
            case suffix = "end_of_word_suffix"
            case hasByteFallback = "byte_fallback"
            case ignoresMerges = "ignore_merges"
        }

        /// Whether it has options that give other tokens.
        var hasVariants: Bool {
            prefix?.isEmpty == false || suffix?.isEmpty == false || hasByteFallback == true || ignoresMerges == true
        }
    }

    /// "a b" in older files, ["a", "b"] in newer ones.
    struct Merge: Decodable {
        let text: String

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let text = try? value.decode(String.self) {
                self.text = text
            } else {
                text = try value.decode([String].self).joined(separator: " ")
            }
        }
    }

    struct Step: Decodable {
        let type: String?
        private let pretokenizers: [Step]?
        private let pattern: Pattern?
        private let behavior: String?
        private let invert: Bool?
        private let addsSpace: Bool?
        private let usesPattern: Bool?

        private struct Pattern: Decodable {
            let regex: String?
            private enum CodingKeys: String, CodingKey { case regex = "Regex" }
        }

        private enum CodingKeys: String, CodingKey {
            case type, pretokenizers, pattern, behavior, invert
            case addsSpace = "add_prefix_space"
            case usesPattern = "use_regex"
        }

        /// Whether it is two steps: the pattern cuts between its matches, and bytes become letters without another cut.
        var splitsLikeQwen: Bool {
            guard type == "Sequence", let steps = pretokenizers, steps.count == 2 else { return false }
            return steps[0].type == "Split" && steps[0].pattern?.regex == CheckpointTokenizer.pattern
                && steps[0].behavior == "Isolated" && steps[0].invert != true && steps[1].type == "ByteLevel"
                && steps[1].addsSpace == false && steps[1].usesPattern == false
        }
    }

    private enum CodingKeys: String, CodingKey {
        case model, normalizer
        case addedTokens = "added_tokens"
        case preTokenizer = "pre_tokenizer"
    }
}
