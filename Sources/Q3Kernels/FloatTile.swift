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
            row_bytes: columns * MemoryLayout<Float>.stride, kept: q3_kept())
        var rows = unsafe q3_activations()
        unsafe rows.cols = columns
        unsafe rows.f32 = UnsafeMutablePointer(mutating: left)
        for first in Swift.stride(from: 0, to: rightCount, by: rightMultiple) {
            unsafe kernels.pack(&matrix, first, Q3_FOR_MANY, q3_fetch(), scratch)
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

    /// How the right side of a product lies in memory.
    package enum Right: Sendable {
        /// Its rows are multiplied: right[j · stride + k].
        case rows
        /// Its columns are: right[k · stride + j].
        case columns
    }

    /// products[i · productStride + j] (+)= Σ_k left[i · depth + k] · right(j, k) for the 16 values of j that begin at `right`.
    ///
    /// With rows on the right `depth` is a multiple of 32. The sum goes over k in order, by fused multiply-adds, and is added to what is
    /// there as a whole. `scratch` has `scratchByteCount` of `depth`, rounded up to 32, and lies at a multiple of 64.
    @unsafe package static func multiplyPanel(
        left: UnsafePointer<Float>, leftCount: Int, depth: Int, right: UnsafePointer<Float>, rightStride: Int,
        form: Right, into products: UnsafeMutablePointer<Float>, productStride: Int, adding: Bool,
        scratch: UnsafeMutableRawPointer, isa: ISA = .best
    ) {
        precondition(form == .columns || depth.isMultiple(of: columnMultiple))
        let kernels = isa.kernels
        switch form {
        case .rows:
            var matrix = unsafe q3_matrix(
                data: right, type: 0, family: Q3_FAMILY_F32, rows: rightMultiple, cols: depth,
                row_bytes: rightStride * MemoryLayout<Float>.stride, kept: q3_kept())
            unsafe kernels.pack(&matrix, 0, Q3_FOR_MANY, q3_fetch(), scratch)
        case .columns: unsafe q3_pack_columns(right, rightStride, depth, scratch)
        }
        var rows = unsafe q3_activations()
        unsafe rows.cols = depth
        unsafe rows.f32 = UnsafeMutablePointer(mutating: left)
        unsafe kernels.multiply_panel(
            Q3_FAMILY_F32, scratch, &rows, 0, leftCount, products, productStride, adding)
    }

    /// output [columns, rows] = the transpose of the first columns of a matrix [rows, stride].
    @unsafe package static func transpose(
        _ matrix: UnsafePointer<Float>, stride: Int, rows: Int, columns: Int, into output: UnsafeMutablePointer<Float>
    ) {
        unsafe q3_transpose(matrix, stride, rows, columns, output)
    }

    /// values[i] = exp(values[i]) for values of at most 0; relative error at most 2^-22. The count is a multiple of 16.
    @unsafe package static func exponentials(_ values: UnsafeMutablePointer<Float>, count: Int, isa: ISA = .best) {
        precondition(count.isMultiple(of: 16))
        unsafe isa.kernels.exp(values, values, count)
    }
}
