// Random weight blocks that any kernel can read: small finite scales, arbitrary quants.
import Q3GGUF
import Q3System

/// Blocks of one tensor type, repeated to fill tensors of any size.
struct BlockPool: Sendable {
    private let bytes: [UInt8]

    /// A prime, so that rows of the same number of blocks begin at different places.
    private static let blockCount = 4099

    /// The f16 or bf16 scales of a block: where they are and between which bit patterns.
    private struct Scale {
        let offset: Int
        let bits: Range<UInt16>
    }

    /// Scales that give weights with a standard deviation near 0.02 and a mean near 0, as trained ones have. Every
    /// other byte of a block may have any value.
    private static func scales(of type: TensorType) -> [Scale]? {
        switch type {
        case .q4_0: [Scale(offset: 0, bits: 0x1C00..<0x2000)]  // 2^-8 to 2^-7 times -8...7
        case .q5_0: [Scale(offset: 0, bits: 0x1800..<0x1C00)]  // 2^-9 to 2^-8 times -16...15
        case .q8_0: [Scale(offset: 0, bits: 0x0C00..<0x1000)]  // 2^-12 to 2^-11 times -128...127
        case .q6_K: [Scale(offset: 208, bits: 0x00C0..<0x0140)]  // 1.1e-5 to 1.9e-5 times int8 times -32...31
        // d · 0...63 · 0...15 - dmin · 0...63; twice as many steps of half the size in Q5_K
        case .q4_K: [Scale(offset: 0, bits: 0x0400..<0x0800), Scale(offset: 2, bits: 0x1000..<0x1400)]
        case .q5_K: [Scale(offset: 0, bits: 0x0200..<0x0400), Scale(offset: 2, bits: 0x1000..<0x1400)]
        default: nil
        }
    }

    /// Whether blocks of a type can be made.
    static func hasRecipe(for type: TensorType) -> Bool {
        [.f32, .f16, .bf16].contains(type) || scales(of: type) != nil
    }

    /// Nil for a type without a recipe.
    init?(_ type: TensorType) {
        var random = SeededGenerator(seed: UInt64(type.rawValue))
        /// Numbers from 2^-7 to 2^-5 with either sign.
        func values<Bits: FixedWidthInteger & UnsignedInteger>(_ magnitudes: Range<Bits>) -> [UInt8] {
            (0..<Self.blockCount * 32).flatMap { _ in
                let sign = Bits(random.next() & 1) << (Bits.bitWidth - 1)
                return (Bits.random(in: magnitudes, using: &random) | sign).littleEndianBytes
            }
        }
        switch type {
        case .f32: bytes = values(UInt32(0x3C00_0000)..<0x3D00_0000)
        case .f16: bytes = values(UInt16(0x2000)..<0x2800)
        case .bf16: bytes = values(UInt16(0x3C00)..<0x3D00)
        default:
            guard let scales = Self.scales(of: type) else { return nil }
            var bytes = (0..<Self.blockCount * type.bytesPerBlock / 8 + 1).flatMap { _ in
                random.next().littleEndianBytes
            }
            bytes.removeLast(bytes.count - Self.blockCount * type.bytesPerBlock)
            for block in 0..<Self.blockCount {
                for scale in scales {
                    let at = block * type.bytesPerBlock + scale.offset
                    let bits = UInt16.random(in: scale.bits, using: &random)
                    bytes.replaceSubrange(at..<at + 2, with: bits.littleEndianBytes)
                }
            }
            self.bytes = bytes
        }
    }

    /// Copies the endless repetition of the pool from `offset` on into `chunk`.
    func fill(_ chunk: inout MutableRawSpan, from offset: Int) {
        unsafe chunk.withUnsafeMutableBytes { chunk in
            unsafe bytes.withUnsafeBytes { pool in
                var (done, from) = (0, offset % pool.count)
                while done < chunk.count {
                    let count = min(chunk.count - done, pool.count - from)
                    unsafe chunk.baseAddress!.advanced(by: done).copyMemory(
                        from: pool.baseAddress! + from, byteCount: count)
                    (done, from) = (done + count, 0)
                }
            }
        }
    }
}

extension FixedWidthInteger where Self: UnsignedInteger {
    fileprivate var littleEndianBytes: [UInt8] {
        (0..<Self.bitWidth / 8).map { UInt8(truncatingIfNeeded: self >> (8 * $0)) }
    }
}
