// Products of float matrices with rows and with columns on the right.
import Q3Kernels
import Q3Linear
import Q3Model
import TestSupport
import Testing

@testable import Q3Training

struct ProductTests {
    /// output = seed + left · right, by the kernels or in double precision.
    private static func product<Scalar: ProductScalar>(
        _ type: Scalar.Type, rows: Int, depth: Int, columns: Int, form: FloatTile.Right, adding: Bool, threads: Int
    ) async throws -> [Scalar] {
        try await InferenceThread.shared().run {
            var random = SeededGenerator(seed: UInt64(rows * 1000 + depth))
            func values(_ count: Int) -> [Scalar] {
                (0..<count).map { _ in Scalar(Float(Int64(bitPattern: random.next()) >> 40) * 0x1p-23) }
            }
            let left = Grid(values(rows * depth), columns: depth)
            let right = Grid(values(columns * depth), columns: form == .rows ? depth : columns)
            let output = Grid(values(rows * columns), columns: columns)
            let team = try ProductTeam(threads: threads)
            try team.reserve(byteCount: MatrixProduct<Scalar>.scratchByteCount(depth: depth))
            unsafe team.multiply(
                MatrixProduct(
                    left: left.base, rows: rows, depth: depth, right: right.base, rightStride: right.columns,
                    form: form,
                    columns: columns, output: output.base, outputStride: columns, adding: adding))
            return output.values
        }
    }

    @Test(arguments: [(1, 32), (7, 64), (8, 32), (65, 96), (200, 32)], [FloatTile.Right.rows, .columns])
    func `products are those in double precision, with the same bits for any number of threads`(
        _ size: (rows: Int, depth: Int), _ form: FloatTile.Right
    ) async throws {
        // With columns on the right any depth will do.
        let depth = form == .rows ? size.depth : size.depth - 3
        for (columns, adding) in [(16, false), (48, true), (160, false)] {
            let exact = try await Self.product(
                Double.self, rows: size.rows, depth: depth, columns: columns, form: form, adding: adding, threads: 1)
            let one = try await Self.product(
                Float.self, rows: size.rows, depth: depth, columns: columns, form: form, adding: adding, threads: 1)
            for (a, b) in zip(one, exact) { #expect(abs(Double(a) - b) < 1e-5) }
            for threads in [2, 3] {
                let other = try await Self.product(
                    Float.self, rows: size.rows, depth: depth, columns: columns, form: form, adding: adding,
                    threads: threads)
                #expect(other == one)
            }
        }
    }
}
