// Matrices of a training step: memory that is taken from a pool and goes back to it.
package import Q3Linear
import Synchronization

/// Numbers [rows, columns] in row-major order. Whoever holds one may change it; steps run on one thread, which hands
/// out rows.
@safe package final class Grid<Scalar: ProductScalar>: @unchecked Sendable {
    package let rows: Int
    package let columns: Int
    let base: UnsafeMutablePointer<Scalar>
    private let pool: GridPool<Scalar>

    /// What is in it is left over from others until it is written.
    init(_ rows: Int, _ columns: Int, from pool: GridPool<Scalar>) {
        self.rows = rows
        self.columns = columns
        self.pool = pool
        unsafe base = pool.take(max(1, rows * columns))
    }

    /// A matrix of its own, with these values.
    package convenience init(_ values: [Scalar], columns: Int, from pool: GridPool<Scalar> = GridPool()) {
        self.init(values.count / max(1, columns), columns, from: pool)
        precondition(values.count == count)
        for index in 0..<count { unsafe base[index] = values[index] }
    }

    deinit { unsafe pool.put(base, max(1, rows * columns)) }

    package var count: Int { rows * columns }
    package var values: [Scalar] { unsafe Array(UnsafeBufferPointer(start: base, count: count)) }

    /// The first value of a row.
    @unsafe package func row(_ row: Int) -> UnsafeMutablePointer<Scalar> {
        precondition(row >= 0 && row <= rows)
        return unsafe base + row * columns
    }

    package func clear() { unsafe base.update(repeating: 0, count: count) }

    /// Copies all of another matrix of the same size.
    func copy(_ other: Grid) {
        precondition(other.count == count)
        unsafe base.update(from: other.base, count: count)
    }

    /// The rows with these numbers.
    func gathered(_ numbers: [Int], from pool: GridPool<Scalar>) -> Grid {
        let result = Grid(numbers.count, columns, from: pool)
        for (row, number) in numbers.enumerated() {
            unsafe result.row(row).update(from: self.row(number), count: columns)
        }
        return result
    }

    /// Adds row i of another matrix to row `numbers[i]`.
    func scatterAdd(_ other: Grid, to numbers: [Int]) {
        precondition(other.columns == columns && other.rows == numbers.count)
        for (row, number) in numbers.enumerated() {
            let (target, source) = unsafe (self.row(number), other.row(row))
            for i in 0..<columns { unsafe target[i] += source[i] }
        }
    }
}

/// Memory of matrices that are gone, for the next ones: a step takes and gives back hundreds of megabytes, which the
/// system would have to clear each time.
@safe package final class GridPool<Scalar: ProductScalar>: Sendable {
    private let free = Mutex<[Int: [UInt]]>([:])

    package init() {}

    deinit {
        free.withLock { free in
            for address in free.values.joined() { unsafe UnsafeMutableRawPointer(bitPattern: address)?.deallocate() }
        }
    }

    /// Sizes in steps of an eighth, so that matrices of nearly the same size share memory.
    private static func rounded(_ count: Int) -> Int {
        var step = 16
        while step * 16 < count { step *= 2 }
        return (count + step - 1) / step * step
    }

    @unsafe fileprivate func take(_ count: Int) -> UnsafeMutablePointer<Scalar> {
        let size = Self.rounded(count)
        let address = free.withLock { $0[size]?.popLast() }
        if let address, let memory = unsafe UnsafeMutablePointer<Scalar>(bitPattern: address) { return unsafe memory }
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: size * MemoryLayout<Scalar>.stride, alignment: 64)
        return unsafe memory.bindMemory(to: Scalar.self, capacity: size)
    }

    @unsafe fileprivate func put(_ memory: UnsafeMutablePointer<Scalar>, _ count: Int) {
        let address = UInt(bitPattern: memory)
        free.withLock { $0[Self.rounded(count), default: []].append(address) }
    }
}
