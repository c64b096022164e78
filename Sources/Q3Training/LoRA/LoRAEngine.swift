// One step's loss and gradient with cached gradients, and states without a gradient.
import Q3Kernels
import Q3Linear
package import Q3Model

/// The trained layers over the states of a task's texts. Its functions run on the inference thread.
///
/// A batch is computed in chunks of texts (GradCache, Gao and others 2021): first the states of all its texts, then the
/// loss and its gradient for each state, then each chunk's backward pass with its part of that gradient. What a chunk
/// needs for that is kept up to a limit of bytes and computed again beyond it, so memory does not grow with the batch,
/// and the bits are the same either way.
package struct LoRAEngine: Sendable {
    package let stack: LayerStack<Float>
    let states: TrunkStates
    let task: any LoRATask
    let options: LoRAOptions
    var shape: AdapterShape { stack.shape }

    package init(
        _ model: Qwen3Model, task: any LoRATask, states: TrunkStates, shape: AdapterShape, options: LoRAOptions
    ) throws {
        let team = try ProductTeam(threads: options.threads)
        let longest = states.tokenCounts.max() ?? 1
        stack = try LayerStack(model, shape: shape, longest: longest, team: team)
        try stack.reserve(chunkTokens: max(options.chunkTokens, longest), longest: longest)
        self.states = states
        self.task = task
        self.options = options
    }

    /// Texts in their order, cut into chunks of at most `chunkTokens` tokens; a longer text is a chunk of its own.
    private func chunks(of texts: [Int]) -> [[Int]] {
        var chunks: [[Int]] = []
        var tokens = Int.max
        for text in texts {
            let count = states.tokenCounts[text]
            if tokens > options.chunkTokens - min(count, options.chunkTokens) {
                chunks.append([])
                tokens = 0
            }
            chunks[chunks.count - 1].append(text)
            tokens += count
        }
        return chunks
    }

    private func forward(
        _ chunk: [Int], _ parameters: Grid<Float>
    ) throws -> (states: Grid<Float>, saved: LayerStack<Float>.Saved) {
        stack.forward(
            try states.read(chunk, from: stack.pool), tokenCounts: chunk.map { states.tokenCounts[$0] },
            parameters: parameters)
    }

    /// The states of texts after the final norm [texts, hiddenSize]. `progress` gets the part that is done.
    package func states(
        of texts: [Int], parameters: [Float], progress: ((Double) -> Void)? = nil
    ) throws -> [Float] {
        let grid = Grid(parameters, columns: parameters.count, from: stack.pool)
        var values: [Float] = []
        let chunks = chunks(of: texts)
        values.reserveCapacity(texts.count * stack.config.hiddenSize)
        for (index, chunk) in chunks.enumerated() {
            values += try forward(chunk, grid).states.values
            progress?(Double(index + 1) / Double(chunks.count))
        }
        return values
    }

    /// The loss of a batch of examples, its gradient for every parameter, and how long that took.
    package func slope(
        of batch: [Int], parameters: [Float]
    ) throws -> (loss: Double, gradient: [Float], time: LoRAStepTime) {
        var time = LoRAStepTime()
        var clock = ContinuousClock.now
        func lap() -> Double {
            defer { clock = .now }
            return (ContinuousClock.now - clock) / .seconds(1)
        }
        let grid = Grid(parameters, columns: parameters.count, from: stack.pool)
        let chunks = chunks(of: task.texts(of: batch))
        var room = options.keptByteLimit / MemoryLayout<Float>.stride
        var kept: [LayerStack<Float>.Saved?] = []
        var values: [Float] = []
        for chunk in chunks {
            let size = stack.savedCount(
                tokens: chunk.reduce(0) { $0 + states.tokenCounts[$1] }, texts: chunk.count)
            let (output, saved) = try forward(chunk, grid)
            values += output.values
            room -= size
            kept.append(room >= 0 ? saved : nil)
        }
        time.tokens = chunks.joined().reduce(0) { $0 + states.tokenCounts[$1] }
        time.forward = lap()
        let (loss, gradient) = task.loss(of: batch, states: values, threads: stack.team.threads)
        time.loss = lap()
        let sum = Grid(1, parameters.count, from: stack.pool)
        sum.clear()
        let columns = stack.config.hiddenSize
        var first = 0
        for (index, chunk) in chunks.enumerated() {
            let part = gradient[first * columns..<(first + chunk.count) * columns].map { Float($0) }
            first += chunk.count
            let saved = try kept[index] ?? forward(chunk, grid).saved
            kept[index] = nil
            stack.backward(
                Grid(part, columns: columns, from: stack.pool), saved, parameters: grid, into: sum)
        }
        time.backward = lap()
        return (loss, sum.values, time)
    }
}

/// Where the time of steps went, in seconds.
public struct LoRAStepTime: Sendable, Equatable {
    /// Tokens of the texts.
    public var tokens = 0
    /// The states of all texts.
    public var forward = 0.0
    /// The loss and its gradient for the states.
    public var loss = 0.0
    /// The backward passes, with the forward passes that are made again for them.
    public var backward = 0.0

    static func += (sum: inout Self, other: Self) {
        sum.tokens += other.tokens
        sum.forward += other.forward
        sum.loss += other.loss
        sum.backward += other.backward
    }
}

extension LoRAEngine {
    /// A gradient that is no longer than `limit`, as PyTorch's clip_grad_norm_ cuts it.
    static func limited(_ gradient: [Float], to limit: Double?) -> [Float] {
        guard let limit else { return gradient }
        let length = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        let factor = limit / (length + 1e-6)
        return factor < 1 ? gradient.map { $0 * Float(factor) } : gradient
    }
}
