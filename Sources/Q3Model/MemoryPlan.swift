// How much memory a pass takes, known before it runs.

import Q3Kernels

/// Bytes that a pass over one text of a given length takes.
public struct MemoryPlan: Sendable, Equatable {
    /// Distinct tokens of the batch.
    public let tokenCount: Int
    /// Bytes of the mapped file that a pass reads; shared with other processes that map it.
    public let weightBytes: Int
    /// The residual stream of the whole batch, and its last rows: f32 [tokenCount, hiddenSize].
    public let residualBytes: Int
    /// Keys and values of the one layer that is running: 2 · f32 [tokenCount, kvHeads · headDim].
    public let keyValueBytes: Int
    /// Everything else: one block of tokens in each format, the threads' panels, rotation tables. Bounded for any length.
    public let scratchBytes: Int

    public var totalBytes: Int { weightBytes + residualBytes + keyValueBytes + scratchBytes }
}

/// The buffers of one micro-batch and where they lie in the arena.
struct ScratchPlan {
    let rows: Int
    let keyRows: Int
    let pooledRows: Int
    let blockRows: Int
    let residual, keys, values, lastResidual: ArenaLayout.Place
    let queries, attended, hidden: ArenaLayout.Place
    let input: ActivationPlaces
    let threads: ArenaLayout.Place
    let byteCount: Int
    let residualByteCount: Int
    let keyValueByteCount: Int

    /// For `rows` computed tokens of which `pooledRows` are pooled, with keys and values of `keyRows`; products take
    /// `blockRows` tokens at a time.
    init(
        config c: Qwen3Config, families: Set<PanelFamily>, rows: Int, keyRows: Int, pooledRows: Int,
        blockRows limit: Int, threads count: Int
    ) {
        var layout = ArenaLayout()
        self.rows = rows
        self.keyRows = keyRows
        self.pooledRows = pooledRows
        blockRows = min(limit, rows)
        residual = layout.reserveFloats(rows, c.hiddenSize)
        lastResidual = layout.reserveFloats(pooledRows, c.hiddenSize)
        residualByteCount = layout.byteCount
        keys = layout.reserveFloats(keyRows, c.keyWidth)
        values = layout.reserveFloats(keyRows, c.keyWidth)
        keyValueByteCount = layout.byteCount - residualByteCount
        queries = layout.reserveFloats(blockRows, c.queryWidth)
        attended = layout.reserveFloats(blockRows, c.queryWidth)
        hidden = layout.reserveFloats(blockRows, c.ffnSize)
        input = ActivationPlaces(rows: blockRows, widest: c.widestInput, families: families, in: &layout)
        threads = layout.reserve(
            byteCount: Team.scratchByteCount(threads: count, widest: c.widestInput, headDim: c.headDim))
        byteCount = layout.byteCount
    }
}

extension Qwen3Config {
    /// Columns of the widest matrix.
    var widestInput: Int { max(hiddenSize, queryWidth, ffnSize) }
}
