// The work of one node of a pass, and how long its products take alone.
import Q3GGUF
import Q3Kernels
import Q3Model
import Q3System

/// A node that ran: a few products over one input, attention, or other work.
struct ProductNode: Sendable {
    let name: String
    let rowCount: Int
    let matrices: [Matrix]
    let multiplyAdds: Int
    private let isSwiGLU: Bool

    @Sendable init(_ trace: NodeTrace) {
        (name, rowCount, matrices) = (trace.node, trace.rowCount, trace.matrices)
        (multiplyAdds, isSwiGLU) = (trace.multiplyAdds, trace.isSwiGLU)
    }

    /// Types of the weights, such as "Q4_K Q4_K Q6_K".
    var types: String {
        matrices.map { TensorType(rawValue: $0.typeID)?.name ?? "\($0.typeID)" }.joined(separator: " ")
    }

    /// Seconds at the given multiply-adds per second of each family; attention counts as f32.
    func seconds(at rate: (PanelFamily) -> Double?) -> Double {
        guard !matrices.isEmpty else { return multiplyAdds == 0 ? 0 : Double(multiplyAdds) / (rate(.f32) ?? .nan) }
        return matrices.reduce(0) { $0 + Double(rowCount * $1.rows * $1.cols) / (rate($1.family) ?? .nan) }
    }

    /// Seconds of one thread's processor time for the products over as many random tokens: the best of several
    /// runs.
    func singleThreadSeconds(isa: ISA, repeatCount: Int) throws -> Double {
        let cols = matrices[0].cols
        let families = Set(matrices.map(\.family))
        var layout = ArenaLayout()
        let inputPlace = layout.reserveFloats(rowCount, cols)
        let places = ActivationPlaces(rows: rowCount, widest: cols, families: families, in: &layout)
        let outputPlaces = matrices.map { layout.reserveFloats(rowCount, $0.rows) }
        let scratch = layout.reserve(byteCount: Team.scratchByteCount(threads: 1, widest: cols, headDim: 32))
        guard let arena = Arena(byteCount: layout.byteCount) else {
            throw ModelError.outOfMemory(byteCount: layout.byteCount)
        }
        let team = Team(isa: isa, threads: 1, scratch: scratch, in: arena, widest: cols, headDim: 32)
        let input = Activations(places, in: arena, rows: rowCount, cols: cols, families: families)
        let outputs = zip(matrices, outputPlaces).map { arena.matrix($1, rows: rowCount, cols: $0.rows) }
        var random = SeededGenerator(seed: 7)
        let x = arena.matrix(inputPlace, rows: rowCount, cols: cols)
        x.store((0..<rowCount * cols).map { _ in Float.random(in: -2...2, using: &random) })
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
}

/// Processor time of the calling thread, as the ceilings are counted in.
private var processorSeconds: Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}
