// SHA-256 against the examples of NIST, with the machine's instructions and without.
import Q3System
import Testing

@Suite struct SHA256Tests {
    /// From FIPS 180-4's examples and the short messages of the NIST validation system.
    private static let vectors: [(message: [UInt8], digest: String)] = [
        ([], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (Array("abc".utf8), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            Array(
                "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"
                    .utf8), "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
        ),
        ([0xD3], "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1"),
        (
            [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        ),
    ]

    @Test(arguments: vectors.indices, [false, true]) func `messages of NIST have the published hashes`(
        _ index: Int, _ instructions: Bool
    ) {
        let (message, digest) = Self.vectors[index]
        for pieceLength in [message.count, 1, 55, 64, 65, 1000]
        where pieceLength > 0 && message.count / pieceLength < 20_000 {
            var hash = SHA256(instructions: instructions)
            for start in stride(from: 0, to: message.count, by: pieceLength) {
                let piece = message[start..<min(start + pieceLength, message.count)]
                unsafe piece.withUnsafeBytes { unsafe hash.update($0) }
            }
            #expect(
                hash.finish().map { $0 < 16 ? "0\(String($0, radix: 16))" : String($0, radix: 16) }.joined() == digest)
        }
    }

    /// Every length around the ends of blocks, where the padding changes its shape.
    @Test func `both forms agree at every length around a block`() {
        for length in 0...200 {
            let message = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ length) }
            let digests = [false, true].map { instructions in
                var hash = SHA256(instructions: instructions)
                unsafe message.withUnsafeBytes { unsafe hash.update($0) }
                return hash.finish()
            }
            #expect(digests[0] == digests[1])
        }
    }
}
