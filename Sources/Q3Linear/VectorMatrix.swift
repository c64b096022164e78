// Many vectors of one size in memory, laid out for products of tiles.
import Q3Kernels
import Q3System

/// Vectors [count, dimensions] in f32, a row each.
///
/// Rows are padded with zeros to whole blocks of 32 columns, and there are zero rows up to a multiple of 16. Made by a
/// `VectorMatrixBuilder`, which also says what is wrong with a row; immutable after that.
@safe public struct VectorMatrix: Sendable {
    /// The most values of a row.
    public static let dimensionLimit = 1 << 16

    /// Rows.
    public let count: Int
    /// Values of a row.
    public let dimensions: Int
    /// Values of a row with its padding.
    package let columns: Int
    private let memory: FloatMemory

    fileprivate init(count: Int, dimensions: Int, columns: Int, memory: FloatMemory) {
        self.count = count
        self.dimensions = dimensions
        self.columns = columns
        self.memory = memory
    }

    /// Copies rows of equal sizes. Throws `LinearError` for rows of different sizes, none at all, and without memory.
    public init(_ rows: [[Float]]) throws(LinearError) {
        var builder = try VectorMatrixBuilder(dimensions: rows.first?.count ?? 0, capacity: rows.count)
        for row in rows { try builder.append(row) }
        self = builder.finish()
    }

    /// The values of a row; the row is within 0..<count, a precondition.
    public subscript(row: Int) -> [Float] {
        unsafe Array(UnsafeBufferPointer(start: start(of: row), count: dimensions))
    }

    /// The first value of a row. Rows up to the next multiple of 16 may be asked for.
    @unsafe package func start(of row: Int) -> UnsafePointer<Float> {
        precondition(row >= 0 && row <= paddedCount)
        return unsafe UnsafePointer(memory.base + row * columns)
    }

    /// Rows with the zero rows at the end.
    package var paddedCount: Int { Self.padded(count) }

    static func padded(_ count: Int) -> Int {
        (count + FloatTile.rightMultiple - 1) / FloatTile.rightMultiple * FloatTile.rightMultiple
    }

    /// Values of a row with its padding.
    static func padded(columns: Int) -> Int {
        (columns + FloatTile.columnMultiple - 1) / FloatTile.columnMultiple * FloatTile.columnMultiple
    }

    /// The dot product of two rows, of this and of another matrix of the same dimensions (a precondition). Products of floats
    /// are exact in double precision, and their sum nearly is.
    package func dot(_ row: Int, _ other: VectorMatrix, _ otherRow: Int) -> Double {
        precondition(dimensions == other.dimensions)
        return unsafe Self.dot(start(of: row), other.start(of: otherRow), columns)
    }

    @unsafe package static func dot(
        _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ columns: Int
    ) -> Double {
        var sums = SIMD8<Double>.zero
        for start in stride(from: 0, to: columns, by: 8) {
            let x = unsafe UnsafeRawPointer(a + start).loadUnaligned(as: SIMD8<Float>.self)
            let y = unsafe UnsafeRawPointer(b + start).loadUnaligned(as: SIMD8<Float>.self)
            sums += SIMD8<Double>(x) * SIMD8<Double>(y)
        }
        return sums.sum()
    }

    /// The rows with these numbers, in their order.
    package func rows(_ indices: some Collection<Int>) throws(LinearError) -> VectorMatrix {
        var builder = try VectorMatrixBuilder(dimensions: dimensions, capacity: indices.count)
        for index in indices { unsafe try builder.append(start(of: index)) }
        return builder.finish()
    }

    /// The rows in unit length; one that has it already keeps its bits, and where all have it there is no copy. Throws `notFinite`
    /// and `zeroVector`, naming the first row of that kind.
    public func normalized() throws(LinearError) -> VectorMatrix {
        // What a model makes is of unit length up to the rounding of its values.
        let isUnit = { (squares: Double) in abs(squares - 1) < 2e-6 }
        if (0..<count).allSatisfy({ isUnit(dot($0, self, $0)) }) { return self }
        var builder = try VectorMatrixBuilder(dimensions: dimensions, capacity: count)
        for row in 0..<count {
            let values = unsafe start(of: row)
            let squares = unsafe Self.dot(values, values, columns)
            guard squares.isFinite else { throw .notFinite(row: row) }
            guard squares > 0 else { throw .zeroVector(row: row) }
            if isUnit(squares) {
                unsafe try builder.append(values)
            } else {
                let scale = 1 / squares.squareRoot()
                try builder.append((0..<dimensions).map { unsafe Float(Double(values[$0]) * scale) })
            }
        }
        return builder.finish()
    }

    /// Throws `otherDimensions` for vectors that cannot be compared with these.
    package func check(_ other: VectorMatrix) throws(LinearError) {
        guard other.dimensions == dimensions else { throw .otherDimensions(dimensions, other.dimensions) }
    }
}

/// Collects the rows of a `VectorMatrix`.
public struct VectorMatrixBuilder {
    /// Values of a row.
    public let dimensions: Int
    /// Rows so far.
    public private(set) var count = 0
    private let columns: Int
    private var memory: FloatMemory

    /// For rows of `dimensions` values; memory for `capacity` of them is asked for at once. Throws `badDimensions` and
    /// `outOfMemory`.
    public init(dimensions: Int, capacity: Int = 0) throws(LinearError) {
        guard 1...VectorMatrix.dimensionLimit ~= dimensions else { throw .badDimensions(dimensions) }
        self.dimensions = dimensions
        columns = VectorMatrix.padded(columns: dimensions)
        let (floats, overflow) = VectorMatrix.padded(max(capacity, 16)).multipliedReportingOverflow(by: columns)
        guard !overflow else { throw .outOfMemory(byteCount: .max) }
        memory = try FloatMemory(count: floats)
    }

    /// Adds a row. Throws `dimensions` for one of another size, `outOfMemory` where the rows outgrow the memory.
    public mutating func append(_ row: [Float]) throws(LinearError) {
        guard row.count == dimensions else { throw .dimensions(row: count, expected: dimensions, got: row.count) }
        try grow()
        for (index, value) in row.enumerated() { unsafe memory.base[count * columns + index] = value }
        count += 1
    }

    /// Adds a row of `dimensions` values.
    @unsafe package mutating func append(_ row: UnsafePointer<Float>) throws(LinearError) {
        try grow()
        unsafe (memory.base + count * columns).update(from: row, count: dimensions)
        count += 1
    }

    /// Room for one more row, and for zero rows after it.
    private mutating func grow() throws(LinearError) {
        let needed = VectorMatrix.padded(count + 1) * columns
        guard needed > memory.count else { return }
        let larger = try FloatMemory(count: max(needed, memory.count / 2 * 3))
        unsafe larger.base.update(from: memory.base, count: count * columns)
        memory = larger
    }

    /// The matrix; the builder is not used after that.
    public consuming func finish() -> VectorMatrix {
        VectorMatrix(count: count, dimensions: dimensions, columns: columns, memory: memory)
    }
}

/// Zeroed floats straight from the system, which gives pages only where they are written.
@safe package final class FloatMemory: @unchecked Sendable {
    package let count: Int
    package let base: UnsafeMutablePointer<Float>

    package init(count: Int) throws(LinearError) {
        self.count = max(count, 16)
        let (byteCount, overflow) = self.count.multipliedReportingOverflow(by: MemoryLayout<Float>.stride)
        guard !overflow else { throw .outOfMemory(byteCount: .max) }
        // What is left after it must be enough for small objects, whose end would be that of the process.
        try MemoryNeed.check(byteCount)
        let map = unsafe mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0)
        guard let map = unsafe map, unsafe map != MAP_FAILED else { throw .outOfMemory(byteCount: byteCount) }
        unsafe base = map.bindMemory(to: Float.self, capacity: self.count)
    }

    deinit { unsafe munmap(base, count * MemoryLayout<Float>.stride) }
}
