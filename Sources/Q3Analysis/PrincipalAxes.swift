// The directions in which vectors differ most, for maps of them.
import Q3Linear
import Q3System

/// Principal component analysis: the axes of the largest variance, by subspace iteration on the covariance.
struct PrincipalAxes {
    /// Axes [count][dimensions], orthogonal and of unit length, that of the largest variance first.
    let axes: [[Double]]
    /// Variance along each axis.
    let variances: [Double]
    /// Variance of all dimensions together.
    let totalVariance: Double
    private let mean: [Double]

    /// Axes that are iterated beside those wanted, so that near-equal ones do not slow them down.
    private static let extra = 6
    private static let roundLimit = 300

    /// The first `count` axes of the rows; fewer where there are fewer dimensions.
    init(_ vectors: VectorMatrix, count: Int, threads: Int? = nil) async throws {
        let dimensions = vectors.dimensions
        let (mean, covariance) = try await Self.covariance(vectors, threads: threads)
        let width = min(count + Self.extra, dimensions)
        var random = SeededGenerator(seed: 0)
        var basis = (0..<width).map { _ in (0..<dimensions).map { _ in Double.random(in: -1...1, using: &random) } }
        Self.orthonormalize(&basis)
        var variances = [Double](repeating: 0, count: width)
        for _ in 0..<Self.roundLimit {
            let images = basis.map { Self.product(covariance, $0, dimensions) }
            let small = basis.map { a in images.map { b in Self.dot(a, b) } }
            let (values, turns) = SymmetricEigen.solve(small)
            // The best axes within the subspace, and where the covariance takes them.
            let rotated = { (rows: [[Double]]) in
                turns.map { weights in
                    var sum = [Double](repeating: 0, count: dimensions)
                    for (weight, row) in zip(weights, rows) {
                        for index in 0..<dimensions { sum[index] += weight * row[index] }
                    }
                    return sum
                }
            }
            let (axes, next) = (rotated(basis), rotated(images))
            let largest = max(values.first ?? 0, 1e-300)
            var error = 0.0
            for axis in 0..<min(count, width) {
                var squares = 0.0
                for index in 0..<dimensions {
                    let off: Double = next[axis][index] - values[axis] * axes[axis][index]
                    squares += off * off
                }
                error = max(error, squares)
            }
            (basis, variances) = (axes, values)
            if error.squareRoot() <= 1e-9 * largest { break }
            basis = next
            Self.orthonormalize(&basis)
        }
        let kept = min(count, width)
        // Which way an axis points is free: its largest value is positive.
        axes = basis.prefix(kept).map { axis in
            let largest = axis.max { abs($0) < abs($1) } ?? 1
            return largest < 0 ? axis.map { -$0 } : axis
        }
        self.variances = Array(variances.prefix(kept))
        totalVariance = (0..<dimensions).reduce(0) { $0 + covariance[$1 * dimensions + $1] }
        self.mean = mean
    }

    /// The place of a row on each axis.
    func place(_ row: [Float]) -> [Double] {
        axes.map { axis in
            var sum = 0.0
            for index in row.indices { sum += (Double(row[index]) - mean[index]) * axis[index] }
            return sum
        }
    }

    /// The mean and the covariance [dimensions · dimensions], summed over pieces of rows in double precision.
    private static func covariance(
        _ vectors: VectorMatrix, threads: Int?
    ) async throws -> (mean: [Double], covariance: [Double]) {
        let dimensions = vectors.dimensions
        var mean = [Double](repeating: 0, count: dimensions)
        var sums = [Double](repeating: 0, count: dimensions * dimensions)
        let scale = 1 / Double(max(vectors.count, 1))
        for first in stride(from: 0, to: vectors.count, by: 4096) {
            let rows = first..<min(first + 4096, vectors.count)
            var columns = [[Float]](repeating: [Float](repeating: 0, count: rows.count), count: dimensions)
            for row in rows {
                for (index, value) in vectors[row].enumerated() {
                    columns[index][row - first] = value
                    mean[index] += Double(value) * scale
                }
            }
            let piece = try VectorMatrix(columns)
            let walk = try TileWalk(left: piece, right: piece, threads: threads)
            let tiles: [[Float]] = try await walk.run(
                start: { rows in [Float](repeating: 0, count: rows.count * dimensions) },
                visit: { products, tile in
                    for row in 0..<tile.left.count {
                        for (index, value) in unsafe Array(tile.row(row)).enumerated() {
                            products[row * dimensions + tile.right.lowerBound + index] = value
                        }
                    }
                }, end: { products in products })
            var place = 0
            for tile in tiles {
                for value in tile {
                    sums[place] += Double(value) * scale
                    place += 1
                }
            }
        }
        for a in 0..<dimensions { for b in 0..<dimensions { sums[a * dimensions + b] -= mean[a] * mean[b] } }
        return (mean, sums)
    }

    private static func product(_ matrix: [Double], _ vector: [Double], _ size: Int) -> [Double] {
        (0..<size).map { row in
            var sum = 0.0
            let start = row * size
            for index in 0..<size { sum += matrix[start + index] * vector[index] }
            return sum
        }
    }

    private static func dot(_ a: [Double], _ b: [Double]) -> Double {
        var sum = 0.0
        for index in a.indices { sum += a[index] * b[index] }
        return sum
    }

    /// Gram-Schmidt, twice for its rounding; a row that is nothing new becomes a unit vector that no other has.
    private static func orthonormalize(_ rows: inout [[Double]]) {
        for row in rows.indices {
            for attempt in 0..<rows[row].count + 1 {
                for _ in 0..<2 {
                    for other in 0..<row {
                        let shared = dot(rows[row], rows[other])
                        for index in rows[row].indices { rows[row][index] -= shared * rows[other][index] }
                    }
                }
                let length = dot(rows[row], rows[row]).squareRoot()
                if length > 1e-12 {
                    rows[row] = rows[row].map { $0 / length }
                    break
                }
                rows[row] = rows[row].indices.map { $0 == attempt ? 1 : 0 }
            }
        }
    }
}

/// Eigenvectors of small symmetric matrices, by Jacobi's rotations.
enum SymmetricEigen {
    /// Eigenvalues, the largest first, and the eigenvector of each.
    static func solve(_ matrix: [[Double]]) -> (values: [Double], vectors: [[Double]]) {
        let size = matrix.count
        var a = matrix
        var vectors = (0..<size).map { row in (0..<size).map { $0 == row ? 1.0 : 0.0 } }
        for _ in 0..<100 {
            var off = 0.0
            for row in 0..<size { for column in 0..<row { off += a[row][column] * a[row][column] } }
            let diagonal = (0..<size).reduce(0.0) { $0 + a[$1][$1] * a[$1][$1] }
            if off <= 1e-30 * diagonal || off == 0 { break }
            for p in 0..<size {
                for q in (p + 1)..<max(size, p + 1) where a[p][q] != 0 {
                    let theta = (a[q][q] - a[p][p]) / (2 * a[p][q])
                    let tangent = (theta < 0 ? -1 : 1) / (abs(theta) + (theta * theta + 1).squareRoot())
                    let cosine = 1 / (tangent * tangent + 1).squareRoot()
                    let sine = tangent * cosine
                    for k in 0..<size {
                        (a[k][p], a[k][q]) = (cosine * a[k][p] - sine * a[k][q], sine * a[k][p] + cosine * a[k][q])
                    }
                    for k in 0..<size {
                        (a[p][k], a[q][k]) = (cosine * a[p][k] - sine * a[q][k], sine * a[p][k] + cosine * a[q][k])
                        (vectors[p][k], vectors[q][k]) = (
                            cosine * vectors[p][k] - sine * vectors[q][k], sine * vectors[p][k] + cosine * vectors[q][k]
                        )
                    }
                }
            }
        }
        let order = (0..<size).sorted { a[$0][$0] > a[$1][$1] }
        return (order.map { a[$0][$0] }, order.map { vectors[$0] })
    }
}
