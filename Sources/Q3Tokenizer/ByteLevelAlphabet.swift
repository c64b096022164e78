// The GPT-2 alphabet that files use to write arbitrary bytes as printable characters.

/// Each byte has one character: bytes that print as themselves in Latin-1 stand for themselves, the other 68 follow
/// from U+0100 on, in order (a space is "Ġ", a line feed "Ċ").
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
        bytes.append(addingCapacity: text.count) { output in
            while offset < text.count {
                let first = text[offset]
                var character = Int(first)
                var end = offset + 1
                if first >= 0x80 {
                    // All other characters of the alphabet take two bytes of UTF-8.
                    guard 0xC2...0xC5 ~= first, end < text.count, text[end] & 0xC0 == 0x80 else { return }
                    character = Int(first & 0x1F) << 6 | Int(text[end] & 0x3F)
                    end += 1
                }
                guard character < byteOfCharacter.count, byteOfCharacter[character] != notInAlphabet else { return }
                output.append(UInt8(truncatingIfNeeded: byteOfCharacter[character]))
                offset = end
            }
        }
        return offset == text.count ? nil : offset
    }
}
