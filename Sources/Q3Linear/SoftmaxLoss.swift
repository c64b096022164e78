// The loss of a linear classifier over all rows and its slopes, by products of tiles.
import Q3Kernels
import Q3Model
import Q3System
import Synchronization

/// What a classifier loses over all rows, and how that changes with its weights.
package struct SoftmaxValue: Sendable {
    package typealias Lane = SIMD8<Double>

    /// Σ -log p(class of the row)
    package fileprivate(set) var loss = 0.0
    /// The slopes of the weights, [classes, lanes of a row]; what a row is padded with has slope 0.
    package fileprivate(set) var slopes: [Lane]
    /// The slopes of the biases.
    package fileprivate(set) var biasSlopes: [Double]
}

/// Rows and their classes, laid out for the log loss of p = softmax(W x + b).
///
/// Products are in f32 and all else in double precision. Rows are taken in blocks of a fixed size, whose slopes are summed in
/// their order, so that any number of threads gives the same bits.
package struct SoftmaxLoss: Sendable {
    private let rows: VectorMatrix
    private let classes: [Int]
    private let classCount: Int
    private let threads: Int
    /// The rows of each block once more, as columns: [dimensions, rows of the block].
    private let columns: [VectorMatrix]
    private let memory: BlockMemory

    private static let blockRows = 256

    /// For rows and their classes, which are in 0..<classCount (a precondition). Throws `outOfMemory` and `cannotStartThreads`.
    package init(
        _ rows: VectorMatrix, classes: [Int], classCount: Int, threads: Int? = nil
    ) throws(LinearError) {
        precondition(rows.count == classes.count && classes.allSatisfy { 0..<classCount ~= $0 }, "a class for each row")
        self.rows = rows
        self.classes = classes
        self.classCount = classCount
        self.threads = try TileWalk.threadCount(threads)
        try MemoryNeed.check(Self.byteCount(rows: rows.count, dimensions: rows.dimensions, classes: classCount))
        var columns: [VectorMatrix] = []
        for first in stride(from: 0, to: rows.count, by: Self.blockRows) {
            columns.append(try Self.transposed(rows, first..<min(first + Self.blockRows, rows.count)))
        }
        self.columns = columns
        memory = try BlockMemory(
            threads: self.threads, slots: min(2 * self.threads, max(columns.count, 1)), blockRows: Self.blockRows,
            classes: classCount, dimensions: rows.dimensions, columns: rows.columns)
    }

    /// Bytes that are kept beside the rows, but for what each thread works in: the rows once more as columns.
    package static func byteCount(rows: Int, dimensions: Int, classes: Int) -> Int {
        let block = MemoryNeed.rows(dimensions, dimensions: min(blockRows, max(rows, 1)))
        let slopes = classes * VectorMatrix.padded(dimensions) * MemoryLayout<Float>.stride
        return (rows + blockRows - 1) / blockRows * (block + 4096) + 4 * slopes
    }

    private static func transposed(_ rows: VectorMatrix, _ taken: Range<Int>) throws(LinearError) -> VectorMatrix {
        var builder = try VectorMatrixBuilder(dimensions: taken.count, capacity: rows.dimensions)
        for column in 0..<rows.dimensions {
            try builder.append(taken.map { unsafe rows.start(of: $0)[column] })
        }
        return builder.finish()
    }

    /// The loss and the slopes at these weights [classes, dimensions] and biases. Throws `CancellationError`.
    package func value(weights: VectorMatrix, biases: [Double]) async throws -> SoftmaxValue {
        precondition(weights.count == classCount && biases.count == classCount && weights.columns == rows.columns)
        try Task.checkCancellation()
        // One thread runs what is given to it one after another, so the memory has one user.
        return try await InferenceThread.shared().run { [self] in
            let lanes = (rows.dimensions + 7) / 8
            var value = SoftmaxValue(
                slopes: [SoftmaxValue.Lane](repeating: .zero, count: classCount * lanes),
                biasSlopes: [Double](repeating: 0, count: classCount))
            for first in stride(from: 0, to: columns.count, by: memory.slots) {
                let count = min(memory.slots, columns.count - first)
                let sums = Mutex([BlockSums](repeating: BlockSums(), count: count))
                Parallel.forEach(count: count, threads: threads) { slot, thread in
                    let found = unsafe compute(first + slot, weights, biases, slot, thread)
                    sums.withLock { $0[slot] = found }
                }
                for (slot, found) in sums.withLock({ $0 }).enumerated() {
                    value.loss += found.loss
                    for index in 0..<classCount { value.biasSlopes[index] += found.biasSlopes[index] }
                    unsafe add(memory.slopes(slot), to: &value.slopes, lanes: lanes)
                }
            }
            return value
        }
    }

    private struct BlockSums: Sendable {
        var loss = 0.0
        var biasSlopes: [Double] = []
    }

    /// A block: its logits, how far each probability is from the truth, and the slopes into the memory of `slot`.
    @unsafe private func compute(
        _ block: Int, _ weights: VectorMatrix, _ biases: [Double], _ slot: Int, _ thread: Int
    ) -> BlockSums {
        let columns = columns[block]
        let (first, count) = (block * Self.blockRows, columns.dimensions)
        let (logits, errors) = unsafe (memory.logits(thread), memory.errors(thread))
        unsafe FloatTile.multiply(
            left: rows.start(of: first), leftCount: count, right: weights.start(of: 0), rightCount: weights.paddedCount,
            columns: rows.columns, into: logits, stride: memory.paddedClasses, scratch: memory.scratch(thread))
        var sums = BlockSums(loss: 0, biasSlopes: [Double](repeating: 0, count: classCount))
        for row in 0..<count {
            let values = unsafe logits + row * memory.paddedClasses
            var largest = -Double.infinity
            for index in 0..<classCount { largest = max(largest, unsafe Double(values[index]) + biases[index]) }
            var total = 0.0
            for index in 0..<classCount {
                let weight = exp(unsafe Double(values[index]) + biases[index] - largest)
                total += weight
                if index == classes[first + row] {
                    sums.loss -= unsafe Double(values[index]) + biases[index] - largest
                }
                unsafe values[index] = Float(weight)
            }
            sums.loss += log(total)
            for index in 0..<classCount {
                let truth = index == classes[first + row] ? 1.0 : 0.0
                let error = unsafe Float(Double(values[index]) / total - truth)
                sums.biasSlopes[index] += Double(error)
                unsafe errors[index * columns.columns + row] = error
            }
        }
        // What rows are padded with, after another block may have been here.
        for index in 0..<classCount {
            for row in count..<columns.columns { unsafe errors[index * columns.columns + row] = 0 }
        }
        unsafe FloatTile.multiply(
            left: UnsafePointer(errors), leftCount: classCount, right: columns.start(of: 0),
            rightCount: columns.paddedCount, columns: columns.columns, into: memory.slopes(slot),
            stride: memory.paddedDimensions, scratch: memory.scratch(thread))
        return sums
    }

    @unsafe private func add(_ slopes: UnsafePointer<Float>, to sums: inout [SoftmaxValue.Lane], lanes: Int) {
        for index in 0..<classCount {
            let row = unsafe UnsafeRawPointer(slopes + index * memory.paddedDimensions)
            for lane in 0..<lanes {
                let values = unsafe row.loadUnaligned(fromByteOffset: 32 * lane, as: SIMD8<Float>.self)
                sums[index * lanes + lane] += SoftmaxValue.Lane(values)
            }
        }
    }
}

/// Work memory of all threads, and the slopes of the blocks that are computed at once.
@safe private final class BlockMemory: @unchecked Sendable {
    let slots: Int
    let paddedClasses: Int
    let paddedDimensions: Int
    private let memory: FloatMemory
    private let tileCount: Int
    private let perThread: Int
    private let threads: Int

    init(
        threads: Int, slots: Int, blockRows: Int, classes: Int, dimensions: Int, columns: Int
    ) throws(LinearError) {
        self.slots = slots
        self.threads = threads
        paddedClasses = VectorMatrix.padded(classes)
        paddedDimensions = VectorMatrix.padded(dimensions)
        tileCount = blockRows * paddedClasses
        let scratch = max(
            FloatTile.scratchByteCount(columns: columns), FloatTile.scratchByteCount(columns: blockRows))
        perThread = 2 * tileCount + scratch / MemoryLayout<Float>.stride
        memory = try FloatMemory(count: threads * perThread + slots * classes * paddedDimensions)
        slopeCount = classes * paddedDimensions
    }

    private let slopeCount: Int

    /// [rows of the block, paddedClasses]
    @unsafe func logits(_ thread: Int) -> UnsafeMutablePointer<Float> { unsafe memory.base + thread * perThread }

    /// [classes, rows of the block with their padding]
    @unsafe func errors(_ thread: Int) -> UnsafeMutablePointer<Float> {
        unsafe memory.base + thread * perThread + tileCount
    }

    @unsafe func scratch(_ thread: Int) -> UnsafeMutableRawPointer {
        unsafe UnsafeMutableRawPointer(memory.base + thread * perThread + 2 * tileCount)
    }

    /// [classes, paddedDimensions]
    @unsafe func slopes(_ slot: Int) -> UnsafeMutablePointer<Float> {
        unsafe memory.base + threads * perThread + slot * slopeCount
    }
}
