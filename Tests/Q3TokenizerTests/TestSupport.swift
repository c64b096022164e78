// The committed vocabulary and its golden texts, and vocabularies made by hand.

import FoundationEssentials
import Q3GGUF
import Testing

@testable import Q3Tokenizer

enum Fixture {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures")

    static func path(_ name: String) -> String {
        folder.appending(path: name).path(percentEncoded: false)
    }

    /// The vocabulary of `Tests/Fixtures/make_tokenizer.py`.
    static let tokenizer: Result<Tokenizer, any Error> = Result {
        try Tokenizer(metadata: GGUFFile(path: path("tokenizer.gguf")).metadata)
    }

    static func lines<T: Decodable>(_ name: String, as type: T.Type = T.self) throws -> [T] {
        let data = try Data(contentsOf: URL(filePath: path(name)))
        return try data.split(separator: UInt8(ascii: "\n")).map { try JSONDecoder().decode(T.self, from: $0) }
    }
}

/// A text in NFC; nil if it is already.
func normalize(_ text: String) -> NormalizedText? {
    Normalizer.normalize(text.utf8.span)
}

/// A line of tokenizer.jsonl.
struct GoldenText: Decodable {
    let group: String
    let text: String
    let ids: [Int32]
    let special: [Int32]?
    let pieces: [Int]
}

/// The metadata of a tokenizer, to be changed by a test. As it stands it is a good one: the 256 bytes, two merges'
/// results and two added tokens.
struct HandMade {
    var model: String? = "gpt2"
    var preTokenizer: String? = "qwen2"
    var tokens: [String]? = byteAlphabet + ["ab", "abc", "<|endoftext|>", "<think>"]
    var types: [Int32]? = [Int32](repeating: 1, count: 258) + [3, 4]
    var merges: [String]? = ["a b", "ab c"]
    var others: [(key: String, value: MetadataValue)] = []

    /// The characters that stand for the bytes 0 to 255.
    static let byteAlphabet: [String] = {
        var next: UInt32 = 0x100
        return (UInt32(0)..<256).map { byte in
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF:
                return String(Unicode.Scalar(byte)!)
            default:
                next += 1
                return String(Unicode.Scalar(next - 1)!)
            }
        }
    }()

    /// Bytes plus tokens for the merges, in order.
    init(merges: [String]) {
        self.merges = merges
        var results: [String] = []
        for merge in merges {
            let result = merge.filter { $0 != " " }
            if !results.contains(result) { results.append(result) }
        }
        tokens = Self.byteAlphabet + results
        types = [Int32](repeating: 1, count: 256 + results.count)
    }

    init() {}

    /// - Parameter patch: Changes the file's bytes, for what the writer would not write.
    func load(patch: (inout Data) -> Void = { _ in }) throws -> Tokenizer {
        var writer = GGUFWriter()
        writer.set("general.architecture", to: .string("qwen3"))
        if let model { writer.set("tokenizer.ggml.model", to: .string(model)) }
        if let preTokenizer { writer.set("tokenizer.ggml.pre", to: .string(preTokenizer)) }
        if let tokens { writer.set("tokenizer.ggml.tokens", to: .array(MetadataArray(tokens))) }
        if let types { writer.set("tokenizer.ggml.token_type", to: .array(MetadataArray(types))) }
        if let merges { writer.set("tokenizer.ggml.merges", to: .array(MetadataArray(merges))) }
        for other in others { writer.set(other.key, to: other.value) }

        let url = FileManager.default.temporaryDirectory.appending(path: "q3-tokenizer-\(UUID().uuidString).gguf")
        defer { try? FileManager.default.removeItem(at: url) }
        let path = url.path(percentEncoded: false)
        try writer.write(to: path)
        var data = try Data(contentsOf: url)
        patch(&data)
        try data.write(to: url)
        return try Tokenizer(metadata: GGUFFile(path: path).metadata)
    }
}
