// Walks the graph: layer by layer over a whole micro-batch, block by block within a layer.

import Q3Kernels

/// Runs micro-batches. Belongs to the inference thread.
final class Executor {
    /// Called after every node with the layer, the node and what it wrote (nil for rounded inputs).
    typealias Observer = (_ layer: Int, _ node: Qwen3Graph.Node, _ output: FloatMatrix?) -> Void

    /// Tokens of one block: enough to make packing a panel cheap, few enough that activations stay in the caches.
    static let blockRows = 512

    let config: Qwen3Config
    private let weights: Qwen3Weights
    private let graph = Qwen3Graph()
    private let isa: ISA
    private let threads: Int
    private var arena: Arena?
    private var rotations: Rotations
    private let cache: PrefixCache?
    var observer: Observer?

    /// `cacheByteLimit` 0 keeps nothing between batches.
    init(config: Qwen3Config, weights: Qwen3Weights, isa: ISA, threads: Int, cacheByteLimit: Int) {
        self.config = config
        self.weights = weights
        self.isa = isa
        self.threads = threads
        rotations = Rotations(positions: 0, headDim: config.headDim, theta: config.ropeTheta)
        cache =
            cacheByteLimit > 0
            ? PrefixCache(byteLimit: cacheByteLimit, layerCount: config.layerCount, width: config.keyWidth) : nil
    }

    var cacheUse: PrefixCacheUse { cache?.use ?? PrefixCacheUse() }

    func plan(rows: Int, keyRows: Int, pooledRows: Int) -> ScratchPlan {
        ScratchPlan(
            config: config, families: weights.families, rows: rows, keyRows: keyRows, pooledRows: pooledRows,
            blockRows: Self.blockRows, threads: threads)
    }

    /// The hidden state of each list's last token after the final norm, [hiddenSize] each. `lists` are in lexicographic
    /// order. `checkpoint` is called between blocks of tokens with the layers done so far; it may throw to stop, or run other lists
    /// through this executor in between.
    func run(_ lists: [[Int32]], sharing: Bool, checkpoint: (Double) throws -> Void) throws -> [[Float]] {
        let cached = lists.compactMap { cache?.match($0) }.map { BatchTrie.Cached(entry: $0.entry, length: $0.length) }
        let trie = BatchTrie(lists.map { $0[...] }, sharing: sharing, cached: sharing ? cached : [])
        let captures = (cache?.entriesToFill(for: lists) ?? []).map { Capture(entry: $0, trie: trie, lists: lists) }
        let states = try run(trie, captures: captures, checkpoint: checkpoint)
        cache?.keep(captures.map(\.entry))
        return states
    }

    private func run(_ trie: BatchTrie, captures: [Capture], checkpoint: (Double) throws -> Void) throws -> [[Float]] {
        let pooled = trie.pooled.uniqued()
        let plan = plan(rows: trie.tokens.count, keyRows: trie.keyRows, pooledRows: pooled.count)
        prepareRotations(through: Int(trie.positions.max() ?? 0))
        let arena = try takeArena(for: plan)
        defer { self.arena = arena }
        let pass = Pass(executor: self, plan: plan, arena: arena, trie: trie)
        weights.tokenEmbedding.dequantize(rows: trie.tokens, into: pass.residual)
        for layer in 0..<config.layerCount - 1 {
            try pass.runBlocks(of: trie, graph.layer, layer: layer, checkpoint: checkpoint)
            pass.capture(captures, layer: layer)
        }
        let last = config.layerCount - 1
        try pass.runBlocks(of: trie, graph.lastKeys, layer: last, checkpoint: checkpoint)
        pass.runPooled(pooled, graph.lastPooled, layer: last)
        pass.capture(captures, layer: last)
        let row = Dictionary(uniqueKeysWithValues: pooled.enumerated().map { ($1.row, $0) })
        return trie.pooled.map { token in
            rmsNorm(
                pass.lastResidual.row(row[token.row]!), gain: weights.outputNorm, epsilon: config.rmsNormEpsilon,
                isa: isa)
        }
    }

    /// Positions that the rotation table holds for texts of `tokenCount` tokens: powers of two, so that a stream of
    /// growing texts does not rebuild it each time.
    static func rotatedPositions(for tokenCount: Int) -> Int {
        var positions = 512
        while positions < tokenCount { positions *= 2 }
        return positions
    }

    private func prepareRotations(through position: Int) {
        guard position >= rotations.positions else { return }
        rotations = Rotations(
            positions: Self.rotatedPositions(for: position + 1), headDim: config.headDim, theta: config.ropeTheta)
    }

    /// The last arena again if it is large enough and not far too large. It is the taker's alone until it is put back: lists
    /// that run in between get another.
    private func takeArena(for plan: ScratchPlan) throws -> Arena {
        if let last = arena, plan.byteCount...max(4 * plan.byteCount, 64 << 20) ~= last.byteCount {
            arena = nil
            return last
        }
        arena = nil
        guard let fresh = Arena(byteCount: plan.byteCount) else {
            throw ModelError.outOfMemory(byteCount: plan.byteCount)
        }
        return fresh
    }

    /// A cache entry to be filled from rows of this batch.
    private struct Capture {
        let entry: PrefixCache.Entry
        let rows: [Int]

        init(entry: PrefixCache.Entry, trie: BatchTrie, lists: [[Int32]]) {
            self.entry = entry
            let list = lists.firstIndex { $0.starts(with: entry.tokens) }!
            rows = trie.rows(to: trie.pooled[list], length: entry.tokens.count)
        }
    }

    /// The views of one micro-batch.
    private struct Pass {
        let executor: Executor
        let plan: ScratchPlan
        let arena: Arena
        let team: Team
        let runs: [TokenRun]
        let residual, keys, values, lastResidual: FloatMatrix

        init(executor: Executor, plan: ScratchPlan, arena: Arena, trie: BatchTrie) {
            let config = executor.config
            self.executor = executor
            self.plan = plan
            self.arena = arena
            team = Team(
                isa: executor.isa, threads: executor.threads, scratch: plan.threads, in: arena,
                widest: config.widestInput, headDim: config.headDim)
            runs = trie.runs
            residual = arena.matrix(plan.residual, rows: plan.rows, cols: config.hiddenSize)
            lastResidual = arena.matrix(plan.lastResidual, rows: plan.pooledRows, cols: config.hiddenSize)
            keys = arena.matrix(plan.keys, rows: plan.keyRows, cols: config.keyWidth)
            values = arena.matrix(plan.values, rows: plan.keyRows, cols: config.keyWidth)
        }

        /// All rows of the batch, a block at a time; a block attends only to itself and to earlier ones.
        func runBlocks(
            of trie: BatchTrie, _ nodes: [Qwen3Graph.Node], layer: Int, checkpoint: (Double) throws -> Void
        ) throws {
            let limit = Team.queryTokens(group: executor.config.group)
            for fill in trie.fills {
                keys.rows(fill.rows).gather(Array(fill.source), of: fill.entry.keys(layer: layer))
                values.rows(fill.rows).gather(Array(fill.source), of: fill.entry.values(layer: layer))
            }
            for first in stride(from: 0, to: plan.rows, by: plan.blockRows) {
                try checkpoint(Double(layer) + Double(first) / Double(plan.rows))
                let rows = first..<min(first + plan.blockRows, plan.rows)
                let block = Block(
                    pass: self, layer: layer, residual: residual.rows(rows), keys: keys.rows(rows),
                    values: values.rows(rows), positions: trie.positions[rows],
                    queries: trie.queries(in: rows, limit: limit))
                nodes.forEach(block.run)
            }
        }

        /// Copies the layer's keys and values for later batches.
        func capture(_ captures: [Capture], layer: Int) {
            for capture in captures {
                capture.entry.keys(layer: layer).gather(capture.rows, of: keys)
                capture.entry.values(layer: layer).gather(capture.rows, of: values)
            }
        }

        /// The pooled tokens only; keys and values of the layer are there.
        func runPooled(_ pooled: [BatchTrie.Pooled], _ nodes: [Qwen3Graph.Node], layer: Int) {
            lastResidual.gather(pooled.map(\.row), of: residual)
            for first in stride(from: 0, to: pooled.count, by: plan.blockRows) {
                let rows = first..<min(first + plan.blockRows, pooled.count)
                let queries = pooled[rows].enumerated().map {
                    AttentionQuery(run: $1.run, first: $1.offset, count: 1, row: $0)
                }
                let positions = pooled[rows].map { Int32(runs[$0.run].position + $0.offset) }
                let block = Block(
                    pass: self, layer: layer, residual: lastResidual.rows(rows), keys: keys.rows(0..<0),
                    values: values.rows(0..<0), positions: positions[...], queries: queries)
                nodes.forEach(block.run)
            }
        }
    }

    /// The views of one block of tokens in one layer.
    private struct Block {
        let pass: Pass
        let layer: Int
        let residual, keys, values: FloatMatrix
        let positions: ArraySlice<Int32>
        let queries: [AttentionQuery]

        private var config: Qwen3Config { pass.executor.config }
        private var weights: Qwen3Layer { pass.executor.weights.layers[layer] }

        private func matrix(_ buffer: Qwen3Graph.Buffer) -> FloatMatrix {
            let (plan, rows) = (pass.plan, positions.count)
            return switch buffer {
            case .residual: residual
            case .keys: keys
            case .values: values
            case .queries: pass.arena.matrix(plan.queries, rows: rows, cols: config.queryWidth)
            case .attended: pass.arena.matrix(plan.attended, rows: rows, cols: config.queryWidth)
            case .hidden: pass.arena.matrix(plan.hidden, rows: rows, cols: config.ffnSize)
            }
        }

        private func input(of readers: [Qwen3Graph.Weight]) -> Activations {
            Activations(
                pass.plan.input, in: pass.arena, rows: positions.count, cols: weights[readers[0]].cols,
                families: Set(readers.map { weights[$0].family }))
        }

        func run(_ node: Qwen3Graph.Node) {
            let (team, weights, epsilon) = (pass.team, weights, config.rmsNormEpsilon)
            switch node.operation {
            case .prepare(let source, let gain, let readers):
                team.prepare(
                    matrix(source), gain: gain.map { weights[$0] }, epsilon: epsilon, into: input(of: readers))
            case .multiply(let list):
                let products = list.map {
                    Product(weights[$0], into: matrix($0.output), adding: $0.output == .residual)
                }
                team.multiply(products, input: input(of: list))
            case .multiplySwiGLU:
                team.multiplySwiGLU(
                    gate: weights.gate, up: weights.up, input: input(of: [.gate, .up]), into: matrix(.hidden))
            case .normalizeAndRotate(let buffer, let gain):
                team.normalizeAndRotate(
                    matrix(buffer), headDim: config.headDim, gain: weights[gain], epsilon: epsilon,
                    positions: positions, rotations: pass.executor.rotations)
            case .attend:
                team.attend(
                    queries, runs: pass.runs, queries: matrix(.queries), keys: pass.keys, values: pass.values,
                    headDim: config.headDim, integers: pass.executor.weights.families != [.f32],
                    into: matrix(.attended))
            }
            pass.executor.observer?(layer, node, node.output.map(matrix))
        }
    }
}

extension [BatchTrie.Pooled] {
    /// Each pooled token once; equal ones stand together, as equal lists do.
    fileprivate func uniqued() -> Self {
        reduce(into: []) { if $0.last != $1 { $0.append($1) } }
    }
}
