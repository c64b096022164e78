// One layer, forward and backward, for one chunk of texts: the lines of `LayerGraph.qwen3` and their gradients.
import Q3Kernels
import Q3Linear
import Q3Model

/// What the backward pass of a layer needs. Norms, rotations and SwiGLU are computed again, which is cheaper than
/// keeping them.
struct SavedLayer<Scalar: ProductScalar>: Sendable {
    let x: Grid<Scalar>  // [tokens, hiddenSize]
    let q: Grid<Scalar>  // [queries, queryWidth], before norm and rotation
    let k, v: Grid<Scalar>  // [tokens, keyWidth], k before norm and rotation
    let attended: Grid<Scalar>  // [queries, queryWidth]
    let middle: Grid<Scalar>  // [queries, hiddenSize]
    let gate, up: Grid<Scalar>  // [queries, ffnSize]
    /// scale · input · Aᵀ of each matrix that is changed [rows, paddedRank].
    var low: [Projection: Grid<Scalar>]

    var count: Int {
        [x, q, k, v, attended, middle, gate, up].reduce(0) { $0 + $1.count } + low.values.reduce(0) { $0 + $1.count }
    }
}

/// The work on one layer of one chunk.
struct LayerPass<Scalar: ProductScalar> {
    let stack: LayerStack<Scalar>
    let weights: LayerWeights<Scalar>
    let layer: Int
    let texts: [TextRows]
    /// Whether queries are those of the last tokens only.
    let isLast: Bool
    let cosines, sines: Grid<Scalar>
    let parameters: Grid<Scalar>
    let gradients: Grid<Scalar>?

    private typealias Row = RowOperations<Scalar>
    private var config: Qwen3Config { stack.config }
    private var team: ProductTeam { stack.team }
    private var lastRows: [Int] { texts.map(\.last) }

    private func grid(_ rows: Int, _ columns: Int) -> Grid<Scalar> { Grid(rows, columns, from: stack.pool) }

    private var attention: CausalAttention<Scalar> {
        CausalAttention(
            heads: config.heads, kvHeads: config.kvHeads, headDim: config.headDim, texts: texts, isPooled: isLast,
            team: team)
    }

    /// Position of each row: of all tokens, or of the last one of each text.
    private var positions: [Int] { texts.flatMap { Array(0..<$0.count) } }
    private var queryPositions: [Int] { isLast ? texts.map { $0.count - 1 } : positions }

    // MARK: - Forward

    func forward(_ x: Grid<Scalar>) -> (Grid<Scalar>, SavedLayer<Scalar>) {
        var low: [Projection: Grid<Scalar>] = [:]
        let a = norm(x, weights.attnNorm)
        let queryInput = isLast ? a.gathered(lastRows, from: stack.pool) : a
        let q = project(.q, queryInput, &low)
        let k = project(.k, a, &low)
        let v = project(.v, a, &low)
        let (rotatedQ, rotatedK) = (rotated(q, weights.qNorm, queryPositions), rotated(k, weights.kNorm, positions))
        let attended = grid(q.rows, q.columns)
        attention.forward(rotatedQ, keys: rotatedK, values: v, into: attended)
        let middle = project(.o, attended, &low)
        add(isLast ? x.gathered(lastRows, from: stack.pool) : x, to: middle)
        let f = norm(middle, weights.ffnNorm)
        let gate = project(.gate, f, &low)
        let up = project(.up, f, &low)
        let output = project(.down, swiGLU(gate, up), &low)
        add(middle, to: output)
        let saved = SavedLayer(
            x: x, q: q, k: k, v: v, attended: attended, middle: middle, gate: gate, up: up, low: low)
        return (output, saved)
    }

    private func norm(_ x: Grid<Scalar>, _ gain: Grid<Scalar>) -> Grid<Scalar> {
        let y = grid(x.rows, x.columns)
        let epsilon = stack.epsilon
        team.forRows(x.rows) { rows in
            for row in rows {
                unsafe RowOperations<Scalar>.norm(x.row(row), gain: gain.base, x.columns, epsilon, into: y.row(row))
            }
        }
        return y
    }

    /// Norm and rotation of every head.
    private func rotated(_ x: Grid<Scalar>, _ gain: Grid<Scalar>, _ positions: [Int]) -> Grid<Scalar> {
        let y = grid(x.rows, x.columns)
        let (epsilon, size) = (stack.epsilon, config.headDim)
        let (cosines, sines) = (cosines, sines)
        team.forRows(x.rows) { rows in
            for row in rows {
                let (cosine, sine) = unsafe (cosines.row(positions[row]), sines.row(positions[row]))
                for start in stride(from: 0, to: x.columns, by: size) {
                    let head = unsafe y.row(row) + start
                    unsafe RowOperations<Scalar>.norm(x.row(row) + start, gain: gain.base, size, epsilon, into: head)
                    unsafe RowOperations<Scalar>.rotate(head, size, cosines: cosine, sines: sine, sign: 1)
                }
            }
        }
        return y
    }

    private func swiGLU(_ gate: Grid<Scalar>, _ up: Grid<Scalar>) -> Grid<Scalar> {
        let y = grid(gate.rows, gate.columns)
        team.forRows(gate.rows) { rows in
            for row in rows {
                unsafe RowOperations<Scalar>.swiGLU(gate: gate.row(row), up: up.row(row), y.columns, into: y.row(row))
            }
        }
        return y
    }

    private func add(_ x: Grid<Scalar>, to y: Grid<Scalar>) {
        team.forRows(x.rows) { rows in
            let (source, target) = unsafe (x.row(rows.lowerBound), y.row(rows.lowerBound))
            for i in 0..<rows.count * x.columns { unsafe target[i] += source[i] }
        }
    }

    private func scale(_ x: Grid<Scalar>, by factor: Scalar) {
        for i in 0..<x.count { unsafe x.base[i] *= factor }
    }

    /// input · Wᵀ + scale · input · Aᵀ · Bᵀ.
    private func project(
        _ projection: Projection, _ input: Grid<Scalar>, _ low: inout [Projection: Grid<Scalar>]
    ) -> Grid<Scalar> {
        guard let matrix = weights.matrices[projection] else { preconditionFailure("a layer has all matrices") }
        let output = grid(input.rows, matrix.rows)
        unsafe team.multiply(product(input, matrix.base, matrix.columns, .rows, output))
        guard let place = stack.shape.place(of: projection, layer: layer) else { return output }
        let small = grid(input.rows, stack.shape.paddedRank)
        unsafe team.multiply(product(input, parameters.base + place.down, place.inputs, .rows, small))
        scale(small, by: Scalar(stack.shape.scale))
        unsafe team.multiply(product(small, parameters.base + place.up, place.outputs, .columns, output, adding: true))
        low[projection] = small
        return output
    }

    @unsafe private func product(
        _ left: Grid<Scalar>, _ right: UnsafePointer<Scalar>, _ stride: Int, _ form: FloatTile.Right,
        _ output: Grid<Scalar>, adding: Bool = false
    ) -> MatrixProduct<Scalar> {
        unsafe MatrixProduct(
            left: left.base, rows: left.rows, depth: left.columns, right: right, rightStride: stride, form: form,
            columns: output.columns, output: output.base, outputStride: output.columns, adding: adding)
    }

    // MARK: - Backward

    /// The gradient of the layer's input, nil where it is not wanted; those of the parameters are added.
    func backward(_ dOutput: Grid<Scalar>, _ saved: SavedLayer<Scalar>, wantsInput: Bool) -> Grid<Scalar>? {
        // The output is the middle and what the feed-forward network adds.
        let dMiddle = grid(dOutput.rows, dOutput.columns)
        dMiddle.copy(dOutput)
        let dHidden = grid(saved.gate.rows, saved.gate.columns)
        back(.down, dOutput, swiGLU(saved.gate, saved.up), saved.low, into: dHidden, adding: false)
        let dGate = grid(dHidden.rows, dHidden.columns)
        swiGLUGradient(dHidden, saved, dGate: dGate)  // dHidden becomes the gradient of up
        let f = norm(saved.middle, weights.ffnNorm)
        let dF = grid(f.rows, f.columns)
        back(.gate, dGate, f, saved.low, into: dF, adding: false)
        back(.up, dHidden, f, saved.low, into: dF, adding: true)
        normGradient(dF, saved.middle, weights.ffnNorm, into: dMiddle, adding: true)

        // The middle is the input and what attention adds.
        let dAttended = grid(saved.attended.rows, saved.attended.columns)
        back(.o, dMiddle, saved.attended, saved.low, into: dAttended, adding: false)
        let (q, k) = (
            rotated(saved.q, weights.qNorm, queryPositions), rotated(saved.k, weights.kNorm, positions)
        )
        let (dQ, dK, dV) = (grid(q.rows, q.columns), grid(k.rows, k.columns), grid(k.rows, k.columns))
        attention.backward(
            dAttended, queries: q, keys: k, values: saved.v, dQueries: dQ, dKeys: dK, dValues: dV)
        rotationGradient(dQ, saved.q, weights.qNorm, queryPositions)
        rotationGradient(dK, saved.k, weights.kNorm, positions)

        let a = norm(saved.x, weights.attnNorm)
        let dA = wantsInput ? grid(a.rows, a.columns) : nil
        back(.k, dK, a, saved.low, into: dA, adding: false)
        back(.v, dV, a, saved.low, into: dA, adding: true)
        if isLast {
            let dQueryInput = wantsInput ? grid(dQ.rows, a.columns) : nil
            back(.q, dQ, a.gathered(lastRows, from: stack.pool), saved.low, into: dQueryInput, adding: false)
            if let dQueryInput { dA?.scatterAdd(dQueryInput, to: lastRows) }
        } else {
            back(.q, dQ, a, saved.low, into: dA, adding: true)
        }
        guard let dA else { return nil }
        let dX = grid(a.rows, a.columns)
        normGradient(dA, saved.x, weights.attnNorm, into: dX, adding: false)
        if isLast { dX.scatterAdd(dMiddle, to: lastRows) } else { add(dMiddle, to: dX) }
        return dX
    }

    private func normGradient(
        _ dy: Grid<Scalar>, _ x: Grid<Scalar>, _ gain: Grid<Scalar>, into dx: Grid<Scalar>, adding: Bool
    ) {
        let epsilon = stack.epsilon
        team.forRows(x.rows) { rows in
            for row in rows {
                unsafe RowOperations<Scalar>.normGradient(
                    dy.row(row), x: x.row(row), gain: gain.base, x.columns, epsilon, into: dx.row(row), adding: adding)
            }
        }
    }

    /// Turns the gradient of rotated heads into that of the heads before norm and rotation, in place.
    private func rotationGradient(
        _ dy: Grid<Scalar>, _ x: Grid<Scalar>, _ gain: Grid<Scalar>, _ positions: [Int]
    ) {
        let (epsilon, size) = (stack.epsilon, config.headDim)
        let (cosines, sines) = (cosines, sines)
        team.forRows(x.rows) { rows in
            for row in rows {
                let (cosine, sine) = unsafe (cosines.row(positions[row]), sines.row(positions[row]))
                for start in stride(from: 0, to: x.columns, by: size) {
                    let head = unsafe dy.row(row) + start
                    unsafe RowOperations<Scalar>.rotate(head, size, cosines: cosine, sines: sine, sign: -1)
                    unsafe RowOperations<Scalar>.normGradient(
                        head, x: x.row(row) + start, gain: gain.base, size, epsilon, into: head, adding: false)
                }
            }
        }
    }

    private func swiGLUGradient(_ dy: Grid<Scalar>, _ saved: SavedLayer<Scalar>, dGate: Grid<Scalar>) {
        team.forRows(dy.rows) { rows in
            for row in rows {
                unsafe RowOperations<Scalar>.swiGLUGradient(
                    dy.row(row), gate: saved.gate.row(row), up: saved.up.row(row), dy.columns, dGate: dGate.row(row),
                    dUp: dy.row(row))
            }
        }
    }

    /// The gradients of a projection: of its input, if there is a place for it, and of the factors that it is changed
    /// by.
    private func back(
        _ projection: Projection, _ dOutput: Grid<Scalar>, _ input: Grid<Scalar>, _ low: [Projection: Grid<Scalar>],
        into dInput: Grid<Scalar>?, adding: Bool
    ) {
        guard let matrix = weights.matrices[projection] else { preconditionFailure("a layer has all matrices") }
        if let dInput {
            unsafe team.multiply(product(dOutput, matrix.base, matrix.columns, .columns, dInput, adding: adding))
        }
        guard let place = stack.shape.place(of: projection, layer: layer), let small = low[projection],
            let gradients
        else { return }
        let dSmall = grid(dOutput.rows, small.columns)
        unsafe team.multiply(product(dOutput, parameters.base + place.up, place.outputs, .rows, dSmall))
        scale(dSmall, by: Scalar(stack.shape.scale))
        unsafe addProduct(of: small, dOutput, to: gradients.base + place.up)
        unsafe addProduct(of: dSmall, input, to: gradients.base + place.down)
        if let dInput {
            unsafe team.multiply(
                product(dSmall, parameters.base + place.down, place.inputs, .columns, dInput, adding: true))
        }
    }

    /// gradient [paddedRank, width] += smallᵀ · wide, sums over the rows of both.
    @unsafe private func addProduct(
        of small: Grid<Scalar>, _ wide: Grid<Scalar>, to gradient: UnsafeMutablePointer<Scalar>
    ) {
        let turned = grid(small.columns, small.rows)
        unsafe Scalar.transpose(
            small.base, stride: small.columns, rows: small.rows, columns: small.columns, into: turned.base)
        unsafe team.multiply(
            MatrixProduct(
                left: turned.base, rows: turned.rows, depth: turned.columns, right: wide.base,
                rightStride: wide.columns,
                form: .columns, columns: wide.columns, output: gradient, outputStride: wide.columns, adding: true))
    }
}
