// A fast 64-bit hash for gigabytes of weights: four independent lanes of multiply and fold.

/// Hashes a sequence of values, each with its length, so that no two sequences run together.
///
/// Every 32-byte stripe goes into four lanes that do not wait for each other; a lane takes its word by a 64 by 64 bit
/// multiplication whose two halves are folded together. The result is the same on every machine and must stay so,
/// because fingerprints are stored.
struct SpaceHash {
    private var lanes = SIMD4<UInt64>(
        0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344, 0xA409_3822_299F_31D0, 0x082E_FA98_EC4E_6C89)

    /// Odd constants (with the lanes' start values: the first digits of pi), one per lane.
    private static let factors = SIMD4<UInt64>(
        0x4528_21E6_38D0_1377, 0xBE54_66CF_34E9_0C6D, 0xC0AC_29B7_C97C_50DD, 0x3F84_D5B5_B547_0917)

    mutating func combine(_ value: UInt64) {
        absorb(value, 1, 0, 0)
    }

    mutating func combine(_ text: String) {
        var text = text
        text.withUTF8 { utf8 in unsafe combine(UnsafeRawBufferPointer(utf8)) }
    }

    mutating func combine(_ bytes: UnsafeRawBufferPointer) {
        let wholeStripes = bytes.count & ~31
        for offset in stride(from: 0, to: wholeStripes, by: 32) {
            unsafe absorb(
                word(bytes, offset), word(bytes, offset + 8), word(bytes, offset + 16), word(bytes, offset + 24))
        }
        var rest = SIMD4<UInt64>.zero
        for offset in wholeStripes..<bytes.count {
            unsafe rest[(offset & 31) >> 3] |= UInt64(bytes[offset]) << (UInt64(offset & 7) * 8)
        }
        absorb(rest[0], rest[1], rest[2], rest[3])
        absorb(UInt64(bytes.count), 2, 0, 0)
    }

    func finish() -> UInt64 {
        let first = fold(lanes[0] ^ Self.factors[1], lanes[1] ^ Self.factors[0])
        let second = fold(lanes[2] ^ Self.factors[3], lanes[3] ^ Self.factors[2])
        return fold(first ^ Self.factors[0], second ^ Self.factors[2])
    }

    private mutating func absorb(_ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64) {
        lanes[0] = fold(lanes[0] ^ a, Self.factors[0])
        lanes[1] = fold(lanes[1] ^ b, Self.factors[1])
        lanes[2] = fold(lanes[2] ^ c, Self.factors[2])
        lanes[3] = fold(lanes[3] ^ d, Self.factors[3])
    }

    private func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    private func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        UInt64(littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}
