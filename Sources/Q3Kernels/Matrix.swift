// A weight matrix where it lies in the mapped file, and the family of panels that computes with it.

internal import CShims

/// How products with a matrix are computed; see CShims.h.
public enum PanelFamily: Sendable, CaseIterable {
    /// Weights 0...31 as bytes, activations int8 with one scale per 32 values.
    case u8
    /// Weights int16, activations of 14 bits with one scale per 32.
    case w16
    /// Weights and activations f32.
    case f32
    /// Weights rounded to int8 with one scale per 32, activations as in `u8`.
    case s8

    var raw: q3_family {
        switch self {
        case .u8: Q3_FAMILY_U8
        case .w16: Q3_FAMILY_W16
        case .f32: Q3_FAMILY_F32
        case .s8: Q3_FAMILY_S8
        }
    }

    /// Whether activations are rounded to 8 bits.
    var hasByteActivations: Bool { self == .u8 || self == .s8 }

    /// Whether matrices of a GGUF tensor type can be computed in this family.
    package func supports(typeID: UInt32) -> Bool { q3_type_in_family(typeID, raw) }

    /// The first of `families` that supports a type; nil if none does.
    public static func forType(_ typeID: UInt32, in families: [PanelFamily]) -> PanelFamily? {
        families.first { $0.supports(typeID: typeID) }
    }
}

/// A quantized or float matrix [rows, cols], row-major, in memory that others own.
@safe public struct Matrix: @unchecked Sendable {
    package let rows: Int
    package let cols: Int
    package let typeID: UInt32
    package let family: PanelFamily
    private(set) var raw: q3_matrix

    /// Panels have 16 rows and blocks of 32 columns.
    package static let rowMultiple = Int(Q3_PANEL_ROWS)
    package static let colMultiple = Int(Q3_BLOCK)

    /// A view of `bytes`, which must outlive every use; nil if they do not hold rows · cols values, the columns do not
    /// fill blocks of 32, or the family cannot compute the type.
    @unsafe public init?(bytes: UnsafeRawBufferPointer, typeID: UInt32, rows: Int, cols: Int, family: PanelFamily) {
        guard family.supports(typeID: typeID), rows > 0, cols > 0, cols.isMultiple(of: Self.colMultiple),
            let base = bytes.baseAddress, bytes.count.isMultiple(of: rows)
        else { return nil }
        self.rows = rows
        self.cols = cols
        self.typeID = typeID
        self.family = family
        unsafe raw = q3_matrix(
            data: base, type: typeID, family: family.raw, rows: rows, cols: cols, row_bytes: bytes.count / rows,
            kept: q3_kept())
    }

    /// Bytes of its panels where they are kept.
    package var panelByteCount: Int {
        rows / Self.rowMultiple * q3_kept_panel_bytes(typeID, family.raw, cols)
    }

    /// The same matrix with its panels kept in `store`, which must outlive every use; unchanged if there is no room for all of
    /// them.
    @unsafe package func keepingPanels(in store: PanelStore) -> Matrix {
        guard let kept = unsafe store.reserve(panelBytes: panelByteCount, panels: rows / Self.rowMultiple) else {
            return self
        }
        var matrix = self
        unsafe matrix.raw.kept = kept
        return matrix
    }

    /// Writes the rows `ids` as f32 into the first rows of `output`. Ids are within 0..<rows.
    package func dequantize(rows ids: [Int32], into output: FloatMatrix) {
        precondition(ids.count <= output.rows && output.cols == cols)
        precondition(ids.allSatisfy { 0..<rows ~= Int($0) })
        unsafe q3_dequantize_rows(raw, ids, ids.count, output.base)
    }

    /// One row as f32, [cols].
    package func dequantizedRow(_ row: Int) -> [Float] {
        precondition(0..<rows ~= row)
        return unsafe [Float](unsafeUninitializedCapacity: cols) { buffer, count in
            unsafe q3_dequantize_rows(raw, [Int32(row)], 1, buffer.baseAddress!)
            count = cols
        }
    }
}
