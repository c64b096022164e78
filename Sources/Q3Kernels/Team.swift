// The threads that compute, and the operations that they share.

internal import CShims

/// One product of an operation: output [tokens, rows of weights] (+)= input · weightsᵀ.
public struct Product {
    let weights: Matrix
    let output: FloatMatrix
    let adds: Bool

    public init(_ weights: Matrix, into output: FloatMatrix, adding adds: Bool = false) {
        self.weights = weights
        self.output = output
        self.adds = adds
    }
}

/// A run of consecutive tokens of a batch trie: a path from the root to a token runs through parents.
public struct TokenRun: Sendable, Equatable {
    /// Run that holds the token before `position`, nil at the root. It may go on beyond that token.
    package let parent: Int?
    /// Absolute position of the run's first token.
    package let position: Int
    /// Row of the first token in the batch.
    package let row: Int
    package let count: Int

    public init(parent: Int?, position: Int, row: Int, count: Int) {
        self.parent = parent
        self.position = position
        self.row = row
        self.count = count
    }
}

/// Tokens [first, first + count) of one run that attend; their queries and outputs lie in rows from `row` on.
public struct AttentionQuery: Sendable, Equatable {
    package let run: Int
    package let first: Int
    package let count: Int
    package let row: Int

    public init(run: Int, first: Int, count: Int, row: Int) {
        self.run = run
        self.first = first
        self.count = count
        self.row = row
    }
}

/// How far attention rounds what it multiplies.
public enum AttentionRounding: Sendable, CaseIterable {
    /// Not at all.
    case f32
    /// Queries, keys, values and weights to 14 bits, which takes 2/3 of the time.
    case w16
    /// Queries and keys to 8 bits with one scale for every 32 channels, values to 8 with one for each key, weights to 7 with
    /// one for every 64 keys, which takes a third of the time.
    case bytes

    var raw: q3_attention_rounding {
        switch self {
        case .f32: Q3_ATTENTION_F32
        case .w16: Q3_ATTENTION_W16
        case .bytes: Q3_ATTENTION_BYTES
        }
    }
}

/// A set of threads with work memory. Only one thread of the process may call its operations: libomp keeps a team for
/// every caller.
@safe public struct Team {
    private let raw: q3_team
    package let isa: ISA
    package var threads: Int { unsafe Int(raw.threads) }

    /// The max number of threads.
    package static let threadLimit = Int(Q3_MAX_THREADS)

    /// How many of `threads` threads the system lets run at once; starts them for a moment to see.
    package static func startableThreads(_ threads: Int) -> Int { Int(q3_startable_threads(UInt32(threads))) }

    /// Bytes of work memory for `threads` threads and matrices of at most `widest` columns.
    public static func scratchByteCount(threads: Int, widest: Int, headDim: Int) -> Int {
        threads * threadByteCount(widest: widest, headDim: headDim)
    }

    private static func threadByteCount(widest: Int, headDim: Int) -> Int {
        (max(q3_multiply_scratch_bytes(widest), q3_attention_scratch_bytes(headDim)) + 63) / 64 * 64
    }

    public init(isa: ISA, threads: Int, scratch: ArenaLayout.Place, in arena: Arena, widest: Int, headDim: Int) {
        precondition(isa.isAvailable && threads > 0)
        let bytes = Self.threadByteCount(widest: widest, headDim: headDim)
        precondition(bytes * threads <= scratch.byteCount)
        self.isa = isa
        unsafe raw = q3_team(
            kernels: q3_kernels_of(isa.raw), threads: UInt32(threads), scratch: arena.pointer(scratch, as: UInt8.self),
            thread_bytes: bytes
        )
    }

    /// Rows of x, normalized by RMS and `gain` when there is one, become `output` in every format that it has.
    public func prepare(_ x: FloatMatrix, gain: [Float]?, epsilon: Float, into output: Activations) {
        precondition(x.cols == output.cols && x.rows <= output.rows && gain?.count ?? x.cols == x.cols)
        if let gain {
            unsafe q3_prepare(raw, x.base, gain, epsilon, x.rows, output.raw)
        } else {
            unsafe q3_prepare(raw, x.base, nil, epsilon, x.rows, output.raw)
        }
    }

    /// Several products over the same input.
    public func multiply(_ products: [Product], input: Activations) {
        let list = unsafe products.map { product in
            check(product.weights, input)
            precondition(product.output.cols == product.weights.rows && product.output.rows == input.rows)
            return unsafe q3_product(
                weights: product.weights.raw, out: product.output.base, out_stride: product.output.cols,
                add: product.adds)
        }
        unsafe q3_multiply(raw, list, list.count, input.raw, input.rows)
    }

    /// output [tokens, rows] = silu(input · gateᵀ) · (input · upᵀ).
    public func multiplySwiGLU(gate: Matrix, up: Matrix, input: Activations, into output: FloatMatrix) {
        check(gate, input)
        check(up, input)
        precondition(gate.rows == up.rows && output.cols == gate.rows && output.rows == input.rows)
        unsafe q3_multiply_swiglu(raw, gate.raw, up.raw, input.raw, output.base, input.rows)
    }

    private func check(_ weights: Matrix, _ input: Activations) {
        precondition(weights.cols == input.cols && weights.rows.isMultiple(of: Matrix.rowMultiple))
        precondition(input.families.contains(weights.family))
    }

    /// RMS norm and rotary embedding of every head of x [tokens, heads · headDim], in place.
    /// `cosines` and `sines` are [positions, headDim/2].
    public func normalizeAndRotate(
        _ x: FloatMatrix, headDim: Int, gain: [Float], epsilon: Float, positions: ArraySlice<Int32>,
        rotations: Rotations
    ) {
        precondition(gain.count == headDim && x.cols.isMultiple(of: headDim) && positions.count == x.rows)
        precondition(rotations.width == headDim / 2 && positions.allSatisfy { 0..<rotations.positions ~= Int($0) })
        unsafe positions.withUnsafeBufferPointer { positions in
            unsafe q3_norm_rope_heads(
                raw, x.base, x.rows, x.cols / headDim, headDim, gain, epsilon, positions.baseAddress, rotations.cosines,
                rotations.sines)
        }
    }

    /// Causal attention: `queries` and `output` [rows, heads · headDim], `keys` and `values` [batch rows, kvHeads ·
    /// headDim].
    public func attend(
        _ list: [AttentionQuery], runs: [TokenRun], queries: FloatMatrix, keys: FloatMatrix, values: FloatMatrix,
        headDim: Int, rounding: AttentionRounding, into output: FloatMatrix
    ) {
        let heads = queries.cols / headDim
        let kvHeads = keys.cols / headDim
        precondition(heads.isMultiple(of: kvHeads) && output.cols == queries.cols && keys.cols == values.cols)
        let limit = Self.queryTokens(group: heads / kvHeads)
        for query in list {
            precondition(1...limit ~= query.count && query.first + query.count <= runs[query.run].count)
            precondition(query.row + query.count <= min(queries.rows, output.rows))
        }
        precondition(runs.allSatisfy { $0.row + $0.count <= min(keys.rows, values.rows) })
        let rawRuns = runs.map {
            q3_run(
                parent: Int32($0.parent ?? -1), position: Int32($0.position), row: Int32($0.row), count: Int32($0.count)
            )
        }
        let rawQueries = list.map {
            q3_query(run: Int32($0.run), first: Int32($0.first), count: Int32($0.count), row: Int32($0.row))
        }
        unsafe rawRuns.withUnsafeBufferPointer { rawRuns in
            let attention = unsafe q3_attention(
                runs: rawRuns.baseAddress, keys: keys.base, values: values.base, heads: heads, kv_heads: kvHeads,
                head_dim: headDim, scale: 1 / Float(headDim).squareRoot(), rounding: rounding.raw)
            unsafe q3_attend_all(raw, attention, rawQueries, list.count, queries.base, output.base)
        }
    }

    /// The most tokens of one query when `group` heads share a K/V head.
    public static func queryTokens(group: Int) -> Int { Int(Q3_QUERY_ROWS) / group }
}

/// x / rms(x) · gain, on the calling thread; the count is a multiple of 16.
package func rmsNorm(_ x: [Float], gain: [Float], epsilon: Float, isa: ISA) -> [Float] {
    precondition(x.count == gain.count && x.count.isMultiple(of: 16))
    return unsafe [Float](unsafeUninitializedCapacity: x.count) { buffer, count in
        unsafe isa.kernels.rms_norm(x, gain, epsilon, x.count, buffer.baseAddress!)
        count = x.count
    }
}
