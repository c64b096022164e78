// Small matrices in double precision, whose sums run in one order however many threads there are.
import Q3Kernels
import Synchronization

/// [count, columns], row-major; rows are padded with zeros to whole lanes.
struct RowMatrix: Sendable {
    typealias Lane = SIMD8<Double>

    let count: Int
    let columns: Int
    private let laneCount: Int
    /// [count, laneCount]
    private var lanes: [Lane]

    init(zeros count: Int, columns: Int) {
        self.count = count
        self.columns = columns
        laneCount = (columns + 7) / 8
        lanes = [Lane](repeating: .zero, count: count * laneCount)
    }

    /// Values row after row.
    init(_ values: [Double], columns: Int) {
        self.init(zeros: values.count / columns, columns: columns)
        for row in 0..<count {
            for column in 0..<columns { self[row, column] = values[row * columns + column] }
        }
    }

    /// The values row after row, without padding.
    var values: [Double] { (0..<count).flatMap { row in (0..<columns).map { self[row, $0] } } }

    /// left · rightᵀ: the dot products of all rows of one with all of the other, [left rows, right rows].
    init(products left: RowMatrix, _ right: RowMatrix, threads: Int) {
        precondition(left.columns == right.columns)
        self.init(zeros: left.count, columns: right.count)
        fillRows(threads: threads) { row, values in
            for other in 0..<right.count {
                values[other / 8][other % 8] = left.dot(row, right, other)
            }
        }
    }

    /// weights · rows: for each row of weights the sum of the rows, in their order, times their weights.
    init(sums weights: RowMatrix, of rows: RowMatrix, threads: Int) {
        precondition(weights.columns == rows.count)
        self.init(zeros: weights.count, columns: rows.columns)
        fillRows(threads: threads) { row, values in
            for other in 0..<rows.count {
                let weight = weights[row, other]
                guard weight != 0 else { continue }
                let factor = Lane(repeating: weight)
                let start = other * rows.laneCount
                for lane in values.indices { values[lane] += factor * rows.lanes[start + lane] }
            }
        }
    }

    /// Has each row computed once, by any thread.
    private mutating func fillRows(threads: Int, _ body: @Sendable (_ row: Int, _ values: inout [Lane]) -> Void) {
        guard count > 0, laneCount > 0 else { return }
        let size = laneCount
        let done = Mutex(lanes)
        Parallel.forEach(count: count, threads: max(1, threads)) { row, _ in
            var values = [Lane](repeating: .zero, count: size)
            body(row, &values)
            done.withLock { $0.replaceSubrange(row * size..<(row + 1) * size, with: values) }
        }
        lanes = done.withLock { $0 }
    }

    subscript(row: Int, column: Int) -> Double {
        get { lanes[row * laneCount + column / 8][column % 8] }
        set { lanes[row * laneCount + column / 8][column % 8] = newValue }
    }

    func dot(_ row: Int, _ other: RowMatrix, _ otherRow: Int) -> Double {
        let (a, b) = (row * laneCount, otherRow * laneCount)
        var sums = Lane.zero
        for lane in 0..<laneCount { sums += lanes[a + lane] * other.lanes[b + lane] }
        return sums.sum()
    }

    func picking(_ rows: [Int]) -> RowMatrix {
        var picked = RowMatrix(zeros: rows.count, columns: columns)
        for (number, row) in rows.enumerated() {
            for lane in 0..<laneCount { picked.lanes[number * laneCount + lane] = lanes[row * laneCount + lane] }
        }
        return picked
    }

    mutating func add(_ other: RowMatrix) {
        precondition(other.count == count && other.columns == columns)
        for lane in lanes.indices { lanes[lane] += other.lanes[lane] }
    }

    /// Adds a row of another matrix to one of this.
    mutating func add(_ other: RowMatrix, row otherRow: Int, to row: Int) {
        for lane in 0..<laneCount { lanes[row * laneCount + lane] += other.lanes[otherRow * laneCount + lane] }
    }

    var transposed: RowMatrix {
        var result = RowMatrix(zeros: columns, columns: count)
        for row in 0..<count { for column in 0..<columns { result[column, row] = self[row, column] } }
        return result
    }

    /// A square matrix and its transpose together.
    var withTransposeAdded: RowMatrix {
        var result = self
        for row in 0..<count { for column in 0..<columns { result[row, column] += self[column, row] } }
        return result
    }
}
