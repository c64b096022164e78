// Operands of products: one matrix, one block of tokens.
import Q3GGUF
import Q3Kernels

/// One matrix [rows, cols] and `tokens` inputs for it, in memory of its own that lives as long as the process.
struct LayerBench {
    private let team: Team
    private let x: FloatMatrix
    private let input: Activations
    private let output: FloatMatrix
    private let weights: Matrix
    private let arena: Arena

    init(tokens: Int, cols: Int, rows: Int, type: TensorType) {
        let family = PanelFamily.forType(type.rawValue, in: [.u8, .w16, .f32])!
        // 0x11 everywhere is a valid block of every type: scales of 0.0006, or floats near 0.
        let bytes = UnsafeMutableRawBufferPointer.allocate(
            byteCount: rows * cols / type.itemsPerBlock * type.bytesPerBlock, alignment: 64)
        bytes.initializeMemory(as: UInt8.self, repeating: 0x11)
        weights = Matrix(
            bytes: UnsafeRawBufferPointer(bytes), typeID: type.rawValue, rows: rows, cols: cols, family: family)!

        var layout = ArenaLayout()
        let xPlace = layout.reserveFloats(tokens, cols)
        let outputPlace = layout.reserveFloats(tokens, rows)
        let inputPlaces = ActivationPlaces(rows: tokens, widest: cols, families: [family], in: &layout)
        let scratch = layout.reserve(byteCount: Team.scratchByteCount(threads: 1, widest: cols, headDim: 128))
        arena = Arena(byteCount: layout.byteCount)!
        team = Team(isa: .best, threads: 1, scratch: scratch, in: arena, widest: cols, headDim: 128)
        x = arena.matrix(xPlace, rows: tokens, cols: cols)
        x.store((0..<tokens * cols).map { Float($0 % 251) / 125 - 1 })
        output = arena.matrix(outputPlace, rows: tokens, cols: rows)
        input = Activations(inputPlaces, in: arena, rows: tokens, cols: cols, families: [family])
        prepare()
    }

    func prepare() { team.prepare(x, gain: nil, epsilon: 1e-6, into: input) }
    func multiply() { team.multiply([Product(weights, into: output)], input: input) }
    func multiplySwiGLU() { team.multiplySwiGLU(gate: weights, up: weights, input: input, into: output) }
}
