// What the pre-tokenizer and the normaliser need to know about a Unicode scalar, in one byte of a flat table.

/// The classes that the pre-tokenizer's pattern tells apart.
enum CharacterClass {
    static let other: UInt8 = 0
    /// `\p{L}`
    static let letter: UInt8 = 1
    /// `\p{N}`
    static let number: UInt8 = 2
    /// `\s`
    static let space: UInt8 = 3
}

/// Properties of a scalar. Bits: 0-1 `CharacterClass`, 2 may change under NFC, 3 has a combining class.
struct CharacterProperties {
    let bits: UInt8

    var characterClass: UInt8 { bits & 3 }
    /// Decomposes for good, or composes with what is before it (NFC_Quick_Check is not Yes).
    var isUnstable: Bool { bits & 4 != 0 }
    /// Has a canonical combining class other than 0, so its place among its neighbours matters.
    var isMark: Bool { bits & 8 != 0 }
    /// Neither: what is before it is normalised without looking at it.
    var isInert: Bool { bits & 12 == 0 }
}

/// The properties of all scalars: one byte each, of which a text touches a few cache lines.
struct CharacterTable {
    static let shared = CharacterTable()

    /// Bits of `CharacterProperties`, by scalar value.
    private let table: [UInt8]

    private init() {
        let runs = UnicodeTables.propertyRuns
        var table: [UInt8] = []
        table.reserveCapacity(0x110000)
        for (index, run) in runs.enumerated() {
            let end = index + 1 < runs.count ? runs[index + 1] >> 4 : 0x110000
            table.append(contentsOf: repeatElement(UInt8(run & 15), count: Int(end - run >> 4)))
        }
        self.table = table
    }

    @inline(__always)
    subscript(scalar: UInt32) -> CharacterProperties { CharacterProperties(bits: table[Int(scalar)]) }
}
