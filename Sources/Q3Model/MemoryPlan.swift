// How much memory a pass takes, known before it runs.

import Q3Kernels

/// Bytes that a pass over one text of a given length takes.
public struct MemoryPlan: Sendable, Equatable {
    /// Tokens of the text.
    public let tokenCount: Int
    /// Bytes of the mapped file that a pass reads; shared with other processes that map it.
    public let weightBytes: Int
    /// Bytes that weights kept packed take once texts have used them all; 0 unless `ModelOptions.packedWeightBytes` asks
    /// for it.
    public let packedWeightBytes: Int
    /// The residual stream of the whole batch, and its last rows: f32 [tokenCount, hiddenSize].
    public let residualBytes: Int
    /// Keys and values of the one layer that is running: 2 · f32 [tokenCount, kvHeads · headDim].
    public let keyValueBytes: Int
    /// Everything else: one block of tokens in each format, the threads' panels, rotation tables. Bounded for any
    /// length.
    public let scratchBytes: Int

    /// All of these together.
    public var totalBytes: Int { weightBytes + packedWeightBytes + residualBytes + keyValueBytes + scratchBytes }
}

/// The buffers of one micro-batch and where they lie in the arena.
struct ScratchPlan {
    let rows: Int
    let keyRows: Int
    let pooledRows: Int
    let blockRows: Int
    /// Max tokens of one attention item.
    let queryTokens: Int
    /// The place of each buffer of the layer. The residual stream, keys and values have a row for every token of the
    /// batch, the others one for every token of a block.
    let places: [ArenaLayout.Place]
    let pooledResidual: ArenaLayout.Place
    let input: ActivationPlaces
    let threads: ArenaLayout.Place
    let byteCount: Int
    let residualByteCount: Int
    let keyValueByteCount: Int

    /// For `rows` computed tokens of which `pooledRows` are pooled, with keys and values of `keyRows`; products take
    /// `blockRows` tokens at a time.
    init(
        _ graph: LayerGraph, config: Qwen3Config, families: Set<PanelFamily>, rows: Int, keyRows: Int,
        pooledRows: Int, blockRows limit: Int, threads count: Int
    ) {
        var layout = ArenaLayout()
        self.rows = rows
        self.keyRows = keyRows
        self.pooledRows = pooledRows
        let block = min(limit, rows)
        blockRows = block
        queryTokens = WorkShare.queryTokens(
            tokens: block, group: config.group, kvHeads: config.kvHeads, threads: count)
        let places = graph.buffers.map { buffer in
            let rows = buffer == graph.residual ? rows : graph.context.contains(buffer) ? keyRows : block
            return layout.reserveFloats(rows, config[keyPath: buffer.width])
        }
        self.places = places
        pooledResidual = layout.reserveFloats(pooledRows, config.hiddenSize)
        residualByteCount = places[graph.residual.index].byteCount + pooledResidual.byteCount
        keyValueByteCount = graph.context.reduce(0) { $0 + places[$1.index].byteCount }
        input = ActivationPlaces(rows: block, widest: config.widestInput, families: families, in: &layout)
        threads = layout.reserve(
            byteCount: Team.scratchByteCount(threads: count, widest: config.widestInput, headDim: config.headDim))
        byteCount = layout.byteCount
    }
}

extension Qwen3Config {
    /// Columns of the widest matrix.
    var widestInput: Int { max(hiddenSize, queryWidth, ffnSize) }
}
