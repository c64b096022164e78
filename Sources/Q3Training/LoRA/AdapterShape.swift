// Which matrices an adapter changes, how far, and where their factors lie in one list of parameters.
package import Q3Model

/// A matrix of a layer that an adapter can change.
public enum Projection: String, Sendable, CaseIterable, Hashable {
    /// Queries, [headCount * headDim, hiddenSize].
    case q
    /// Keys, [keyValueHeadCount * headDim, hiddenSize].
    case k
    /// Values, [keyValueHeadCount * headDim, hiddenSize].
    case v
    /// The attention's output, [hiddenSize, headCount * headDim].
    case o
    /// What the feed-forward block multiplies by after SiLU, [intermediateSize, hiddenSize].
    case gate
    /// The feed-forward block's values, [intermediateSize, hiddenSize].
    case up
    /// The feed-forward block's output, [hiddenSize, intermediateSize].
    case down

    /// PEFT's name for it, in a layer of Hugging Face's `Qwen3Model`.
    package var module: String {
        switch self {
        case .q, .k, .v, .o: "self_attn.\(rawValue)_proj"
        case .gate, .up, .down: "mlp.\(rawValue)_proj"
        }
    }

    /// Its tensor in GGUF.
    package var part: Qwen3Schema.Part {
        switch self {
        case .q: .q
        case .k: .k
        case .v: .v
        case .o: .attnOut
        case .gate: .gate
        case .up: .up
        case .down: .ffnDown
        }
    }

    /// Outputs and inputs of the matrix.
    package func size(in config: Qwen3Config) -> (outputs: Int, inputs: Int) {
        switch self {
        case .q: (config.queryWidth, config.hiddenSize)
        case .k, .v: (config.keyWidth, config.hiddenSize)
        case .o: (config.hiddenSize, config.queryWidth)
        case .gate, .up: (config.ffnSize, config.hiddenSize)
        case .down: (config.hiddenSize, config.ffnSize)
        }
    }
}

/// The factors of every matrix that is changed: W + scale · B · A, with A [rank, inputs] and B [outputs, rank].
///
/// All parameters are one list. A lies there with its rows padded by zero rows to a multiple of 16, and so does the
/// transpose of B: what is padded has no gradient, so it stays zero.
package struct AdapterShape: Sendable, Equatable {
    package let rank: Int
    package let alpha: Double
    /// The layers that are trained, of the whole model.
    package let layers: Range<Int>
    package let projections: [Projection]
    package let paddedRank: Int
    /// Numbers in the list.
    package let count: Int
    private let places: [Place]

    private struct Place: Equatable {
        let down: Int
        let up: Int
        let outputs: Int
        let inputs: Int
    }

    package init(rank: Int, alpha: Double, layers: Range<Int>, projections: Set<Projection>, config: Qwen3Config) {
        self.rank = rank
        self.alpha = alpha
        self.layers = layers
        self.projections = Projection.allCases.filter(projections.contains)
        let padded = (rank + 15) / 16 * 16
        paddedRank = padded
        var next = 0
        var places: [Place] = []
        for _ in layers {
            for projection in self.projections {
                let (outputs, inputs) = projection.size(in: config)
                places.append(Place(down: next, up: next + padded * inputs, outputs: outputs, inputs: inputs))
                next += padded * (inputs + outputs)
            }
        }
        self.places = places
        count = next
    }

    /// What B · A is multiplied with.
    package var scale: Double { alpha / Double(rank) }

    /// Where the factors of a matrix begin: A [paddedRank, inputs] and Bᵀ [paddedRank, outputs]. Nil for one that is
    /// not changed.
    package func place(of projection: Projection, layer: Int) -> (down: Int, up: Int, outputs: Int, inputs: Int)? {
        guard layers.contains(layer), let index = projections.firstIndex(of: projection) else { return nil }
        let place = places[(layer - layers.lowerBound) * projections.count + index]
        return (place.down, place.up, place.outputs, place.inputs)
    }

    /// Every matrix that is changed, in the order of the list.
    package var matrices: [(layer: Int, projection: Projection)] {
        layers.flatMap { layer in projections.map { (layer, $0) } }
    }
}
