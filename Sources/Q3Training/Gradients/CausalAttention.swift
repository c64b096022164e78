import Q3Kernels
// Grouped causal attention of texts that lie one after the other, forward and backward.
import Q3Linear

/// Where a text's tokens lie among the rows of a chunk.
struct TextRows: Sendable, Equatable {
    let first: Int
    let count: Int
    var last: Int { first + count - 1 }
}

/// Attention of some tokens of each text to that token and all before it in the text.
///
/// Probabilities are not kept: the backward pass computes them again, up to `blockRows` queries of a head at a time, so
/// that memory grows with the length of a text and not with its square.
struct CausalAttention<Scalar: ProductScalar>: Sendable {
    typealias Row = UnsafeMutablePointer<Scalar>
    let heads: Int
    let kvHeads: Int
    let headDim: Int
    let texts: [TextRows]
    /// Whether only the last token of each text asks, whose query is row t of text t; else each token asks in its own
    /// row.
    let isPooled: Bool
    let team: ProductTeam

    private static var blockRows: Int { 64 }
    private var scale: Scalar { 1 / Scalar(headDim).squareRoot() }

    /// Bytes that a thread needs for texts of at most so many tokens.
    static func scratchByteCount(longest: Int, headDim: Int) -> Int {
        let keys = (longest + 31) / 32 * 32
        let floats = 4 * keys * headDim + 3 * blockRows * headDim + 3 * blockRows * keys + blockRows
        return floats * MemoryLayout<Scalar>.stride + 1024
            + MatrixProduct<Scalar>.scratchByteCount(depth: max(keys, headDim, blockRows))
    }

    /// The work memory of one item.
    @safe private struct Scratch {
        let panel: UnsafeMutableRawPointer
        let keys, values, keyGradients, valueGradients: Row  // [keys, headDim]
        let queries, outputs, queryGradients: Row  // [blockRows, headDim]
        let weights, gradients, turned: Row  // [blockRows, keys]

        @unsafe init(_ memory: UnsafeMutableRawPointer, keyCount: Int, headDim: Int, longest: Int) {
            let blockRows = CausalAttention.blockRows
            unsafe panel = memory
            let panelBytes = MatrixProduct<Scalar>.scratchByteCount(depth: max(longest, headDim, blockRows))
            var next = unsafe (memory + panelBytes).assumingMemoryBound(to: Scalar.self)
            func take(_ count: Int) -> Row {
                defer { unsafe next += (count + 15) / 16 * 16 }
                return unsafe next
            }
            unsafe keys = take(keyCount * headDim)
            unsafe values = take(keyCount * headDim)
            unsafe keyGradients = take(keyCount * headDim)
            unsafe valueGradients = take(keyCount * headDim)
            unsafe queries = take(blockRows * headDim)
            unsafe outputs = take(blockRows * headDim)
            unsafe queryGradients = take(blockRows * headDim)
            unsafe weights = take(blockRows * keyCount)
            unsafe gradients = take(blockRows * keyCount)
            unsafe turned = take(blockRows * keyCount)
        }
    }

    /// output [queries, heads · headDim] from queries of the same shape, keys and values [tokens, kvHeads · headDim],
    /// which are rotated.
    func forward(_ queries: Grid<Scalar>, keys: Grid<Scalar>, values: Grid<Scalar>, into output: Grid<Scalar>) {
        forItems { text, kvHead, scratch in
            let rows = texts[text]
            unsafe gather(keys, rows, kvHead, into: scratch.keys)
            unsafe gather(values, rows, kvHead, into: scratch.values)
            unsafe forBlocks(text, kvHead) { block in
                let keyCount = unsafe probabilities(block, queries, scratch)
                unsafe MatrixProduct<Scalar>(
                    left: scratch.weights, rows: block.count, depth: keyCount, right: scratch.values,
                    rightStride: headDim, form: .columns, columns: headDim, output: scratch.outputs,
                    outputStride: headDim
                ).run(scratch: scratch.panel)
                for i in 0..<block.count {
                    unsafe (output.row(block.row + i) + block.head * headDim).update(
                        from: scratch.outputs + i * headDim, count: headDim)
                }
            }
        }
    }

    /// The gradients of queries, keys and values for that of the output; all are written.
    func backward(
        _ dOutput: Grid<Scalar>, queries: Grid<Scalar>, keys: Grid<Scalar>, values: Grid<Scalar>,
        dQueries: Grid<Scalar>, dKeys: Grid<Scalar>, dValues: Grid<Scalar>
    ) {
        forItems { text, kvHead, scratch in
            let rows = texts[text]
            let padded = Self.padded(rows.count)
            unsafe gather(keys, rows, kvHead, into: scratch.keys)
            unsafe gather(values, rows, kvHead, into: scratch.values)
            unsafe scratch.keyGradients.update(repeating: 0, count: padded * headDim)
            unsafe scratch.valueGradients.update(repeating: 0, count: padded * headDim)
            unsafe forBlocks(text, kvHead) { block in
                unsafe backward(block, dOutput, queries, dQueries, scratch)
            }
            for t in 0..<rows.count {
                unsafe (dKeys.row(rows.first + t) + kvHead * headDim).update(
                    from: scratch.keyGradients + t * headDim, count: headDim)
                unsafe (dValues.row(rows.first + t) + kvHead * headDim).update(
                    from: scratch.valueGradients + t * headDim, count: headDim)
            }
        }
    }

    @unsafe private func backward(
        _ block: Block, _ dOutput: Grid<Scalar>, _ queries: Grid<Scalar>, _ dQueries: Grid<Scalar>, _ scratch: Scratch
    ) {
        let keyCount = unsafe probabilities(block, queries, scratch)
        let count = block.count
        for i in 0..<count {
            unsafe (scratch.outputs + i * headDim).update(
                from: dOutput.row(block.row + i) + block.head * headDim, count: headDim)
        }
        func product(
            _ left: Row, _ rows: Int, _ depth: Int, _ right: Row, _ form: FloatTile.Right, _ columns: Int,
            _ output: Row,
            adding: Bool = false
        ) {
            unsafe MatrixProduct<Scalar>(
                left: left, rows: rows, depth: depth, right: right, rightStride: headDim, form: form, columns: columns,
                output: output, outputStride: columns, adding: adding
            ).run(scratch: scratch.panel)
        }
        // dP = dO · Vᵀ, and dV += Pᵀ · dO
        unsafe product(scratch.outputs, count, headDim, scratch.values, .rows, keyCount, scratch.gradients)
        unsafe Scalar.transpose(
            scratch.weights, stride: keyCount, rows: count, columns: keyCount, into: scratch.turned)
        unsafe product(
            scratch.turned, keyCount, count, scratch.outputs, .columns, headDim, scratch.valueGradients, adding: true)
        // dS = P ∘ (dP - Σ P ∘ dP) · scale
        for i in 0..<count {
            let (p, d) = unsafe (scratch.weights + i * keyCount, scratch.gradients + i * keyCount)
            let sum = unsafe RowOperations<Scalar>.sum(p, d, nil, keyCount)
            for j in 0..<keyCount { unsafe d[j] = p[j] * (d[j] - sum) * scale }
        }
        // dQ = dS · K, and dK += dSᵀ · Q
        unsafe product(
            scratch.gradients, count, keyCount, scratch.keys, .columns, headDim, scratch.queryGradients)
        for i in 0..<count {
            unsafe (dQueries.row(block.row + i) + block.head * headDim).update(
                from: scratch.queryGradients + i * headDim, count: headDim)
        }
        unsafe Scalar.transpose(
            scratch.gradients, stride: keyCount, rows: count, columns: keyCount, into: scratch.turned)
        unsafe product(
            scratch.turned, keyCount, count, scratch.queries, .columns, headDim, scratch.keyGradients, adding: true)
    }

    /// Queries of one head that are computed together: `count` from row `row` on, the first of which stands at
    /// `position`.
    private struct Block {
        let head: Int
        let row: Int
        let position: Int
        let count: Int
    }

    private static func padded(_ count: Int) -> Int { (count + 15) / 16 * 16 }

    /// The softmax of a block's scores in `scratch.weights` [count, keys], 0 for keys after a query. Returns the number
    /// of keys, a multiple of 16.
    @unsafe private func probabilities(_ block: Block, _ queries: Grid<Scalar>, _ scratch: Scratch) -> Int {
        let keyCount = Self.padded(block.position + block.count)
        for i in 0..<block.count {
            unsafe (scratch.queries + i * headDim).update(
                from: queries.row(block.row + i) + block.head * headDim, count: headDim)
        }
        unsafe MatrixProduct<Scalar>(
            left: scratch.queries, rows: block.count, depth: headDim, right: scratch.keys, rightStride: headDim,
            form: .rows, columns: keyCount, output: scratch.weights, outputStride: keyCount
        ).run(scratch: scratch.panel)
        for i in 0..<block.count {
            let row = unsafe scratch.weights + i * keyCount
            let visible = block.position + i + 1
            var largest = unsafe row[0]
            for j in 1..<max(1, visible) where unsafe row[j] > largest { unsafe largest = row[j] }
            for j in 0..<visible { unsafe row[j] = (row[j] - largest) * scale }
            unsafe Scalar.exponentials(row, count: Self.exponentiated(visible, row, keyCount))
            var sum: Scalar = 0
            for j in 0..<visible { unsafe sum += row[j] }
            let inverse = 1 / sum
            for j in 0..<visible { unsafe row[j] *= inverse }
            for j in visible..<keyCount { unsafe row[j] = 0 }
        }
        return keyCount
    }

    /// Makes what lies between the visible scores and the next multiple of 16 harmless; returns that multiple.
    @unsafe private static func exponentiated(_ visible: Int, _ row: Row, _ keyCount: Int) -> Int {
        let end = min(padded(visible), keyCount)
        for j in visible..<end { unsafe row[j] = 0 }
        return end
    }

    /// One item for each text and key head, on all threads.
    private func forItems(_ body: @Sendable (_ text: Int, _ kvHead: Int, _ scratch: Scratch) -> Void) {
        let longest = texts.map(\.count).max() ?? 0
        let padded = (longest + 31) / 32 * 32
        team.forEach(texts.count * kvHeads) { item, thread in
            let text = item / kvHeads
            let scratch = unsafe Scratch(
                team.scratch(thread), keyCount: Self.padded(texts[text].count), headDim: headDim, longest: padded)
            body(text, item % kvHeads, scratch)
        }
    }

    @unsafe private func forBlocks(_ text: Int, _ kvHead: Int, _ body: (Block) -> Void) {
        let group = heads / kvHeads
        let rows = texts[text]
        for head in kvHead * group..<(kvHead + 1) * group {
            if isPooled {
                body(Block(head: head, row: text, position: rows.count - 1, count: 1))
            } else {
                for first in Swift.stride(from: 0, to: rows.count, by: Self.blockRows) {
                    body(
                        Block(
                            head: head, row: rows.first + first, position: first,
                            count: min(Self.blockRows, rows.count - first)))
                }
            }
        }
    }

    /// A head's rows of a text, one after the other, and zeros up to a multiple of 16.
    @unsafe private func gather(_ grid: Grid<Scalar>, _ rows: TextRows, _ head: Int, into target: Row) {
        for t in 0..<rows.count {
            unsafe (target + t * headDim).update(from: grid.row(rows.first + t) + head * headDim, count: headDim)
        }
        let padding = Self.padded(rows.count) - rows.count
        unsafe (target + rows.count * headDim).update(repeating: 0, count: padding * headDim)
    }
}
