// Token rows in the formats that products read: f32, 14-bit or 8-bit integers.

internal import CShims

/// Where the formats of one block of token rows lie in an arena.
public struct ActivationPlaces: Sendable {
    /// Whether 14-bit integers are also there as two bytes each.
    package static let splitsWords = q3_splits_words()

    let rows: Int
    let widest: Int
    let f32, i8, i8Scale, i8Sum, i8Start, i16, i16Sum, i16Scale, i16Halves: ArenaLayout.Place

    /// Room for `rows` rows of up to `widest` columns in any of `families`.
    public init(rows: Int, widest: Int, families: Set<PanelFamily>, in layout: inout ArenaLayout) {
        let group = Int(Q3_TOKEN_GROUP)
        let padded = (rows + group - 1) / group * group
        let scales = padded * (widest / Matrix.colMultiple) * MemoryLayout<Float>.stride
        let (bytes, w16) = (families.contains { $0.hasByteActivations }, families.contains(.w16))
        self.rows = padded
        self.widest = widest
        f32 = layout.reserve(byteCount: families.contains(.f32) ? padded * widest * MemoryLayout<Float>.stride : 0)
        i8 = layout.reserve(byteCount: bytes ? padded * widest : 0)
        i8Scale = layout.reserve(byteCount: bytes ? scales : 0)
        i8Sum = layout.reserve(byteCount: bytes ? scales : 0)
        i8Start = layout.reserve(byteCount: bytes ? scales : 0)
        i16 = layout.reserve(byteCount: w16 ? padded * widest * MemoryLayout<Int16>.stride : 0)
        i16Sum = layout.reserve(byteCount: w16 ? scales : 0)
        i16Scale = layout.reserve(byteCount: w16 ? scales : 0)
        i16Halves = layout.reserve(byteCount: w16 && Self.splitsWords ? padded * widest * 2 : 0)
    }
}

/// A block of token rows [rows, cols] in the formats of `families`.
@safe public struct Activations {
    package let rows: Int
    package let cols: Int
    package let families: Set<PanelFamily>
    let raw: q3_activations

    public init(_ places: ActivationPlaces, in arena: Arena, rows: Int, cols: Int, families: Set<PanelFamily>) {
        precondition(rows <= places.rows && cols <= places.widest && cols.isMultiple(of: Matrix.colMultiple))
        self.rows = rows
        self.cols = cols
        self.families = families
        var raw = unsafe q3_activations()
        unsafe raw.cols = cols
        if families.contains(.f32) { unsafe raw.f32 = arena.pointer(places.f32, as: Float.self) }
        if families.contains(where: \.hasByteActivations) {
            unsafe raw.i8 = arena.pointer(places.i8, as: Int8.self)
            unsafe raw.i8_scale = arena.pointer(places.i8Scale, as: Float.self)
            unsafe raw.i8_sum = arena.pointer(places.i8Sum, as: Float.self)
            unsafe raw.i8_start = arena.pointer(places.i8Start, as: Int32.self)
        }
        if families.contains(.w16) {
            unsafe raw.i16 = arena.pointer(places.i16, as: Int16.self)
            unsafe raw.i16_sum = arena.pointer(places.i16Sum, as: Float.self)
            unsafe raw.i16_scale = arena.pointer(places.i16Scale, as: Float.self)
            if ActivationPlaces.splitsWords {
                unsafe raw.i16_halves = arena.pointer(places.i16Halves, as: Int8.self)
            }
        }
        unsafe self.raw = raw
    }
}
