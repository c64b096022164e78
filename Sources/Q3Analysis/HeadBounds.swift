// Bounds of similarities from the first values of vectors, so that most pairs need no whole product.
import Q3Linear

/// Vectors [count, width] whose dot products are at least those of the unit vectors that they were made of.
///
/// A row has the first width - 1 values of its vector and the length of the rest: by Cauchy's inequality the rest of two vectors
/// adds at most the product of their lengths. Pairs that cannot reach a threshold are ruled out by a short product, and the others
/// looked at in full, so that nothing is missed.
struct HeadBounds {
    let rows: VectorMatrix
    /// What the products of `rows` may be below the similarity by rounding; whole vectors have that error too.
    static let slack: Float = 1e-4

    private static let widths = [32, 64, 96, 128, 192, 256, 384, 512, 768, 1024]
    /// Looking at a pair in full costs about as much as so many columns of a product of tiles, for each of its columns.
    private static let pairCost = 20.0
    /// Rows that the width is chosen by.
    private static let sampleCount = 768

    /// The rows themselves, which bound most closely.
    init(whole rows: VectorMatrix) { self.rows = rows }

    /// Bytes of the shortest heads of rows that are compared with others. Longer ones are asked for when the rows have chosen them.
    static func byteCount(rows: Int, others: Int, dimensions: Int) -> Int {
        let isSampled = max(rows, others) > 2 * sampleCount
        return isSampled && dimensions > widths[0] ? MemoryNeed.rows(rows, dimensions: widths[0]) : 0
    }

    private init(_ vectors: VectorMatrix, width: Int) throws(LinearError) {
        var builder = try VectorMatrixBuilder(dimensions: width, capacity: vectors.count)
        var head = [Float](repeating: 0, count: width)
        for row in 0..<vectors.count {
            let values = unsafe vectors.start(of: row)
            for index in 0..<(width - 1) { head[index] = unsafe values[index] }
            var squares = 0.0
            for index in (width - 1)..<vectors.dimensions {
                let value = unsafe Double(values[index])
                squares += value * value
            }
            head[width - 1] = Float(squares.squareRoot() * (1 + 1e-6))
            try builder.append(head)
        }
        rows = builder.finish()
    }

    /// Bounds for both sides of a comparison, of the width that makes finding pairs above a threshold cheapest by a sample.
    static func pair(
        _ left: VectorMatrix, _ right: VectorMatrix, threshold: Float, threads: Int?
    ) async throws -> (left: HeadBounds, right: HeadBounds) {
        let whole = (left: HeadBounds(whole: left), right: HeadBounds(whole: right))
        guard left.count > 2 * sampleCount || right.count > 2 * sampleCount else { return whole }
        let samples = (try left.sample(sampleCount), try right.sample(sampleCount))
        var best = (cost: Double.infinity, width: left.dimensions)
        for width in widths.filter({ $0 < left.columns }) + [left.dimensions] {
            let isWhole = width == left.dimensions
            let rows = isWhole ? samples.0 : try HeadBounds(samples.0, width: width).rows
            let others = isWhole ? samples.1 : try HeadBounds(samples.1, width: width).rows
            let walk = try TileWalk(left: rows, right: others, threads: threads)
            let counts = try await walk.run(
                start: { _ in 0 },
                visit: { count, tile in
                    for row in 0..<tile.left.count {
                        tile.forEach(inRow: row, atLeast: threshold - slack) { _, _ in count += 1 }
                    }
                }, end: { $0 })
            // A row of the sample meets itself where both sides are one.
            let found = max(0, counts.reduce(0, +) - min(rows.count, others.count))
            let share = Double(found) / (Double(rows.count) * Double(others.count))
            let cost = Double(rows.columns) + share * pairCost * Double(left.columns)
            if cost < best.cost { best = (cost, width) }
        }
        guard best.width < left.dimensions else { return whole }
        return (try HeadBounds(left, width: best.width), try HeadBounds(right, width: best.width))
    }
}

extension VectorMatrix {
    /// At most `limit` rows, evenly spread.
    func sample(_ limit: Int) throws(LinearError) -> VectorMatrix {
        let taken = min(limit, count)
        return try rows((0..<taken).map { $0 * count / max(taken, 1) })
    }
}
