// A matrix of vectors, laid out for dot products that are exact to the last bit of a float.
package import Q3Linear

/// Vectors of one size, a row each: [count, dimensions], row-major, each row padded with zeros to whole lanes.
package struct Vectors: Sendable {
    package typealias Lane = SIMD8<Float>

    package let dimensions: Int
    package private(set) var count = 0
    /// [count, laneCount]
    private var lanes: [Lane] = []

    /// Lanes of a row.
    package var laneCount: Int { (dimensions + 7) / 8 }

    package init(dimensions: Int, capacity: Int = 0) {
        self.dimensions = dimensions
        lanes.reserveCapacity(capacity * ((dimensions + 7) / 8))
    }

    package init(_ rows: [[Float]]) {
        self.init(dimensions: rows.first?.count ?? 0, capacity: rows.count)
        for row in rows { append(row) }
    }

    /// Adds a row of `dimensions` values, a precondition.
    package mutating func append(_ vector: [Float]) {
        precondition(vector.count == dimensions, "a vector of \(vector.count) dimensions among \(dimensions)")
        for start in stride(from: 0, to: dimensions, by: 8) {
            var lane = Lane.zero
            for index in start..<min(start + 8, dimensions) { lane[index - start] = vector[index] }
            lanes.append(lane)
        }
        count += 1
    }

    /// A row's lanes.
    package subscript(row: Int) -> ArraySlice<Lane> { lanes[row * laneCount..<(row + 1) * laneCount] }

    package func rows(_ indices: [Int]) -> Vectors {
        var picked = Vectors(dimensions: dimensions, capacity: indices.count)
        for index in indices {
            picked.lanes += self[index]
            picked.count += 1
        }
        return picked
    }

    package var rowNumbers: Range<Int> { 0..<count }

    /// A copy that is laid out for products of tiles.
    package func matrix() throws(LinearError) -> VectorMatrix {
        var builder = try VectorMatrixBuilder(dimensions: dimensions, capacity: count)
        for row in rowNumbers { try builder.append(Array(self[row].flatMap(\.values).prefix(dimensions))) }
        return builder.finish()
    }

    /// The dot product of a row and one of another matrix of the same size. Products of floats are exact in double
    /// precision and their sum nearly is, so that rounding makes no ties and hides none.
    package func dot(_ row: Int, _ other: Vectors, _ otherRow: Int) -> Double {
        let (a, b) = (row * laneCount, otherRow * laneCount)
        var sums = SIMD8<Double>.zero
        for lane in 0..<laneCount { sums += SIMD8(lanes[a + lane]) * SIMD8(other.lanes[b + lane]) }
        return sums.sum()
    }

    /// How a row and one of another matrix compare: the cosine, and the Manhattan and Euclidean distance.
    package func comparison(
        _ row: Int, _ other: Vectors, _ otherRow: Int
    ) -> (cosine: Double, manhattan: Double, euclidean: Double) {
        let norms = dot(row, self, row) * other.dot(otherRow, other, otherRow)
        var (manhattan, squares) = (SIMD8<Double>.zero, SIMD8<Double>.zero)
        for (x, y) in zip(self[row], other[otherRow]) {
            let difference = SIMD8<Double>(x) - SIMD8<Double>(y)
            squares += difference * difference
            manhattan += difference.replacing(with: -difference, where: difference .< 0)
        }
        let cosine = norms > 0 ? dot(row, other, otherRow) / norms.squareRoot() : 0
        return (cosine, manhattan.sum(), squares.sum().squareRoot())
    }
}

extension SIMD8<Float> {
    fileprivate var values: [Float] { indices.map { self[$0] } }
}
