// IEEE half precision by its bits, because the standard library has no Float16 on every platform.

/// Conversions between `Float` and the bits of a half-precision number.
public enum HalfPrecision {
    /// The nearest half-precision number, ties to even; beyond 65504 infinity.
    public static func bits(of value: Float) -> UInt16 {
        let bits = value.bitPattern
        let sign = UInt16(truncatingIfNeeded: bits >> 16) & 0x8000
        let magnitude = bits & 0x7FFF_FFFF
        if magnitude > 0x7F80_0000 { return sign | 0x7E00 }  // NaN
        if magnitude >= 0x4780_0000 { return sign | 0x7C00 }  // 65536 and more
        if magnitude < 0x3880_0000 {
            // Below 2^-14 a half is a multiple of 2^-24, so scaling to that unit makes the rounding an integer's.
            let units = Float(bitPattern: magnitude) * 0x1p24
            return sign | UInt16(units.rounded(.toNearestOrEven))
        }
        // Rebias the exponent from 127 to 15 and round the 13 bits that fall away; a carry lands in the exponent.
        let rebiased = magnitude - 0x3800_0000
        let rounded = rebiased + 0xFFF + (rebiased >> 13 & 1)
        return sign | UInt16(truncatingIfNeeded: rounded >> 13)
    }

    /// The value of a half-precision number, which a `Float` holds exactly.
    public static func value(of bits: UInt16) -> Float {
        let sign: Float = bits & 0x8000 == 0 ? 1 : -1
        let exponent = UInt32(bits >> 10 & 0x1F)
        let fraction = UInt32(bits & 0x3FF)
        return switch exponent {
        case 0: sign * Float(fraction) * 0x1p-24
        case 31: fraction == 0 ? sign * .infinity : .nan
        default: sign * Float(bitPattern: (exponent + 112) << 23 | fraction << 13)
        }
    }
}
