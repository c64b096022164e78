// Reads one scalar from UTF-8 that is known to be valid, as the bytes of a String always are.

extension Span where Element == UInt8 {
    /// The scalar that begins at `offset`, and its length in bytes.
    @inline(__always)
    func scalar(at offset: Int) -> (value: UInt32, byteCount: Int) {
        let first = UInt32(self[offset])
        if first < 0x80 { return (first, 1) }
        let second = UInt32(self[offset + 1] & 0x3F)
        if first < 0xE0 { return ((first & 0x1F) << 6 | second, 2) }
        let third = UInt32(self[offset + 2] & 0x3F)
        if first < 0xF0 { return ((first & 0x0F) << 12 | second << 6 | third, 3) }
        return ((first & 0x07) << 18 | second << 12 | third << 6 | UInt32(self[offset + 3] & 0x3F), 4)
    }
}

extension [UInt8] {
    /// Appends the UTF-8 bytes of a scalar.
    mutating func append(scalar value: UInt32) {
        func tail(_ shift: UInt32) -> UInt8 { UInt8(0x80 | (value >> shift) & 0x3F) }
        switch value {
        case ..<0x80:
            append(UInt8(value))
        case ..<0x800:
            append(UInt8(0xC0 | value >> 6))
            append(tail(0))
        case ..<0x10000:
            append(UInt8(0xE0 | value >> 12))
            append(tail(6))
            append(tail(0))
        default:
            append(UInt8(0xF0 | (value >> 18) & 0x07))
            append(tail(12))
            append(tail(6))
            append(tail(0))
        }
    }
}
