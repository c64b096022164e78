// Several adapters of one model as one: what they do to a vector, added up in shares.
import Q3Model

extension EmbeddingAdapter {
    /// The dot product of what two adapters of the same dimensions change: of the matrices B A, by their values.
    package func product(_ other: EmbeddingAdapter) -> Double {
        precondition(dimensions == other.dimensions)
        func products(_ a: [Float], _ b: [Float], _ row: Int, _ otherRow: Int) -> Double {
            var sum = 0.0
            for index in 0..<dimensions {
                sum += Double(a[row * dimensions + index]) * Double(b[otherRow * dimensions + index])
            }
            return sum
        }
        var sum = 0.0
        for row in 0..<rank {
            for otherRow in 0..<other.rank {
                sum += products(down, other.down, row, otherRow) * products(up, other.up, row, otherRow)
            }
        }
        return sum
    }

    /// The adapter that changes a vector by the sum of what `adapters` change, times `factors`. Its rank is the sum of theirs.
    ///
    /// Throws `EmbeddingError.badAdapter` for adapters of different models, sizes or scopes, and where the rank gets too large.
    package static func sum(
        of adapters: [EmbeddingAdapter], factors: [Double], notes: [String: String]
    ) throws(EmbeddingError) -> EmbeddingAdapter {
        func fault(_ what: String) -> EmbeddingError { .badAdapter(path: "the merged adapter", fault: what) }
        guard let first = adapters.first, factors.count == adapters.count else { throw fault("there is none to merge") }
        for other in adapters.dropFirst() {
            guard other.model == first.model else {
                throw .otherModel(adapter: "an adapter", expected: "\(other.model)", got: "\(first.model)")
            }
            guard other.dimensions == first.dimensions else {
                throw fault(
                    "adapters for vectors of \(first.dimensions) and of \(other.dimensions) values do not add up")
            }
            guard other.scope == first.scope else {
                throw fault("one adapter changes queries alone, and another one documents too")
            }
        }
        return try EmbeddingAdapter(
            model: first.model, dimensions: first.dimensions, rank: adapters.reduce(0) { $0 + $1.rank },
            scope: first.scope,
            instruction: adapters.allSatisfy { $0.instruction == first.instruction } ? first.instruction : nil,
            notes: notes, down: adapters.flatMap(\.down),
            up: zip(adapters, factors).flatMap { adapter, factor in adapter.up.map { Float(Double($0) * factor) } })
    }
}
