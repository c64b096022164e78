// The layers that are trained and the norm after them, forward and backward, for one chunk of texts.
import Q3Kernels
package import Q3Linear
package import Q3Model

/// The last layers of a model with an adapter.
///
/// A chunk of texts goes through `forward`, which gives the state of each text's last token after the final norm, and
/// what `backward` needs to turn the gradient of those states into that of the adapter's parameters. The last layer
/// computes queries and everything after them for the last tokens only.
package final class LayerStack<Scalar: ProductScalar>: Sendable {
    let config: Qwen3Config
    package let shape: AdapterShape
    let team: ProductTeam
    let pool: GridPool<Scalar>
    private let layers: [LayerWeights<Scalar>]
    private let outputNorm: Grid<Scalar>
    private let cosines, sines: Grid<Scalar>  // [positions, headDim / 2]
    var epsilon: Scalar { Scalar(config.rmsNormEpsilon) }

    /// Reads the weights of the layers that `shape` names, which are the model's last ones. `longest` is the most
    /// tokens of a text.
    package init(_ model: Qwen3Model, shape: AdapterShape, longest: Int, team: ProductTeam) throws {
        precondition(shape.layers.upperBound == model.config.layerCount && !shape.layers.isEmpty)
        config = model.config
        self.shape = shape
        self.team = team
        pool = GridPool()
        layers = try shape.layers.map { try LayerWeights(model, layer: $0) }
        outputNorm = try Grid(tensor: Qwen3Schema.Tensor(.outputNorm), of: model)
        let rotations = Rotations(positions: longest, headDim: config.headDim, theta: config.ropeTheta)
        cosines = Grid(rotations.cosines.map { Scalar($0) }, columns: rotations.width)
        sines = Grid(rotations.sines.map { Scalar($0) }, columns: rotations.width)
    }

    /// Bytes that a thread needs for chunks of at most so many tokens, with texts of at most `longest`.
    package func reserve(chunkTokens: Int, longest: Int) throws {
        let widest = max(config.hiddenSize, config.queryWidth, config.ffnSize)
        let depth = max(widest, chunkTokens, shape.paddedRank, longest)
        try team.reserve(
            byteCount: max(
                MatrixProduct<Scalar>.scratchByteCount(depth: depth),
                CausalAttention<Scalar>.scratchByteCount(longest: longest, headDim: config.headDim)))
    }

    /// What the backward pass needs of a chunk.
    package struct Saved: Sendable {
        let texts: [TextRows]
        var layers: [SavedLayer<Scalar>] = []
        /// What the final norm was given [texts, hiddenSize].
        var last: Grid<Scalar>

        /// Values that are kept.
        package var count: Int { layers.reduce(last.count) { $0 + $1.count } }
    }

    /// Values that a chunk of so many tokens and texts keeps.
    package func savedCount(tokens: Int, texts: Int) -> Int {
        let c = config
        let whole = 2 * c.hiddenSize + 2 * c.queryWidth + 2 * c.keyWidth + 2 * c.ffnSize + 7 * shape.paddedRank
        let last = c.hiddenSize + 2 * c.keyWidth + 3 * shape.paddedRank
        return tokens * ((shape.layers.count - 1) * whole + last) + texts * (whole + c.hiddenSize)
    }

    /// States [tokens, hiddenSize] before the first of these layers become states of the last tokens after the final
    /// norm [texts, hiddenSize]. The texts' rows follow each other; `parameters` is the adapter's list [1,
    /// shape.count].
    package func forward(_ states: Grid<Scalar>, tokenCounts: [Int], parameters: Grid<Scalar>) -> (Grid<Scalar>, Saved)
    {
        var first = 0
        let texts = tokenCounts.map { count in
            defer { first += count }
            return TextRows(first: first, count: count)
        }
        precondition(first == states.rows && states.columns == config.hiddenSize && parameters.count == shape.count)
        var saved = Saved(texts: texts, last: states)
        var x = states
        for index in layers.indices {
            let pass = pass(index, texts, isLast: index == layers.count - 1, parameters, nil)
            let (output, kept) = pass.forward(x)
            saved.layers.append(kept)
            x = output
        }
        saved.last = x
        let output = Grid(x.rows, x.columns, from: pool)
        let (input, epsilon) = (x, epsilon)
        team.forRows(x.rows) { [outputNorm] rows in
            for row in rows {
                unsafe RowOperations<Scalar>.norm(
                    input.row(row), gain: outputNorm.base, input.columns, epsilon, into: output.row(row))
            }
        }
        return (output, saved)
    }

    /// Adds to `gradients` [1, shape.count] what the gradient of the states that `forward` gave amounts to. Returns
    /// that of the states before the first layer where it is asked for, which only tests do.
    @discardableResult
    package func backward(
        _ dStates: Grid<Scalar>, _ saved: Saved, parameters: Grid<Scalar>, into gradients: Grid<Scalar>,
        wantsInput: Bool = false
    ) -> Grid<Scalar>? {
        precondition(dStates.rows == saved.last.rows && gradients.count == shape.count)
        let dx = Grid(dStates.rows, dStates.columns, from: pool)
        let (input, epsilon) = (saved.last, epsilon)
        team.forRows(dx.rows) { [outputNorm] rows in
            for row in rows {
                unsafe RowOperations<Scalar>.normGradient(
                    dStates.row(row), x: input.row(row), gain: outputNorm.base, input.columns, epsilon,
                    into: dx.row(row), adding: false)
            }
        }
        var gradient: Grid<Scalar>? = dx
        for index in layers.indices.reversed() {
            guard let dOutput = gradient else { break }
            let pass = pass(index, saved.texts, isLast: index == layers.count - 1, parameters, gradients)
            gradient = pass.backward(dOutput, saved.layers[index], wantsInput: index > 0 || wantsInput)
        }
        return gradient
    }

    /// The work on the layer of this number among those that are trained.
    func pass(
        _ index: Int, _ texts: [TextRows], isLast: Bool, _ parameters: Grid<Scalar>, _ gradients: Grid<Scalar>?
    ) -> LayerPass<Scalar> {
        LayerPass(
            stack: self, weights: layers[index], layer: shape.layers.lowerBound + index, texts: texts, isLast: isLast,
            cosines: cosines, sines: sines, parameters: parameters,
            gradients: gradients)
    }
}
