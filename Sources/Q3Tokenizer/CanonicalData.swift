// Canonical combining classes, decompositions and compositions of single scalars, Hangul by arithmetic.

/// Look-ups in the NFC tables; each is a binary search or arithmetic.
enum CanonicalData {
    /// The canonical combining class of a scalar.
    static func combiningClass(_ scalar: UInt32) -> UInt8 {
        let runs = UnicodeTables.combiningClassRuns
        let next = firstIndex(of: runs) { $0 >> 8 > scalar }
        return UInt8(runs[next - 1] & 0xFF)
    }

    /// Appends the full canonical decomposition of a scalar, which is often the scalar itself.
    static func appendDecomposition(of scalar: UInt32, to scalars: inout [UInt32]) {
        if Hangul.syllables.contains(scalar) {
            return Hangul.appendDecomposition(of: scalar, to: &scalars)
        }
        let table = UnicodeTables.decompositions
        let index = firstIndex(of: table) { $0 >> 42 >= UInt64(scalar) }
        guard index < table.count, table[index] >> 42 == UInt64(scalar) else {
            return scalars.append(scalar)
        }
        // The table gives one step; the deepest chain has three.
        let (first, second) = (UInt32(table[index] >> 21 & 0x1F_FFFF), UInt32(table[index] & 0x1F_FFFF))
        appendDecomposition(of: first, to: &scalars)
        if second != 0 { appendDecomposition(of: second, to: &scalars) }
    }

    /// The scalar that two canonically compose to.
    static func composition(_ first: UInt32, _ second: UInt32) -> UInt32? {
        if let syllable = Hangul.composition(first, second) { return syllable }
        let pair = UInt64(first) << 21 | UInt64(second)
        let table = UnicodeTables.compositions
        let index = firstIndex(of: table) { $0 >> 21 >= pair }
        guard index < table.count, table[index] >> 21 == pair else { return nil }
        return UInt32(table[index] & 0x1F_FFFF)
    }

    /// The first index whose element satisfies `isPast`, which holds from some element on; the count if none does.
    private static func firstIndex<T>(of table: [T], where isPast: (T) -> Bool) -> Int {
        var (low, high) = (0, table.count)
        while low < high {
            let middle = (low + high) / 2
            if isPast(table[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

/// Korean syllables and the letters they are made of: The Unicode Standard, section 3.12.
private enum Hangul {
    static let syllables: Range<UInt32> = 0xAC00..<0xD7A4
    private static let leads: Range<UInt32> = 0x1100..<0x1113
    private static let vowels: Range<UInt32> = 0x1161..<0x1176
    /// Without U+11A7, which stands for "no trailing letter" in the arithmetic.
    private static let trails: Range<UInt32> = 0x11A8..<0x11C3
    private static let trailBase: UInt32 = 0x11A7
    private static let trailCount: UInt32 = 28

    static func appendDecomposition(of syllable: UInt32, to scalars: inout [UInt32]) {
        let (pair, trail) = (syllable - syllables.lowerBound).quotientAndRemainder(dividingBy: trailCount)
        let (lead, vowel) = pair.quotientAndRemainder(dividingBy: UInt32(vowels.count))
        scalars.append(leads.lowerBound + lead)
        scalars.append(vowels.lowerBound + vowel)
        if trail != 0 { scalars.append(trailBase + trail) }
    }

    static func composition(_ first: UInt32, _ second: UInt32) -> UInt32? {
        if leads.contains(first), vowels.contains(second) {
            let pair = (first - leads.lowerBound) * UInt32(vowels.count) + (second - vowels.lowerBound)
            return syllables.lowerBound + pair * trailCount
        }
        if syllables.contains(first), (first - syllables.lowerBound) % trailCount == 0, trails.contains(second) {
            return first + (second - trailBase)
        }
        return nil
    }
}
