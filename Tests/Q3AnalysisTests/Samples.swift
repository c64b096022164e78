// Vectors for the tests of analysis: random ones, and clouds around centers.
import Q3Linear
import Q3System

enum Samples {
    /// Random rows of unit length.
    static func random(_ count: Int, _ dimensions: Int, seed: UInt64) throws -> VectorMatrix {
        var random = SeededGenerator(seed: seed)
        return try VectorMatrix(
            (0..<count).map { _ in (0..<dimensions).map { _ in Float.random(in: -1...1, using: &random) } }
        ).normalized()
    }

    /// Rows around `centers` random centers, and the center of each: the smaller `spread`, the nearer they are.
    static func clouds(
        _ count: Int, _ dimensions: Int, centers: Int, spread: Float, seed: UInt64
    ) throws -> (rows: VectorMatrix, labels: [Int]) {
        var random = SeededGenerator(seed: seed)
        let middles = (0..<centers).map { _ in
            (0..<dimensions).map { _ in Float.random(in: -1...1, using: &random) }
        }
        let labels = (0..<count).map { _ in Int.random(in: 0..<centers, using: &random) }
        let rows = labels.map { label in
            middles[label].map { $0 + Float.random(in: -spread...spread, using: &random) }
        }
        return (try VectorMatrix(rows).normalized(), labels)
    }
}
