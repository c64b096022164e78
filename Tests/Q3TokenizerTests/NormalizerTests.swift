// Normalisation form C, and the Unicode data behind it and the pre-tokenizer.

import Testing

@testable import Q3Tokenizer

@Suite struct NormalizerTests {
    /// Scalars written out, since Swift's == on strings would find both sides equal.
    private func normalized(_ scalars: [UInt32]) -> [UInt32] {
        let text = String(String.UnicodeScalarView(scalars.map { Unicode.Scalar($0)! }))
        let bytes = normalize(text)?.bytes ?? Array(text.utf8)
        return String(decoding: bytes, as: UTF8.self).unicodeScalars.map(\.value)
    }

    @Test(arguments: [
        (name: "composes", from: [0x65, 0x301], to: [0xE9]),
        ("singleton", [0x212B], [0xC5]),
        ("excluded from composition", [0x958], [0x915, 0x93C]),
        ("excluded presentation form", [0xFB1D], [0x5D9, 0x5B4]),
        ("orders marks, then composes", [0x64, 0x307, 0x323], [0x1E0D, 0x307]),
        ("recomposes a decomposable letter", [0x1E0B, 0x323], [0x1E0D, 0x307]),
        ("mark of the same class is in the way", [0x61, 0x327, 0x301, 0x301], [0xE1, 0x327, 0x301]),
        ("Hangul letters", [0x1112, 0x1161, 0x11AB], [0xD55C]),
        ("Hangul syllable and trailing letter", [0xAC00, 0x11A8], [0xAC01]),
        ("Hangul syllable that has its trailing letter", [0xAC01, 0x11A8], [0xAC01, 0x11A8]),
        ("not a trailing letter", [0xAC00, 0x11A7], [0xAC00, 0x11A7]),
        ("starter composes with starter", [0x9C7, 0x9BE], [0x9CB]),
        ("marks without a letter", [0x301, 0x327], [0x327, 0x301]),
        ("unknown to the reference's old tables", [0x11935, 0x11930], [0x11935, 0x11930]),
        ("nothing to do", [0x61, 0xE9, 0x4E2D, 0x1F600], [0x61, 0xE9, 0x4E2D, 0x1F600]),
    ] as [(name: String, from: [UInt32], to: [UInt32])])
    func `One segment`(_ testCase: (name: String, from: [UInt32], to: [UInt32])) {
        #expect(normalized(testCase.from) == testCase.to, "\(testCase.name)")
        // Between inert neighbours, and twice in a row.
        let inert: [UInt32] = [0x78]
        #expect(normalized(inert + testCase.from + inert) == inert + testCase.to + inert)
        #expect(normalized(testCase.from + inert + testCase.from) == testCase.to + inert + testCase.to)
    }

    @Test(arguments: ["", "plain ASCII", "größer", "北京", "한국어", "Tiếng Việt", "ทุกเช้า", "हर सुबह"])
    func `Text in NFC is not copied`(text: String) {
        #expect(normalize(text) == nil)
    }

    @Test func `Edits say which stretches changed`() throws {
        let text = "x" + "e\u{301}" + "yz" + "\u{212B}"
        let normalized = try #require(normalize(text))
        #expect(normalized.bytes == Array("x\u{E9}yz\u{C5}".utf8))
        #expect(normalized.edits.map(\.original) == [1..<4, 6..<9])
        #expect(normalized.edits.map(\.normalized) == [1..<3, 5..<7])
    }

    @Test func `A hundred thousand marks on one letter are ordered`() throws {
        let count = 100_000
        var scalars: [UInt32] = [0x61]
        for _ in 0..<count { scalars += [0x301, 0x327] }
        let result = normalized(scalars)
        // The first acute composes with the letter; nothing of class 230 or lower is before it once sorted.
        let cedillas = [UInt32](repeating: 0x327, count: count)
        #expect(result == [0xE1] + cedillas + [UInt32](repeating: 0x301, count: count - 1))
    }

    @Test func `Character classes are those of the reference's regular expressions`() {
        let table = CharacterTable.shared
        var counts = [0, 0, 0, 0]
        for scalar in UInt32(0)..<0x110000 { counts[Int(table[scalar].characterClass)] += 1 }
        // tokenizers 0.23: \p{L} and \p{N} of Unicode 16, and the 25 scalars of White_Space.
        #expect(counts[1...] == [141_028, 1_911, 25])
    }
}
