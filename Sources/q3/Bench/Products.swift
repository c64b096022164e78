// The products of a model's layers by the types of their weights, and how long they take.
import Q3GGUF
import Q3Kernels
import Q3Model
import Q3System

/// One operation of a layer: products that share their input.
struct LayerProducts {
    /// The graph's name for it.
    let node: String
    /// Types of the weights, such as "Q4_K Q4_K Q6_K".
    let types: String
    /// [outputs, inputs] each; the first two are gate and up where `isSwiGLU`.
    let matrices: [Matrix]
    let isSwiGLU: Bool

    private static let parts: [(node: String, tensors: [String], isSwiGLU: Bool)] = [
        ("qkv", ["attn_q", "attn_k", "attn_v"], false), ("attnOut", ["attn_output"], false),
        ("gateUpSwiGLU", ["ffn_gate", "ffn_up"], true), ("ffnDown", ["ffn_down"], false),
    ]

    /// The operations of one layer, in order. The file must outlive them.
    static func ofLayer(_ layer: Int, in setup: BenchSetup) throws -> [LayerProducts] {
        try parts.map { part in
            let tensors = try part.tensors.map { name throws(ModelError) in
                let name = "blk.\(layer).\(name).weight"
                guard let tensor = setup.file.tensor(named: name) else { throw ModelError.missingTensor(name) }
                return tensor
            }
            let matrices = try tensors.map { tensor throws(ModelError) in
                guard let matrix = matrix(tensor, in: setup) else {
                    throw ModelError.unsupportedType(
                        tensor: tensor.name, type: tensor.type, wanted: "a computable type")
                }
                return matrix
            }
            return LayerProducts(
                node: part.node, types: tensors.map(\.type.name).joined(separator: " "), matrices: matrices,
                isSwiGLU: part.isSwiGLU)
        }
    }

    private static func matrix(_ tensor: TensorInfo, in setup: BenchSetup) -> Matrix? {
        let type = tensor.type.rawValue
        guard let family = PanelFamily.forType(type, exact: setup.options.precision == .exact) else { return nil }
        return unsafe Matrix(
            bytes: setup.file.bytes(of: tensor), typeID: type, rows: tensor.rowCount, cols: tensor.shape[0],
            family: family)
    }

    var multiplyAddsPerToken: Int { matrices.reduce(0) { $0 + $1.rows * $1.cols } }

    /// The best of several runs on one thread, in seconds of its processor time, on `tokenCount` random tokens.
    func seconds(tokenCount: Int, isa: ISA, repeatCount: Int) throws -> Double {
        let cols = matrices[0].cols
        let families = Set(matrices.map(\.family))
        var layout = ArenaLayout()
        let inputPlace = layout.reserveFloats(tokenCount, cols)
        let places = ActivationPlaces(rows: tokenCount, widest: cols, families: families, in: &layout)
        let outputPlaces = matrices.map { layout.reserveFloats(tokenCount, $0.rows) }
        let scratch = layout.reserve(byteCount: Team.scratchByteCount(threads: 1, widest: cols, headDim: 32))
        guard let arena = Arena(byteCount: layout.byteCount) else {
            throw ModelError.outOfMemory(byteCount: layout.byteCount)
        }
        let team = Team(isa: isa, threads: 1, scratch: scratch, in: arena, widest: cols, headDim: 32)
        let input = Activations(places, in: arena, rows: tokenCount, cols: cols, families: families)
        let outputs = zip(matrices, outputPlaces).map { arena.matrix($1, rows: tokenCount, cols: $0.rows) }
        var random = SeededGenerator(seed: 7)
        let x = arena.matrix(inputPlace, rows: tokenCount, cols: cols)
        x.store((0..<tokenCount * cols).map { _ in Float.random(in: -2...2, using: &random) })
        team.prepare(x, gain: nil, epsilon: 1e-6, into: input)
        let times = (0..<max(3, repeatCount)).map { _ in
            let start = processorSeconds
            if isSwiGLU {
                team.multiplySwiGLU(gate: matrices[0], up: matrices[1], input: input, into: outputs[0])
            } else {
                team.multiply(zip(matrices, outputs).map { Product($0, into: $1) }, input: input)
            }
            return processorSeconds - start
        }
        return times.min() ?? .nan
    }

    /// Processor time of the calling thread, as the ceilings are counted in.
    private var processorSeconds: Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
