// One query against many rows of int8: the scan of an index.

internal import CShims

/// Exact dot products of int8 rows with one int8 query, shared among threads.
package enum RowScan {
    /// products[r] = Σ rows[r · stride + k] · query[k]. `stride`, the query's count, is a multiple of 64; no value is -128,
    /// and rows lie at multiples of 64 bytes. The same on every instruction set, since integers do not round.
    @unsafe package static func products(
        rows: UnsafePointer<Int8>, count: Int, stride: Int, query: [Int8], into products: inout [Int32],
        isa: ISA = .best
    ) {
        precondition(stride % 64 == 0 && query.count == stride && products.count >= count, "a scan of other sizes")
        unsafe products.withUnsafeMutableBufferPointer { products in
            guard let out = products.baseAddress, count > 0 else { return }
            unsafe q3_scan_rows(isa.raw, rows, count, stride, query, out)
        }
    }
}
