// A random batch to attend over: runs that branch, one K/V head for several query heads, and the answer in f64.

import CShims
import Q3System
import TestSupport

@testable import Q3Kernels

/// Runs of tokens with queries, keys and values.
@safe struct AttentionCase {
    let runs: [q3_run]
    let heads: Int
    let kvHeads: Int
    let headDim: Int
    var rounding = AttentionRounding.f32
    var queries: [Float]  // [rows, heads, headDim]
    var keys: [Float]  // [rows, kvHeads, headDim]
    var values: [Float]  // [rows, kvHeads, headDim]

    var rows: Int { runs.reduce(0) { $0 + Int($1.count) } }
    private var group: Int { heads / kvHeads }
    private var scale: Float { 1 / Float(headDim).squareRoot() }

    /// `runs` as (parent, position, count); rows follow each other.
    init(
        runs list: [(parent: Int, position: Int, count: Int)], group: Int, headDim: Int, seed: UInt64,
        rounding: AttentionRounding = .f32
    ) {
        var random = SeededGenerator(seed: seed)
        var rows = 0
        runs = list.map { run in
            defer { rows += run.count }
            return q3_run(
                parent: Int32(run.parent), position: Int32(run.position), row: Int32(rows), count: Int32(run.count))
        }
        kvHeads = 2
        heads = 2 * group
        self.headDim = headDim
        self.rounding = rounding
        queries = random.floats(rows * heads * headDim, magnitude: 4)
        keys = random.floats(rows * kvHeads * headDim, magnitude: 2)
        values = random.floats(rows * kvHeads * headDim)
    }

    /// Some roots and some runs that leave another one at any of its tokens.
    static func randomRuns(seed: UInt64) -> [(parent: Int, position: Int, count: Int)] {
        var random = SeededGenerator(seed: seed)
        var runs: [(parent: Int, position: Int, count: Int)] = []
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let count = Int.random(in: 1...150, using: &random)
            if runs.isEmpty || Int.random(in: 0..<4, using: &random) == 0 {
                runs.append((-1, 0, count))
            } else {
                let parent = Int.random(in: 0..<runs.count, using: &random)
                let above = Int.random(in: 0..<runs[parent].count, using: &random)
                runs.append((parent, runs[parent].position + above + 1, count))
            }
        }
        return runs
    }

    /// What every row gets, [rows, heads, headDim], in queries of at most `most` tokens.
    func attend(_ isa: ISA, most: Int = Int(Q3_QUERY_ROWS)) -> [Float] {
        let (queryMemory, keyMemory, valueMemory) = (GuardedMemory(queries), GuardedMemory(keys), GuardedMemory(values))
        let runMemory = GuardedMemory(runs)
        let output = GuardedMemory<Float>(count: queries.count)
        let scratch = GuardedMemory<UInt8>(count: q3_attention_scratch_bytes(headDim))
        var attention = unsafe q3_attention(
            runs: runMemory.base, keys: keyMemory.base, values: valueMemory.base, heads: heads, kv_heads: kvHeads,
            head_dim: headDim, scale: scale, rounding: rounding.raw)
        let limit = min(most, Int(Q3_QUERY_ROWS) / group)
        for (index, run) in runs.enumerated() {
            for first in stride(from: 0, to: Int(run.count), by: limit) {
                let query = q3_query(
                    run: Int32(index), first: Int32(first), count: min(Int32(limit), run.count - Int32(first)),
                    row: run.row + Int32(first))
                for head in 0..<kvHeads {
                    unsafe isa.kernels.attend(
                        &attention, query, head, queryMemory.base, output.base, scratch.base)
                }
            }
        }
        return output.elements
    }

    /// Rows from the root to token `offset` of run `run`, oldest first.
    private func path(run: Int, offset: Int) -> [Int] {
        let last = runs[run]
        let own = (0...offset).map { Int(last.row) + $0 }
        if last.parent < 0 { return own }
        return path(run: Int(last.parent), offset: Int(last.position - 1 - runs[Int(last.parent)].position)) + own
    }

    /// Softmax attention of one token and head, [headDim].
    func truth(run: Int, offset: Int, head: Int) -> [Double] {
        let path = path(run: run, offset: offset)
        let query = (Int(runs[run].row) + offset) * heads * headDim + head * headDim
        let columns = path.map { ($0 * kvHeads + head / group) * headDim }
        // Plain loops over pointers: in a debug build every closure would cost more than the arithmetic.
        return unsafe queries.withUnsafeBufferPointer { queries in
            unsafe keys.withUnsafeBufferPointer { keys in
                unsafe values.withUnsafeBufferPointer { values in
                    let scores = columns.map { column in
                        var sum = 0.0
                        for k in 0..<headDim { unsafe sum += Double(queries[query + k]) * Double(keys[column + k]) }
                        return sum * Double(scale)
                    }
                    let top = scores.max()!
                    let weights = scores.map { exp($0 - top) }
                    let total = weights.reduce(0, +)
                    return (0..<headDim).map { k in
                        var sum = 0.0
                        for (index, column) in columns.enumerated() {
                            unsafe sum += weights[index] * Double(values[column + k])
                        }
                        return sum / total
                    }
                }
            }
        }
    }
}
