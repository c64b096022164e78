// Added tokens, offsets, and the way from ids back to text.

import Testing

@testable import Q3Tokenizer

@Suite struct TokenTests {
    let tokenizer: Tokenizer

    init() throws {
        tokenizer = try Fixture.tokenizer.get()
    }

    /// Ids of the added tokens of the fixture: 14 control, 12 user-defined.
    private var addedIDs: Range<Int32> { Int32(tokenizer.vocabularySize - 26)..<Int32(tokenizer.vocabularySize) }

    // MARK: - Added tokens

    @Test func `Added tokens are text unless they are asked for`() throws {
        for id in addedIDs {
            let token = try tokenizer.decode([id])
            let text = "a\(token)b \(token)"
            #expect(tokenizer.encode(text).allSatisfy { !addedIDs.contains($0) })
            #expect(tokenizer.encode(text, parseSpecial: true).filter(addedIDs.contains) == [id, id])
            #expect(tokenizer.id(ofPiece: token) == id)
            #expect(tokenizer.isSpecial(id) == (id < addedIDs.lowerBound + 14))
        }
    }

    @Test func `The leftmost, then longest added token is found`() throws {
        var made = HandMade()
        made.tokens! += ["<a", "<a>", "<a><b>", "><"]
        made.types! += [4, 3, 4, 4]
        let tokenizer = try made.load()
        for (text, ids) in [
            ("<a", [260]), ("<a>", [261]), ("<a><b>", [262]), ("<a><c", [261, 60, 99]), ("<<a>", [60, 261]),
            ("<a<a><b", [260, 261, 60, 98]), ("x><a", [120, 263, 97]), ("<a>abc", [261, 257]),
        ] as [(String, [Int32])] {
            #expect(tokenizer.encode(text, parseSpecial: true) == ids, "\(text)")
        }
    }

    @Test func `Text is normalised between added tokens, not across them`() throws {
        var made = HandMade()
        made.tokens!.append("e\u{301}")
        made.types!.append(4)
        let tokenizer = try made.load()
        #expect(tokenizer.encode("e\u{301}", parseSpecial: true) == [260])
        #expect(tokenizer.encode("e\u{301}") == [0xC3, 0xA9])
        #expect(tokenizer.encode("<think>\u{301}", parseSpecial: true) == [259, 0xCC, 0x81])
    }

    @Test func `Tokens of other kinds are in no text`() throws {
        var made = HandMade()
        made.tokens! += ["[PAD]", "<unk>", "<0x0A>"]
        made.types! += [5, 2, 6]
        let tokenizer = try made.load()
        let text = "[PAD]<unk><0x0A>"
        #expect(tokenizer.encode(text, parseSpecial: true) == text.utf8.map { Int32($0) })
        #expect(try tokenizer.decode([260, 261, 262]) == text)
    }

    // MARK: - Offsets

    @Test func `In text that is in NFC, a token's range is the token`() throws {
        for golden in try Fixture.lines("tokenizer.jsonl", as: GoldenText.self) {
            guard normalize(golden.text) == nil else { continue }
            for parseSpecial in [false, true] {
                let pieces = tokenizer.encodeWithOffsets(golden.text, parseSpecial: parseSpecial)
                #expect(pieces.map(\.id) == tokenizer.encode(golden.text, parseSpecial: parseSpecial))
                let bytes = Array(golden.text.utf8)
                var end = 0
                for piece in pieces {
                    #expect(piece.range.lowerBound == end)
                    #expect(Array(bytes[piece.range]) == tokenizer.piece(piece.id))
                    end = piece.range.upperBound
                }
                #expect(end == bytes.count)
            }
        }
    }

    @Test func `In other text, ranges cover it in order`() throws {
        var count = 0
        for golden in try Fixture.lines("tokenizer.jsonl", as: GoldenText.self) {
            guard normalize(golden.text) != nil else { continue }
            count += 1
            var (start, end) = (0, 0)
            for piece in tokenizer.encodeWithOffsets(golden.text) {
                #expect(start <= piece.range.lowerBound && piece.range.lowerBound <= end)
                #expect(end <= piece.range.upperBound && !piece.range.isEmpty)
                (start, end) = (piece.range.lowerBound, piece.range.upperBound)
            }
            #expect(end == golden.text.utf8.count)
        }
        #expect(count > 40)
    }

    @Test func `Tokens of a stretch that NFC changed have the whole stretch`() throws {
        let tokenizer = try HandMade(merges: []).load()
        let pieces = tokenizer.encodeWithOffsets("xe\u{301}y\u{212B}")
        #expect(pieces.map(\.id) == [120, 0xC3, 0xA9, 121, 0xC3, 0x85])
        #expect(pieces.map(\.range) == [0..<1, 1..<4, 1..<4, 4..<5, 5..<8, 5..<8])
    }

    @Test func `ranges after added tokens count from the start of the text`() throws {
        let pieces = try HandMade().load().encodeWithOffsets("e\u{301}<think>ab<think>e\u{301}", parseSpecial: true)
        #expect(pieces.map(\.id) == [0xC3, 0xA9, 259, 256, 259, 0xC3, 0xA9])
        #expect(pieces.map(\.range) == [0..<3, 0..<3, 3..<10, 10..<12, 12..<19, 19..<22, 19..<22])
    }

    // MARK: - Ids

    @Test func `Control tokens can be left out, user-defined ones stay`() throws {
        let tokenizer = try HandMade().load()
        #expect(try tokenizer.decode([258, 256, 259, 258]) == "<|endoftext|>ab<think><|endoftext|>")
        #expect(try tokenizer.decode([258, 256, 259, 258], skipSpecial: true) == "ab<think>")
    }

    @Test func `Bytes that are not UTF-8 are shown as U+FFFD and kept as bytes`() throws {
        let tokenizer = try HandMade().load()
        #expect(try tokenizer.decode([97, 0xC3, 98]) == "a\u{FFFD}b")
        #expect(try tokenizer.decodeBytes([97, 0xC3, 98]) == [97, 0xC3, 98])
    }

    @Test(arguments: [-1, Int32.min, 260, Int32.max])
    func `An unknown id is an error to decode, and nothing otherwise`(id: Int32) throws {
        let tokenizer = try HandMade().load()
        let error = #expect(throws: TokenizerError.self) { try tokenizer.decode([97, id]) }
        #expect(error == .unknownID(id, vocabularySize: 260))
        #expect(tokenizer.piece(id).isEmpty)
        #expect(!tokenizer.isSpecial(id))
    }

    @Test func `Pieces and ids belong together`() throws {
        for id in 0..<Int32(tokenizer.vocabularySize) {
            #expect(tokenizer.id(ofPiece: tokenizer.piece(id)) == id)
        }
        #expect(tokenizer.id(ofPiece: []) == nil)
        #expect(tokenizer.id(ofPiece: "no such token") == nil)
    }
}
