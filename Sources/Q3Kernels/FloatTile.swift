// Products of many float rows with many others, a tile at a time: what clusters, neighbours and duplicates are computed with.

internal import CShims

/// Tiles of left · rightᵀ in f32. Each product is a sum over the columns in order, by fused multiply-adds: its bits depend on
/// its own two rows only, not on the tile, the thread or the instruction set.
package enum FloatTile {
    /// Rows of the right side are taken so many at a time.
    package static let rightMultiple = Int(Q3_PANEL_ROWS)
    /// Columns are padded with zeros to a multiple of this.
    package static let columnMultiple = Int(Q3_BLOCK)

    /// Bytes of work memory that a thread needs, at a multiple of 64.
    package static func scratchByteCount(columns: Int) -> Int {
        (q3_panel_bytes(Q3_FAMILY_F32, columns) + 63) / 64 * 64
    }

    /// products[i · stride + j] = Σ_k left[i · columns + k] · right[j · columns + k].
    ///
    /// `rightCount` is a multiple of 16, `columns` one of 32, `stride` at least `rightCount`; `scratch` lies at a multiple of 64.
    @unsafe package static func multiply(
        left: UnsafePointer<Float>, leftCount: Int, right: UnsafePointer<Float>, rightCount: Int, columns: Int,
        into products: UnsafeMutablePointer<Float>, stride: Int, scratch: UnsafeMutableRawPointer, isa: ISA = .best
    ) {
        precondition(rightCount.isMultiple(of: rightMultiple) && columns.isMultiple(of: columnMultiple))
        precondition(stride >= rightCount && columns > 0)
        let kernels = isa.kernels
        var matrix = unsafe q3_matrix(
            data: right, type: 0, family: Q3_FAMILY_F32, rows: rightCount, cols: columns,
            row_bytes: columns * MemoryLayout<Float>.stride)
        var rows = unsafe q3_activations()
        unsafe rows.cols = columns
        unsafe rows.f32 = UnsafeMutablePointer(mutating: left)
        for first in Swift.stride(from: 0, to: rightCount, by: rightMultiple) {
            unsafe kernels.pack(&matrix, first, scratch)
            unsafe kernels.multiply_panel(
                Q3_FAMILY_F32, scratch, &rows, 0, leftCount, products + first, stride, false)
        }
    }

    /// The places of the values that are at least `least`, in order, into `found`, which has room for `count`. Returns how many.
    /// A NaN is not among them.
    @unsafe package static func find(
        atLeast least: Float, in values: UnsafePointer<Float>, count: Int, into found: UnsafeMutablePointer<UInt32>
    ) -> Int {
        unsafe q3_find_at_least(values, count, least, found)
    }

    /// The largest of `count` values, NaNs left out; -infinity of none.
    @unsafe package static func largest(of values: UnsafePointer<Float>, count: Int) -> Float {
        unsafe q3_largest(values, count)
    }
}
