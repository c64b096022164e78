// Runs micro-batches through all layers: what is shared between them, and the order of layers and blocks.

import Q3Kernels

/// Runs micro-batches. Belongs to the inference thread.
final class Executor {
    /// Tokens of one block: enough to make packing a panel cheap, few enough to keep activations in the caches.
    static let blockRows = 512

    private let config: Qwen3Config
    private let weights: Qwen3Weights
    private let isa: ISA
    private let threads: Int
    private let graph = LayerGraph.qwen3
    private var arena: Arena?
    private var rotations: Rotations
    private let cache: PrefixCache?

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
            graph, config: config, families: weights.families, rows: rows, keyRows: keyRows, pooledRows: pooledRows,
            blockRows: Self.blockRows, threads: threads)
    }

    /// The hidden state of each list's last token after the final norm, [hiddenSize] each. `lists` are in lexicographic
    /// order. `checkpoint` is called between blocks of tokens with the layers done so far; it may throw to stop, or run
    /// other lists through this executor in between. `trace` is called after every node.
    func run(
        _ lists: [[Int32]], sharing: Bool, trace: ((NodeTrace) -> Void)? = nil,
        checkpoint: (Double) throws -> Void
    ) throws -> [[Float]] {
        let cached = lists.compactMap { cache?.match($0) }.map { BatchTrie.Cached(entry: $0.entry, length: $0.length) }
        let trie = BatchTrie(lists.map { $0[...] }, sharing: sharing, cached: sharing ? cached : [])
        let newEntries = (cache?.entriesToFill(for: lists) ?? []).map { entry in
            let list = lists.firstIndex { $0.starts(with: entry.tokens) }!
            return NewCacheEntry(entry: entry, rows: trie.rows(to: trie.pooled[list], length: entry.tokens.count))
        }
        let states = try run(trie, filling: newEntries, trace: trace, checkpoint: checkpoint)
        cache?.keep(newEntries.map(\.entry))
        return states
    }

    /// The residual stream of every token after the first `layerCount` layers, which are not all: `body` gets the number of each
    /// list and its rows [tokens, hiddenSize]. `lists` are in lexicographic order.
    func runTrunk(
        _ lists: [[Int32]], layerCount: Int, checkpoint: (Double) throws -> Void, body: (Int, [Float]) throws -> Void
    ) throws {
        precondition(layerCount < config.layerCount)
        let trie = BatchTrie(lists.map { $0[...] }, sharing: true, cached: [])
        let pass = try makePass(trie, pooledRows: 1, trace: nil)
        defer { arena = pass.arena }
        weights.tokenEmbedding.dequantize(rows: trie.tokens, into: pass.residual)
        for layer in 0..<layerCount { try pass.runAll(graph.allNodes, layer: layer, checkpoint: checkpoint) }
        for (index, list) in lists.enumerated() {
            let rows = trie.rows(to: trie.pooled[index], length: list.count)
            try body(index, rows.flatMap { pass.residual.row($0) })
        }
    }

    /// The views for one batch; the arena is to be put back when they are no longer used.
    private func makePass(_ trie: BatchTrie, pooledRows: Int, trace: ((NodeTrace) -> Void)?) throws -> ForwardPass {
        let plan = plan(rows: trie.tokens.count, keyRows: trie.keyRows, pooledRows: pooledRows)
        prepareRotations(through: Int(trie.positions.max() ?? 0))
        let arena = try takeArena(for: plan)
        return ForwardPass(
            graph: graph, config: config, weights: weights, rotations: rotations, plan: plan, arena: arena,
            team: Team(
                isa: isa, threads: threads, scratch: plan.threads, in: arena, widest: config.widestInput,
                headDim: config.headDim), trie: trie, trace: trace)
    }

    private func run(
        _ trie: BatchTrie, filling newEntries: [NewCacheEntry], trace: ((NodeTrace) -> Void)?,
        checkpoint: (Double) throws -> Void
    ) throws -> [[Float]] {
        let pooled = trie.pooled.uniqued()
        let pass = try makePass(trie, pooledRows: pooled.count, trace: trace)
        defer { arena = pass.arena }
        let (allNodes, last) = (graph.allNodes, config.layerCount - 1)
        weights.tokenEmbedding.dequantize(rows: trie.tokens, into: pass.residual)
        for layer in 0..<last {
            try pass.runAll(allNodes, layer: layer, checkpoint: checkpoint)
            pass.fill(newEntries, layer: layer)
        }
        try pass.runAll(graph.contextNodes, layer: last, checkpoint: checkpoint)
        pass.runPooled(pooled, graph.pooledNodes, layer: last)
        pass.fill(newEntries, layer: last)
        let row = Dictionary(uniqueKeysWithValues: pooled.enumerated().map { ($1.row, $0) })
        return trie.pooled.map { token in
            rmsNorm(
                pass.pooledResidual.row(row[token.row]!), gain: weights.outputNorm, epsilon: config.rmsNormEpsilon,
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

    /// The last arena again if it is large enough and not far too large. Until it is put back nobody else may use it:
    /// lists that run in between get another one.
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
}

extension [BatchTrie.Pooled] {
    /// Each pooled token once; equal ones are neighbors, as equal lists are.
    fileprivate func uniqued() -> Self {
        reduce(into: []) { if $0.last != $1 { $0.append($1) } }
    }
}
