// A layer as a list of operations, and what follows from the list: its buffers, and which operations a result needs.

import Q3Kernels

/// The operations of a layer in order, declared line by line with a `Builder`.
///
/// The executor runs them, the scratch plan reserves memory for their buffers, and `trace` reports them.
struct LayerGraph: Sendable {
    typealias Weight = any KeyPath<Qwen3Layer, Matrix> & Sendable
    typealias Gain = any KeyPath<Qwen3Layer, [Float]> & Sendable
    typealias Width = any KeyPath<Qwen3Config, Int> & Sendable

    /// A buffer that operations read and write: f32 [tokens, width].
    struct Buffer: Hashable, Sendable {
        let index: Int
        let name: String
        let width: Width

        static func == (a: Self, b: Self) -> Bool { a.index == b.index }
        func hash(into hasher: inout Hasher) { hasher.combine(index) }
    }

    struct Product: Sendable {
        let weight: Weight
        let output: Buffer
        let adds: Bool
    }

    enum Operation: Sendable {
        /// Normalizes rows if there is a gain, and rounds them to what the following products take as input.
        case prepare(Buffer, gain: Gain?)
        /// Products over the last prepared input.
        case multiply([Product])
        case multiplySwiGLU(gate: Weight, up: Weight, output: Buffer)
        case normalizeAndRotate(Buffer, gain: Gain)
        case attend(queries: Buffer, keys: Buffer, values: Buffer, output: Buffer)
    }

    struct Node: Sendable {
        let name: String
        let operation: Operation
        /// What it multiplies with; for an input, what the products that read it multiply with.
        fileprivate(set) var weights: [Weight]
    }

    /// The residual stream comes first.
    let buffers: [Buffer]
    /// Keys and values, which later tokens read: the batch keeps all their rows, as it does of the residual stream.
    let context: [Buffer]
    private let declared: [Node]

    init(_ declare: (inout Builder) -> Void) {
        var builder = Builder()
        declare(&builder)
        context = builder.context
        buffers = builder.buffers
        declared = builder.nodes
    }

    var residual: Buffer { buffers[0] }

    /// Every operation: all layers but the last run them for all tokens.
    var allNodes: [Node] { nodes(making: [residual] + context) }
    /// What the last layer computes for all tokens: the keys and values that pooled tokens attend to.
    var contextNodes: [Node] { nodes(making: context) }
    /// What the last layer computes for pooled tokens only, after `contextNodes`.
    var pooledNodes: [Node] { nodes(making: [residual], given: context) }

    /// The operations that compute `expected` from the residual stream, where `given` are there already. Neighboring
    /// products over one input become one node, which the threads share as one loop.
    private func nodes(making expected: [Buffer], given: [Buffer] = []) -> [Node] {
        var needed = Set(expected)
        var readers: [Weight] = []
        var reversed: [Node] = []
        for var node in declared.reversed() {
            if case .prepare = node.operation {
                guard !readers.isEmpty else { continue }
                node.weights = readers
                readers = []
            } else {
                guard node.operation.writes.contains(where: needed.contains) else { continue }
                readers = node.weights + readers
            }
            needed.formUnion(node.operation.reads.filter { !given.contains($0) })
            reversed.append(node)
        }
        return reversed.reversed().reduce(into: []) { nodes, node in
            if let last = nodes.last, let joined = last.joined(with: node) {
                nodes[nodes.count - 1] = joined
            } else {
                nodes.append(node)
            }
        }
    }
}

extension LayerGraph.Operation {
    /// Buffers whose values it uses; the ones that it changes in place are among them.
    fileprivate var reads: [LayerGraph.Buffer] {
        switch self {
        case .prepare(let source, _): [source]
        case .multiply(let products): products.filter(\.adds).map(\.output)
        case .multiplySwiGLU: []
        case .normalizeAndRotate(let buffer, _): [buffer]
        case .attend(let queries, let keys, let values, _): [queries, keys, values]
        }
    }

    /// Buffers that it changes; none for a prepared input, which is not f32.
    var writes: [LayerGraph.Buffer] {
        switch self {
        case .prepare: []
        case .multiply(let products): products.map(\.output)
        case .multiplySwiGLU(_, _, let output), .attend(_, _, _, let output): [output]
        case .normalizeAndRotate(let buffer, _): [buffer]
        }
    }
}

extension LayerGraph.Node {
    /// Both as one node, if both are products.
    fileprivate func joined(with next: Self) -> Self? {
        guard case .multiply(let products) = operation, case .multiply(let others) = next.operation else { return nil }
        return Self(
            name: name + next.name, operation: .multiply(products + others), weights: weights + next.weights)
    }
}

extension LayerGraph {
    /// Declares a layer: each call adds a node and returns what it computes.
    struct Builder {
        /// Rows that were prepared as the input of products. The next one replaces it.
        struct Input {
            fileprivate let number: Int
        }

        let residual = Buffer(index: 0, name: "x", width: \.hiddenSize)
        fileprivate var buffers: [Buffer]
        fileprivate var nodes: [Node] = []
        fileprivate var context: [Buffer] = []
        private var inputCount = 0

        fileprivate init() { buffers = [residual] }

        /// rows / rms(rows) · gain.
        mutating func norm(_ name: String, _ rows: Buffer, gain: Gain) -> Input { prepare(name, rows, gain) }

        /// input · weightᵀ.
        mutating func product(_ name: String, _ input: Input, _ weight: Weight, width: Width) -> Buffer {
            let output = buffer(name, width)
            multiply(name, input, Product(weight: weight, output: output, adds: false))
            return output
        }

        /// sum += rows · weightᵀ.
        mutating func add(_ name: String, _ rows: Buffer, _ weight: Weight, to sum: Buffer) {
            let input = prepare(name + "Input", rows, nil)
            multiply(name, input, Product(weight: weight, output: sum, adds: true))
        }

        /// silu(input · gateᵀ) · (input · upᵀ).
        mutating func swiGLU(_ name: String, _ input: Input, gate: Weight, up: Weight, width: Width) -> Buffer {
            check(input)
            let output = buffer(name, width)
            nodes.append(
                Node(
                    name: name, operation: .multiplySwiGLU(gate: gate, up: up, output: output), weights: [gate, up]))
            return output
        }

        /// RMS norm of every head, then rotary embedding, in place.
        mutating func normalizeAndRotate(_ name: String, _ rows: Buffer, gain: Gain) {
            nodes.append(Node(name: name, operation: .normalizeAndRotate(rows, gain: gain), weights: []))
        }

        /// Causal attention of every token to itself and all tokens before it.
        mutating func attention(_ name: String, _ queries: Buffer, keys: Buffer, values: Buffer) -> Buffer {
            context += [keys, values]
            let output = buffer(name, queries.width)
            nodes.append(
                Node(
                    name: name,
                    operation: .attend(queries: queries, keys: keys, values: values, output: output), weights: []))
            return output
        }

        private mutating func buffer(_ name: String, _ width: Width) -> Buffer {
            buffers.append(Buffer(index: buffers.count, name: name, width: width))
            return buffers[buffers.count - 1]
        }

        private mutating func prepare(_ name: String, _ rows: Buffer, _ gain: Gain?) -> Input {
            nodes.append(Node(name: name, operation: .prepare(rows, gain: gain), weights: []))
            inputCount += 1
            return Input(number: inputCount)
        }

        private mutating func multiply(_ name: String, _ input: Input, _ product: Product) {
            check(input)
            nodes.append(Node(name: name, operation: .multiply([product]), weights: [product.weight]))
        }

        private func check(_ input: Input) {
            precondition(input.number == inputCount, "there is room for one prepared input, and another replaced it")
        }
    }
}
