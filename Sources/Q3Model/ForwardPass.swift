// One micro-batch on its way through the layers: the views of its memory, and what each node of a layer does.

package import Q3Kernels

/// A cache entry to be filled from `rows` of the batch that is running.
struct NewCacheEntry {
    let entry: PrefixCache.Entry
    let rows: [Int]
}

/// What one node of a layer did for one block of tokens.
package struct NodeTrace {
    package let layer: Int
    /// The node's name, such as "qkv".
    package let node: String
    /// Tokens of the block.
    package let rowCount: Int
    /// What the tokens were multiplied with: gate and up if `isSwiGLU`; empty for nodes that do other work.
    package let matrices: [Matrix]
    package let isSwiGLU: Bool
    /// Multiply-adds of products and attention, 0 for other nodes.
    package let multiplyAdds: Int
    package let seconds: Double
    /// What it wrote, [rowCount, width] each, by the names of buffers. The views are valid until the hook returns.
    package let outputs: [(name: String, rows: FloatMatrix)]
}

/// The views of one micro-batch. It must not outlive the arena's use for it.
struct ForwardPass {
    let graph: LayerGraph
    let config: Qwen3Config
    let weights: Qwen3Weights
    let rotations: Rotations
    let plan: ScratchPlan
    let arena: Arena
    let team: Team
    let trie: BatchTrie
    let trace: ((NodeTrace) -> Void)?

    var residual: FloatMatrix { matrix(graph.residual, rows: plan.rows) }
    var pooledResidual: FloatMatrix {
        arena.matrix(plan.pooledResidual, rows: plan.pooledRows, cols: config.hiddenSize)
    }
    /// Keys and values of the layer that is running, [keyRows, keyWidth] each.
    private var context: [FloatMatrix] { graph.context.map { matrix($0, rows: plan.keyRows) } }

    private func matrix(_ buffer: LayerGraph.Buffer, rows: Int) -> FloatMatrix {
        arena.matrix(plan.places[buffer.index], rows: rows, cols: config[keyPath: buffer.width])
    }

    /// All tokens of the batch, a block at a time; a block attends only to itself and to earlier ones.
    func runAll(_ nodes: [LayerGraph.Node], layer: Int, checkpoint: (Double) throws -> Void) throws {
        for cached in trie.fills {
            for (rows, kept) in zip(context, cached.entry.context(layer: layer)) {
                rows.rows(cached.rows).gather(Array(cached.source), of: kept)
            }
        }
        for first in stride(from: 0, to: plan.rows, by: plan.blockRows) {
            try checkpoint(Double(layer) + Double(first) / Double(plan.rows))
            let rows = first..<min(first + plan.blockRows, plan.rows)
            run(
                nodes,
                Block(
                    layer: layer, residual: residual.rows(rows), contextRows: rows, positions: trie.positions[rows],
                    queries: longestFirst(trie.queries(in: rows, limit: plan.queryTokens))))
        }
    }

    /// Those with most keys first, so that no thread is left with one of them at the end.
    private func longestFirst(_ queries: [AttentionQuery]) -> [AttentionQuery] {
        func keys(_ query: AttentionQuery) -> Int { trie.runs[query.run].position + query.first + query.count }
        return queries.sorted { keys($0) > keys($1) }
    }

    /// The pooled tokens only; keys and values of the layer are there.
    func runPooled(_ pooled: [BatchTrie.Pooled], _ nodes: [LayerGraph.Node], layer: Int) {
        pooledResidual.gather(pooled.map(\.row), of: residual)
        for first in stride(from: 0, to: pooled.count, by: plan.blockRows) {
            let rows = first..<min(first + plan.blockRows, pooled.count)
            let positions = pooled[rows].map { Int32(trie.runs[$0.run].position + $0.offset) }
            let queries = pooled[rows].enumerated().map {
                AttentionQuery(run: $1.run, first: $1.offset, count: 1, row: $0)
            }
            run(
                nodes,
                Block(
                    layer: layer, residual: pooledResidual.rows(rows), contextRows: nil, positions: positions[...],
                    queries: queries))
        }
    }

    /// Copies the layer's keys and values for later batches.
    func fill(_ newEntries: [NewCacheEntry], layer: Int) {
        for new in newEntries {
            for (kept, rows) in zip(new.entry.context(layer: layer), context) { kept.gather(new.rows, of: rows) }
        }
    }

    // MARK: - Blocks

    /// Some tokens of the batch in one layer.
    private struct Block {
        let layer: Int
        let residual: FloatMatrix
        /// Rows of keys and values that belong to these tokens; nil where a layer has computed them before.
        let contextRows: Range<Int>?
        let positions: ArraySlice<Int32>
        let queries: [AttentionQuery]
    }

    private func run(_ nodes: [LayerGraph.Node], _ block: Block) {
        for node in nodes {
            guard let trace else {
                run(node, block)
                continue
            }
            let start = ContinuousClock.now
            run(node, block)
            trace(report(node, block, seconds: (ContinuousClock.now - start) / .seconds(1)))
        }
    }

    private func run(_ node: LayerGraph.Node, _ block: Block) {
        let (layer, epsilon) = (weights.layers[block.layer], config.rmsNormEpsilon)
        func input() -> Activations {
            let readers = node.weights.map { layer[keyPath: $0] }
            return Activations(
                plan.input, in: arena, rows: block.positions.count, cols: readers[0].cols,
                families: Set(readers.map(\.family)))
        }
        switch node.operation {
        case .prepare(let source, let gain):
            team.prepare(
                rows(source, block), gain: gain.map { layer[keyPath: $0] }, epsilon: epsilon, into: input())
        case .multiply(let list):
            let products = list.map {
                Product(layer[keyPath: $0.weight], into: rows($0.output, block), adding: $0.adds)
            }
            team.multiply(products, input: input())
        case .multiplySwiGLU(let gate, let up, let output):
            team.multiplySwiGLU(
                gate: layer[keyPath: gate], up: layer[keyPath: up], input: input(), into: rows(output, block))
        case .normalizeAndRotate(let buffer, let gain):
            team.normalizeAndRotate(
                rows(buffer, block), headDim: config.headDim, gain: layer[keyPath: gain], epsilon: epsilon,
                positions: block.positions, rotations: rotations)
        case .attend(let queries, let keys, let values, let output):
            team.attend(
                block.queries, runs: trie.runs, queries: rows(queries, block),
                keys: matrix(keys, rows: plan.keyRows), values: matrix(values, rows: plan.keyRows),
                headDim: config.headDim, rounding: weights.attention, into: rows(output, block))
        }
    }

    /// The block's rows of a buffer.
    private func rows(_ buffer: LayerGraph.Buffer, _ block: Block) -> FloatMatrix {
        if buffer == graph.residual { return block.residual }
        if let rows = block.contextRows, graph.context.contains(buffer) {
            return matrix(buffer, rows: plan.keyRows).rows(rows)
        }
        return matrix(buffer, rows: block.positions.count)
    }

    private func report(_ node: LayerGraph.Node, _ block: Block, seconds: Double) -> NodeTrace {
        var matrices: [Matrix] = []
        var (isSwiGLU, multiplyAdds) = (false, 0)
        switch node.operation {
        case .multiply, .multiplySwiGLU:
            if case .multiplySwiGLU = node.operation { isSwiGLU = true }
            matrices = node.weights.map { weights.layers[block.layer][keyPath: $0] }
            multiplyAdds = block.positions.count * matrices.reduce(0) { $0 + $1.rows * $1.cols }
        case .attend:
            // A product with each key and one with each value, for a token and all tokens before it.
            multiplyAdds = block.positions.reduce(0) { $0 + Int($1) + 1 } * 2 * config.queryWidth
        case .prepare, .normalizeAndRotate: break
        }
        return NodeTrace(
            layer: block.layer, node: node.name, rowCount: block.positions.count, matrices: matrices,
            isSwiGLU: isSwiGLU, multiplyAdds: multiplyAdds, seconds: seconds,
            outputs: node.operation.writes.map { ($0.name, rows($0, block)) })
    }
}
