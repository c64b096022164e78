// Products of float matrices as training needs them: with rows or columns on the right, the same bits for any number of threads.
package import Q3Kernels
import Q3Model
import Q3System

/// Numbers that products are computed in. `Double` is for tests of formulas: it has no kernels.
package protocol ProductScalar: BinaryFloatingPoint, Sendable, BitwiseCopyable {
    /// Computes 16 columns of a product, from `16 · panel` on, for some of its rows. `scratch` lies at a multiple of 64 and has
    /// `MatrixProduct.scratchByteCount`.
    @unsafe static func multiply(
        _ product: MatrixProduct<Self>, panel: Int, rows: Range<Int>, scratch: UnsafeMutableRawPointer)

    /// output [columns, rows] = the transpose of the first columns of a matrix [rows, stride].
    @unsafe static func transpose(
        _ matrix: UnsafePointer<Self>, stride: Int, rows: Int, columns: Int, into output: UnsafeMutablePointer<Self>)

    /// values[i] = exp(values[i]) for values of at most 0; the count is a multiple of 16.
    @unsafe static func exponentials(_ values: UnsafeMutablePointer<Self>, count: Int)
}

/// output[i, j] (+)= Σ_k left[i, k] · right(j, k). All pointers outlive the product.
@safe package struct MatrixProduct<Scalar: ProductScalar>: @unchecked Sendable {
    let left: UnsafePointer<Scalar>  // [rows, depth]
    let right: UnsafePointer<Scalar>
    let rightStride: Int
    let form: FloatTile.Right
    let output: UnsafeMutablePointer<Scalar>  // [rows, outputStride]
    let outputStride: Int
    package let rows: Int
    package let columns: Int
    let depth: Int
    let adds: Bool

    /// `columns` is a multiple of 16, and `depth` one of 32 where the right side is taken by rows.
    @unsafe package init(
        left: UnsafePointer<Scalar>, rows: Int, depth: Int, right: UnsafePointer<Scalar>, rightStride: Int,
        form: FloatTile.Right, columns: Int, output: UnsafeMutablePointer<Scalar>, outputStride: Int,
        adding adds: Bool = false
    ) {
        precondition(columns.isMultiple(of: FloatTile.rightMultiple) && rows >= 0 && depth > 0)
        precondition(form == .columns || depth.isMultiple(of: FloatTile.columnMultiple))
        unsafe self.left = left
        unsafe self.right = right
        self.rightStride = rightStride
        self.form = form
        unsafe self.output = output
        self.outputStride = outputStride
        self.rows = rows
        self.columns = columns
        self.depth = depth
        self.adds = adds
    }

    /// Bytes of work memory that a thread needs for products of this depth.
    package static func scratchByteCount(depth: Int) -> Int {
        let multiple = FloatTile.columnMultiple
        return FloatTile.scratchByteCount(columns: (depth + multiple - 1) / multiple * multiple)
    }

    /// The whole product on the calling thread.
    @unsafe package func run(scratch: UnsafeMutableRawPointer) {
        for panel in 0..<columns / FloatTile.rightMultiple {
            unsafe Scalar.multiply(self, panel: panel, rows: 0..<rows, scratch: scratch)
        }
    }
}

/// The threads that compute, each with work memory. To be used on the inference thread only.
@safe package final class ProductTeam: @unchecked Sendable {
    package let threads: Int
    private var memory: FloatMemory
    private var perThread: Int

    /// As many threads as there are processors, or as are asked for. Throws `cannotStartThreads`.
    package init(threads asked: Int?) throws(LinearError) {
        threads = try TileWalk.threadCount(asked)
        memory = try FloatMemory(count: 16)
        perThread = 0
    }

    /// Gives every thread at least so many bytes. Throws `outOfMemory`.
    package func reserve(byteCount: Int) throws(LinearError) {
        let floats = (byteCount + 63) / 64 * 16
        guard floats > perThread else { return }
        memory = try FloatMemory(count: floats * threads)
        perThread = floats
    }

    /// The work memory of a thread, at a multiple of 64.
    @unsafe package func scratch(_ thread: Int) -> UnsafeMutableRawPointer {
        unsafe UnsafeMutableRawPointer(memory.base + thread * perThread)
    }

    /// Runs `body` with 0..<count, each once.
    package func forEach(_ count: Int, _ body: @Sendable (_ item: Int, _ thread: Int) -> Void) {
        guard count > 0 else { return }
        Parallel.forEach(count: count, threads: threads, body)
    }

    /// Runs `body` with all of 0..<count in ranges of a few.
    package func forRows(_ count: Int, _ body: @Sendable (_ rows: Range<Int>) -> Void) {
        let step = 8
        forEach((count + step - 1) / step) { item, _ in body(item * step..<min((item + 1) * step, count)) }
    }

    /// Computes products of any kind one after the other; room for their depth has been reserved.
    package func multiply<Scalar>(_ products: MatrixProduct<Scalar>...) {
        for product in products where product.rows > 0 {
            precondition(MatrixProduct<Scalar>.scratchByteCount(depth: product.depth) <= perThread * 4)
            let panels = product.columns / FloatTile.rightMultiple
            let items = WorkShare.productItems(outputs: product.columns, tokens: product.rows, threads: threads)
            let parts = items / panels
            let groups = (product.rows + 7) / 8
            forEach(items) { [self] item, thread in
                let part = item % parts
                let rows = part * groups / parts * 8..<min((part + 1) * groups / parts * 8, product.rows)
                unsafe Scalar.multiply(product, panel: item / parts, rows: rows, scratch: scratch(thread))
            }
        }
    }
}

extension Float: ProductScalar {
    @unsafe package static func multiply(
        _ product: MatrixProduct<Float>, panel: Int, rows: Range<Int>, scratch: UnsafeMutableRawPointer
    ) {
        let first = panel * FloatTile.rightMultiple
        let start = product.form == .rows ? first * product.rightStride : first
        unsafe FloatTile.multiplyPanel(
            left: product.left + rows.lowerBound * product.depth, leftCount: rows.count, depth: product.depth,
            right: product.right + start, rightStride: product.rightStride, form: product.form,
            into: product.output + rows.lowerBound * product.outputStride + first, productStride: product.outputStride,
            adding: product.adds, scratch: scratch)
    }

    @unsafe package static func transpose(
        _ matrix: UnsafePointer<Float>, stride: Int, rows: Int, columns: Int, into output: UnsafeMutablePointer<Float>
    ) {
        unsafe FloatTile.transpose(matrix, stride: stride, rows: rows, columns: columns, into: output)
    }

    @unsafe package static func exponentials(_ values: UnsafeMutablePointer<Float>, count: Int) {
        unsafe FloatTile.exponentials(values, count: count)
    }
}

extension Double: ProductScalar {
    @unsafe package static func multiply(
        _ product: MatrixProduct<Double>, panel: Int, rows: Range<Int>, scratch: UnsafeMutableRawPointer
    ) {
        let first = panel * FloatTile.rightMultiple
        for i in rows {
            for j in first..<first + FloatTile.rightMultiple {
                var sum = 0.0
                for k in 0..<product.depth {
                    let other = product.form == .rows ? j * product.rightStride + k : k * product.rightStride + j
                    sum += unsafe product.left[i * product.depth + k] * product.right[other]
                }
                let place = i * product.outputStride + j
                unsafe product.output[place] = product.adds ? product.output[place] + sum : sum
            }
        }
    }

    @unsafe package static func transpose(
        _ matrix: UnsafePointer<Double>, stride: Int, rows: Int, columns: Int,
        into output: UnsafeMutablePointer<Double>
    ) {
        for i in 0..<rows {
            for j in 0..<columns { unsafe output[j * rows + i] = matrix[i * stride + j] }
        }
    }

    @unsafe package static func exponentials(_ values: UnsafeMutablePointer<Double>, count: Int) {
        for i in 0..<count { unsafe values[i] = exp(values[i]) }
    }
}
