// Operands of attention: one text.
import Q3Kernels

/// Queries, keys and values of one text of `tokens` tokens.
struct AttentionBench {
    private let team: Team
    private let queries, keys, values, output: FloatMatrix
    private let headDim: Int
    private let list: [AttentionQuery]
    private let runs: [TokenRun]
    private let positions: [Int32]
    private let gain: [Float]
    private let rotations: Rotations
    private let arena: Arena

    init(tokens: Int, heads: Int, kvHeads: Int, headDim: Int) {
        var layout = ArenaLayout()
        let places = [heads, kvHeads, kvHeads, heads].map { layout.reserveFloats(tokens, $0 * headDim) }
        let scratch = layout.reserve(
            byteCount: Team.scratchByteCount(threads: 1, widest: heads * headDim, headDim: headDim))
        let arena = Arena(byteCount: layout.byteCount)!
        self.arena = arena
        team = Team(isa: .best, threads: 1, scratch: scratch, in: arena, widest: heads * headDim, headDim: headDim)
        let matrices = zip(places, [heads, kvHeads, kvHeads, heads]).map { place, count in
            let matrix = arena.matrix(place, rows: tokens, cols: count * headDim)
            matrix.store((0..<tokens * count * headDim).map { Float($0 % 251) / 125 - 1 })
            return matrix
        }
        (queries, keys, values, output) = (matrices[0], matrices[1], matrices[2], matrices[3])
        self.headDim = headDim
        let limit = Team.queryTokens(group: heads / kvHeads)
        list = stride(from: 0, to: tokens, by: limit).map {
            AttentionQuery(run: 0, first: $0, count: min(limit, tokens - $0), row: $0)
        }
        runs = [TokenRun(parent: nil, position: 0, row: 0, count: tokens)]
        positions = Array(0..<Int32(tokens))
        gain = [Float](repeating: 1, count: headDim)
        rotations = Rotations(positions: tokens, headDim: headDim, theta: 1_000_000)
    }

    func attend(_ rounding: AttentionRounding) {
        team.attend(
            list, runs: runs, queries: queries, keys: keys, values: values, headDim: headDim, rounding: rounding,
            into: output)
    }

    func normalizeAndRotate() {
        team.normalizeAndRotate(
            queries, headDim: headDim, gain: gain, epsilon: 1e-6, positions: positions[...], rotations: rotations)
    }
}
