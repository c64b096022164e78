// All products of the rows of two matrices, a tile at a time on all threads, and never all of them in memory.
import Q3Kernels
import Q3Model
import Q3System
import Synchronization

/// Products of some rows of the left matrix with some of the right: products[i · stride + j].
@safe package struct Tile {
    package let left: Range<Int>
    package let right: Range<Int>
    package let products: UnsafePointer<Float>
    package let stride: Int
    fileprivate let found: UnsafeMutablePointer<UInt32>

    /// Calls `body` with the right row and the product of each pair with left row `left.lowerBound + row` that reaches `least`.
    package func forEach(inRow row: Int, atLeast least: Float, _ body: (_ right: Int, _ product: Float) -> Void) {
        let values = unsafe products + row * stride
        let count = unsafe FloatTile.find(atLeast: least, in: values, count: right.count, into: found)
        for index in 0..<count {
            let column = unsafe Int(found[index])
            body(right.lowerBound + column, unsafe values[column])
        }
    }

    /// The largest product of left row `left.lowerBound + row`, if it is above `least`, and the first right row that has it.
    package func largest(inRow row: Int, above least: Float) -> (right: Int, product: Float)? {
        let values = unsafe products + row * stride
        let largest = unsafe FloatTile.largest(of: values, count: right.count)
        guard largest > least else { return nil }
        let hits = unsafe FloatTile.find(atLeast: largest, in: values, count: right.count, into: found)
        guard hits > 0 else { return nil }
        let first = unsafe Int(found[0])
        return (right.lowerBound + first, largest)
    }

    /// The products of left row `left.lowerBound + row` with all right rows of the tile.
    package func row(_ row: Int) -> UnsafeBufferPointer<Float> {
        unsafe UnsafeBufferPointer(start: products + row * stride, count: right.count)
    }
}

/// How all tiles are visited.
package struct TileWalk: Sendable {
    package let left: VectorMatrix
    package let right: VectorMatrix
    /// Whether the matrices are the same, and only pairs (i, j) with i < j are wanted: tiles below the diagonal are left out, and
    /// those on it hold all pairs of their rows.
    package let isTriangle: Bool
    package let threads: Int

    private static let rightRows = 256
    /// Multiply-adds of a thread before others have their turn.
    private static let groupWork = 2e10
    /// Tiles of the left side fit a core's cache beside those of the right.
    private var leftRows: Int { left.columns <= 512 ? 256 : 128 }

    /// Throws `otherDimensions`, and `cannotStartThreads` where the system does not let them run.
    package init(
        left: VectorMatrix, right: VectorMatrix, isTriangle: Bool = false, threads: Int? = nil
    ) throws(LinearError) {
        try left.check(right)
        self.left = left
        self.right = right
        self.isTriangle = isTriangle
        self.threads = try Self.threadCount(threads)
    }

    /// As many threads as there are processors, or as are asked for.
    package static func threadCount(_ asked: Int?) throws(LinearError) -> Int {
        let threads = min(max(1, asked ?? processorCount), Team.threadLimit)
        let startable = Team.startableThreads(threads)
        guard startable == threads else { throw .cannotStartThreads(expected: threads, got: startable) }
        return threads
    }

    /// Multiply-adds of the whole walk.
    package var work: Double {
        let pairs = Double(left.count) * Double(right.count)
        return (isTriangle ? pairs / 2 : pairs) * Double(left.columns)
    }

    /// Visits all tiles. `start` makes the state of a block of left rows, `visit` sees the tiles of the block in the order of the
    /// right rows, and `end` makes of the state what is kept; the results come in the order of the blocks.
    ///
    /// `progress` is called on any thread with the part that is done. Throws `CancellationError` where the task is cancelled, after
    /// the blocks that are at work, and there what `checkpoint` throws.
    package func run<State, Result: Sendable>(
        start: @escaping @Sendable (_ left: Range<Int>) -> State,
        visit: @escaping @Sendable (inout State, Tile) -> Void, end: @escaping @Sendable (State) -> Result,
        progress: (@Sendable (Double) -> Void)? = nil, checkpoint: (@Sendable () throws -> Void)? = nil
    ) async throws -> [Result] {
        let blocks = (left.count + leftRows - 1) / leftRows
        let results = Mutex([Result?](repeating: nil, count: blocks))
        let done = Mutex(0.0)
        let total = max(work, 1)
        let thread = try InferenceThread.shared()
        // Between groups others may compute, and a cancelled walk ends: after half a second or so.
        let blockWork = max(1, Double(leftRows) * Double(right.count) * Double(left.columns))
        let group = max(threads, min(threads * 16, threads * Int(Self.groupWork / blockWork)))
        for first in Swift.stride(from: 0, to: blocks, by: group) {
            try Task.checkCancellation()
            try checkpoint?()
            let count = min(group, blocks - first)
            try await thread.run { [self] in
                let memory = try TileMemory(
                    threads: threads, left: leftRows, right: Self.rightRows, columns: left.columns)
                Parallel.forEach(count: count, threads: threads) { item, thread in
                    let block = first + item
                    let rows = block * leftRows..<min((block + 1) * leftRows, left.count)
                    var state = start(rows)
                    var computed = 0.0
                    let firstRight = isTriangle ? rows.lowerBound / Self.rightRows * Self.rightRows : 0
                    for column in Swift.stride(from: firstRight, to: right.count, by: Self.rightRows) {
                        let columns = column..<min(column + Self.rightRows, right.count)
                        let tile = unsafe multiply(rows, columns, memory, thread)
                        visit(&state, tile)
                        computed += Double(rows.count * columns.count * left.columns)
                    }
                    let result = end(state)
                    results.withLock { $0[block] = result }
                    if let progress {
                        let part = done.withLock { done in
                            done += computed
                            return done / total
                        }
                        progress(min(part, 1))
                    }
                }
            }
        }
        return results.withLock { $0.compactMap { $0 } }
    }

    /// Seconds that the products of the walk take here, from a few tiles of it.
    package func estimatedSeconds() async throws -> Double {
        let rows = 0..<min(leftRows, left.count)
        let columns = 0..<min(Self.rightRows, right.count)
        guard !rows.isEmpty, !columns.isEmpty else { return 0 }
        return try await InferenceThread.shared().run { [self] in
            let memory = try TileMemory(threads: threads, left: leftRows, right: Self.rightRows, columns: left.columns)
            let start = ContinuousClock.now
            var tiles = 0
            repeat {
                Parallel.forEach(count: threads, threads: threads) { _, thread in
                    _ = unsafe multiply(rows, columns, memory, thread)
                }
                tiles += threads
            } while ContinuousClock.now - start < .milliseconds(30)
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            return work / (Double(tiles * rows.count * columns.count * left.columns) / seconds)
        }
    }

    @unsafe private func multiply(
        _ rows: Range<Int>, _ columns: Range<Int>, _ memory: TileMemory, _ thread: Int
    ) -> Tile {
        let products = unsafe memory.products(thread)
        unsafe FloatTile.multiply(
            left: left.start(of: rows.lowerBound), leftCount: rows.count, right: right.start(of: columns.lowerBound),
            rightCount: VectorMatrix.padded(columns.count), columns: left.columns, into: products,
            stride: Self.rightRows, scratch: memory.scratch(thread))
        return unsafe Tile(
            left: rows, right: columns, products: UnsafePointer(products), stride: Self.rightRows,
            found: memory.found(thread))
    }
}

/// Work memory of all threads.
@safe private final class TileMemory: @unchecked Sendable {
    private let memory: FloatMemory
    private let perThread: Int
    private let productCount: Int
    private let foundCount: Int

    init(threads: Int, left: Int, right: Int, columns: Int) throws(LinearError) {
        productCount = left * right
        foundCount = right
        perThread =
            productCount + foundCount + FloatTile.scratchByteCount(columns: columns) / MemoryLayout<Float>.stride
        memory = try FloatMemory(count: threads * perThread)
    }

    @unsafe func products(_ thread: Int) -> UnsafeMutablePointer<Float> { unsafe memory.base + thread * perThread }

    @unsafe func found(_ thread: Int) -> UnsafeMutablePointer<UInt32> {
        unsafe UnsafeMutableRawPointer(memory.base + thread * perThread + productCount)
            .assumingMemoryBound(to: UInt32.self)
    }

    @unsafe func scratch(_ thread: Int) -> UnsafeMutableRawPointer {
        unsafe UnsafeMutableRawPointer(memory.base + thread * perThread + productCount + foundCount)
    }
}
