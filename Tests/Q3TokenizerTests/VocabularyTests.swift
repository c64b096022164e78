// Vocabularies that must be refused, each with the error that says why.

import FoundationEssentials
import Q3GGUF
import Testing

@testable import Q3Tokenizer

@Suite struct VocabularyTests {
    struct Damage: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let error: TokenizerError
        let apply: @Sendable (inout HandMade) -> Void

        init(_ name: String, _ error: TokenizerError, _ apply: @escaping @Sendable (inout HandMade) -> Void) {
            (testDescription, self.error, self.apply) = (name, error, apply)
        }
    }

    static let long = String(repeating: "a", count: 1025)

    static let damages: [Damage] = [
        // Which tokenizer
        Damage("other model", .unsupportedModel("llama")) { $0.model = "llama" },
        Damage("other pre-tokenizer", .unsupportedPreTokenizer("llama-bpe")) { $0.preTokenizer = "llama-bpe" },
        Damage("no pre-tokenizer", .unsupportedPreTokenizer(nil)) { $0.preTokenizer = nil },
        // Tokens
        Damage("no tokens", .noTokens) { ($0.tokens, $0.types) = ([], []) },
        Damage("one token", .missingByte(0)) { ($0.tokens, $0.types, $0.merges) = (["a"], [1], []) },
        Damage("empty token", .emptyToken(id: 257)) { $0.tokens![257] = "" },
        Damage("long token", .tokenTooLong(id: 256, byteCount: 1025, limit: 1024)) { $0.tokens![256] = long },
        Damage("token with a space", .tokenNotByteLevel(id: 256, byteOffset: 1)) { $0.tokens![256] = "a b" },
        Damage("token with U+0144", .tokenNotByteLevel(id: 256, byteOffset: 0)) { $0.tokens![256] = "\u{144}" },
        Damage("token with a long character", .tokenNotByteLevel(id: 256, byteOffset: 0)) { $0.tokens![256] = "中" },
        Damage("token with a soft hyphen", .tokenNotByteLevel(id: 256, byteOffset: 0)) { $0.tokens![256] = "\u{AD}" },
        Damage("token twice", .duplicateToken(id: 257, first: 256)) { $0.tokens![257] = "ab" },
        Damage("long token twice", .duplicateToken(id: 257, first: 256)) {
            ($0.tokens![256], $0.tokens![257]) = ("abcdefghij", "abcdefghij")
        },
        Damage("added token twice", .duplicateToken(id: 259, first: 258)) { $0.tokens![259] = "<|endoftext|>" },
        Damage("added token is a normal one", .duplicateToken(id: 259, first: 256)) { $0.tokens![259] = "ab" },
        Damage("a byte is missing", .missingByte(0x20)) { $0.tokens![0x20] = "xyz" },
        // Types
        Damage("types short", .tokenTypeCount(types: 259, tokens: 260)) { $0.types!.removeLast() },
        Damage("types long", .tokenTypeCount(types: 261, tokens: 260)) { $0.types!.append(1) },
        Damage("type -1", .unknownTokenType(id: 3, type: -1)) { $0.types![3] = -1 },
        Damage("type 0", .unknownTokenType(id: 3, type: 0)) { $0.types![3] = 0 },
        Damage("type 7", .unknownTokenType(id: 3, type: 7)) { $0.types![3] = 7 },
        Damage("type 257", .unknownTokenType(id: 3, type: 257)) { $0.types![3] = 257 },
        // Merges
        Damage("merge without a space", .malformedMerge(rank: 1)) { $0.merges![1] = "abc" },
        Damage("empty merge", .malformedMerge(rank: 1)) { $0.merges![1] = "" },
        Damage("merge of nothing", .malformedMerge(rank: 1)) { $0.merges![1] = " " },
        Damage("merge without a left part", .malformedMerge(rank: 1)) { $0.merges![1] = " c" },
        Damage("merge without a right part", .malformedMerge(rank: 1)) { $0.merges![1] = "ab " },
        Damage("merge with two spaces", .malformedMerge(rank: 1)) { $0.merges![1] = "ab  c" },
        Damage("merge of three", .malformedMerge(rank: 1)) { $0.merges![1] = "a b c" },
        Damage("merge outside the alphabet", .malformedMerge(rank: 1)) { $0.merges![1] = "ab 中" },
        Damage("merge of a megabyte", .malformedMerge(rank: 1)) {
            $0.merges![1] = String(repeating: "a", count: 1 << 20) + " b"
        },
        Damage("unknown left part", .unknownMergePart(rank: 0, part: "xy")) { $0.merges![0] = "xy z" },
        Damage("unknown right part", .unknownMergePart(rank: 0, part: "yz")) { $0.merges![0] = "x yz" },
        Damage("added token as a part", .unknownMergePart(rank: 0, part: "<think>")) { $0.merges![0] = "<think> a" },
        Damage("unknown result", .unknownMergeResult(rank: 0, result: "xy")) { $0.merges![0] = "x y" },
        Damage("merge twice", .duplicateMerge(rank: 2, first: 0)) { $0.merges!.append("a b") },
        // Ids
        Damage("eos beyond", .idOutOfRange(key: "tokenizer.ggml.eos_token_id", id: 260, vocabularySize: 260)) {
            $0.others = [("tokenizer.ggml.eos_token_id", .uint32(260))]
        },
        Damage("pad far beyond", .idOutOfRange(key: "tokenizer.ggml.padding_token_id", id: .max, vocabularySize: 260)) {
            $0.others = [("tokenizer.ggml.padding_token_id", .uint32(.max))]
        },
        Damage("bos beyond", .idOutOfRange(key: "tokenizer.ggml.bos_token_id", id: 1000, vocabularySize: 260)) {
            $0.others = [("tokenizer.ggml.bos_token_id", .uint32(1000))]
        },
    ]

    @Test(arguments: damages)
    func `A damaged vocabulary is refused with the reason`(_ damage: Damage) throws {
        var made = HandMade()
        damage.apply(&made)
        let error = #expect(throws: TokenizerError.self) { try made.load() }
        #expect(error == damage.error)
        #expect(damage.error.description.count > 20)
    }

    @Test(arguments: [
        "tokenizer.ggml.model", "tokenizer.ggml.tokens", "tokenizer.ggml.token_type", "tokenizer.ggml.merges",
    ])
    func `A missing or mistyped key is refused`(key: String) throws {
        var made = HandMade()
        switch key {
        case "tokenizer.ggml.model": made.model = nil
        case "tokenizer.ggml.tokens": made.tokens = nil
        case "tokenizer.ggml.token_type": made.types = nil
        default: made.merges = nil
        }
        #expect(throws: GGUFError.self) { try made.load() }
        made.others = [(key, .uint32(7))]
        #expect(throws: GGUFError.self) { try made.load() }
    }

    @Test(arguments: ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.padding_token_id"])
    func `A negative id is refused`(key: String) {
        var made = HandMade()
        made.others = [(key, .int32(-1))]
        #expect(throws: GGUFError.self) { try made.load() }
    }

    @Test(arguments: [(id: Int32(256), byte: UInt8(0xFF)), (256, 0xC0), (256, 0xC5), (258, 0xFF), (259, 0x80)])
    func `A token that is not UTF-8 is refused`(id: Int32, byte: UInt8) throws {
        var made = HandMade()
        let marker = "ZZmarkerZZ"
        made.tokens![Int(id)] = marker
        let error = #expect(throws: TokenizerError.self) {
            try made.load { data in
                let range = data.firstRange(of: Data(marker.utf8))!
                data[range.lowerBound + 3] = byte
            }
        }
        #expect(error == (id < 258 ? .tokenNotByteLevel(id: id, byteOffset: 3) : .tokenNotUTF8(id: id)))
    }

    @Test func `The unchanged vocabulary loads, without ids it does not name`() throws {
        let tokenizer = try HandMade().load()
        #expect(tokenizer.vocabularySize == 260)
        #expect(tokenizer.endOfTextID == 258)
        #expect(tokenizer.eosTokenID == nil)
        #expect(tokenizer.padTokenID == nil)
        #expect(tokenizer.addsEOS == nil)
        #expect(tokenizer.encode("abcab") == [257, 256])
    }

    @Test func `Ids and flags are read`() throws {
        var made = HandMade()
        made.others = [
            ("tokenizer.ggml.eos_token_id", .uint32(258)), ("tokenizer.ggml.padding_token_id", .uint32(0)),
            ("tokenizer.ggml.add_eos_token", .bool(false)),
        ]
        made.tokens![258] = "<|end|>"
        let tokenizer = try made.load()
        #expect(tokenizer.eosTokenID == 258)
        #expect(tokenizer.padTokenID == 0)
        #expect(tokenizer.addsEOS == false)
        #expect(tokenizer.endOfTextID == nil)
    }

    @Test func `No merges and no added tokens are fine`() throws {
        let tokenizer = try HandMade(merges: []).load()
        #expect(tokenizer.encode("abc", parseSpecial: true) == [97, 98, 99])
    }
}
