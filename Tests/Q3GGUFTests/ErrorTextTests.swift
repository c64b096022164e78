// Messages: one line, the numbers in it, nothing that a terminal would act on.

import Q3System
import Testing

@testable import Q3GGUF

@Suite struct ErrorTextTests {
    private static let escapes: [(text: String, expected: String)] = [
        ("plain ünïcode ✓ 漢字", "plain ünïcode ✓ 漢字"), ("\u{1B}[31mred\u{7}", "\\u{1b}[31mred\\u{7}"),
        ("a\r\nb\0", "a\\u{d}\\u{a}b\\u{0}"), ("left\u{202E}right", "left\\u{202e}right"), ("\u{9B}c", "\\u{9b}c"),
        ("\u{2028}", "\\u{2028}"), (String(repeating: "x", count: 256), String(repeating: "x", count: 256)),
        (String(repeating: "x", count: 10_000_000), String(repeating: "x", count: 256) + "…"),
    ]

    @Test(arguments: escapes.indices) func `text is escaped for a terminal`(_ index: Int) {
        #expect(Self.escapes[index].text.escapedForTerminal == Self.escapes[index].expected)
    }

    @Test func `strings from the file are escaped`() throws {
        var file = RawFile.tiny
        file.pairs[0].key = Array("\u{1B}]0;title\u{7}".utf8)
        file.pairs[0].type = 99
        let description = try #require(try errorOfOpening(file.bytes)).description
        #expect(
            description == "byte 42: metadata key \\u{1b}]0;title\\u{7} has unknown type 99, expected 0 to 12; "
                + "the file is damaged or newer than this program")
    }

    @Test func `cut file says what to do`() throws {
        let bytes = RawFile.tiny.bytes.dropLast()
        let description = try #require(try errorOfOpening(Array(bytes))).description
        #expect(
            description == "tensor c needs 12 bytes at byte \(bytes.count - 11), but the file ends at \(bytes.count); "
                + "download it again")
    }

    /// One of each case, with text that would break a line.
    private static let errors: [GGUFError] = {
        let text = "a\n\u{1B}b"
        return [
            .cannotOpen(path: text, code: 2), .notRegularFile(path: text), .empty(path: text),
            .cannotMap(path: text, byteCount: 1, code: 12), .changed(path: text), .cannotWrite(path: text, code: 28),
            .notGGUF(.html), .bigEndian, .unsupportedVersion(4),
            .truncated(what: text, at: 1, expected: 2, available: 1), .tooMany(what: text, at: 1, got: 9, limit: 1),
            .splitUnsupported(parts: 3), .badPart(path: text, .missing(code: 2)),
            .badPart(path: text, .name(expected: "-00001-of-00002.gguf")), .badPart(path: text, .place),
            .badPart(path: text, .tensorCount(1, expected: 2)), .badPart(path: text, .tensorTwice(text)),
            .badPart(path: text, .content("x")),
            .badKey(.empty, at: 1), .badKey(.tooLong(byteCount: 9, limit: 8), at: 1),
            .badKey(.containsNUL, at: 1), .badKey(.notUTF8, at: 1), .duplicateKey(text, at: 1),
            .unknownValueType(key: text, at: 1, got: 13), .nestedArray(key: text, at: 1),
            .badBool(key: text, at: 1, got: 2), .badAlignment(got: 3), .missingKey(text),
            .wrongType(key: text, expected: "u32", got: "f32"), .outOfRange(key: text, expected: "0 to 1", got: "2"),
            .invalidUTF8(key: text), .badTensorName(.empty, at: 1), .duplicateTensor(text, at: 1),
            .unknownTensorType(tensor: text, at: 1, got: 99), .badShape(tensor: text, at: 1, got: [0]),
            .shapeOverflow(tensor: text, at: 1, got: [.max]),
            .rowNotBlockAligned(tensor: text, at: 1, type: .q4_K, rowLength: 255),
            .badOffset(tensor: text, at: 1, expected: 0, got: 5),
            .outOfFile(tensor: text, offset: 1, byteCount: 2, fileByteCount: 3),
            .wrongByteCount(tensor: text, expected: 4, got: 3),
        ]
    }()

    @Test(arguments: errors) func `every message is one line`(_ error: GGUFError) {
        let isPrintable = error.description.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
        #expect(isPrintable && error.description.count > 10)
    }

    @Test func `sizes that do not fit are nil`() {
        #expect(Int.max.checkedAdding(1) == nil)
        #expect((Int.max / 2 + 1).checkedMultiplied(by: 2) == nil)
        #expect(Int.max.checkedRoundedUp(to: 32) == nil)
        #expect((Int.max - 31).checkedRoundedUp(to: 32) == Int.max - 31)
        #expect(0.checkedRoundedUp(to: 32) == 0)
        #expect(33.checkedRoundedUp(to: 32) == 64)
        #expect(33.checkedRoundedUp(to: 1) == 33)
    }
}
