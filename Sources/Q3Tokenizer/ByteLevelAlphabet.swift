// The GPT-2 alphabet that files use to write arbitrary bytes as printable characters.

/// Each byte has one character: bytes that print as themselves in Latin-1 stand for themselves, the other 68 follow from
/// U+0100 on, in order (a space is "Ġ", a line feed "Ċ").
enum ByteLevelAlphabet {
    private static let notInAlphabet: UInt16 = 0x100

    /// Byte of every character of the alphabet, by code point; the last one is U+0143.
    private static let byteOfCharacter: [UInt16] = {
        var table = [UInt16](repeating: notInAlphabet, count: 0x144)
        var next = 0x100
        for byte in 0..<0x100 {
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF:
                table[byte] = UInt16(byte)
            default:
                table[next] = UInt16(byte)
                next += 1
            }
        }
        return table
    }()

    /// Appends the bytes that `text`, UTF-8 of characters of the alphabet, stands for.
    ///
    /// - Returns: nil, or the offset of the first character that is not in the alphabet.
    static func decode(_ text: Span<UInt8>, into bytes: inout [UInt8]) -> Int? {
        let byteOfCharacter = byteOfCharacter.span
        var offset = 0
        while offset < text.count {
            let first = text[offset]
            let character: Int
            let length: Int
            if first < 0x80 {
                (character, length) = (Int(first), 1)
            } else {
                // All other characters of the alphabet take two bytes of UTF-8.
                guard 0xC2...0xC5 ~= first, offset + 1 < text.count, text[offset + 1] & 0xC0 == 0x80 else {
                    return offset
                }
                (character, length) = (Int(first & 0x1F) << 6 | Int(text[offset + 1] & 0x3F), 2)
            }
            guard character < byteOfCharacter.count, byteOfCharacter[character] != notInAlphabet else { return offset }
            bytes.append(UInt8(truncatingIfNeeded: byteOfCharacter[character]))
            offset += length
        }
        return nil
    }
}
