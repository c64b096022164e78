// z = x + B A x of many rows, and the gradients of A and B.
import Q3Kernels

/// What an adapter computes before scaling, in double precision.
struct LowRankResidual {
    /// A [rank, columns]
    private let down: RowMatrix
    /// B, transposed: [rank, columns]
    private let up: RowMatrix
    private let threads: Int

    init(down: [Float], up: [Float], rank: Int, threads: Int) {
        self.down = RowMatrix(down.map(Double.init), columns: down.count / rank)
        self.up = RowMatrix(up.map(Double.init), columns: up.count / rank)
        self.threads = threads
    }

    /// The rows with their change, and the shares A x of each that the gradient needs.
    func callAsFunction(_ rows: RowMatrix) -> (changed: RowMatrix, shares: RowMatrix) {
        let shares = RowMatrix(products: rows, down, threads: threads)
        var changed = RowMatrix(sums: shares, of: up, threads: threads)
        changed.add(rows)
        return (changed, shares)
    }

    /// The slopes of A and of B's transpose, both [rank, columns], from the slopes of the changed rows.
    func gradients(of slopes: RowMatrix, rows: RowMatrix, shares: RowMatrix) -> (down: RowMatrix, up: RowMatrix) {
        let up = RowMatrix(sums: shares.transposed, of: slopes, threads: threads)
        let shareSlopes = RowMatrix(products: slopes, self.up, threads: threads)
        return (RowMatrix(sums: shareSlopes.transposed, of: rows, threads: threads), up)
    }
}
