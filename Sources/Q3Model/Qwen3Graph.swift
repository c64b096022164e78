// One Qwen3 layer as a list of named operations.

import Q3Kernels

/// The operations of a layer, in order. The executor walks these lists; plans, profiles and dumps read them.
///
/// Attention (pre-norm, RMS-normalized q and k per head, rotary positions, grouped K/V heads), then SwiGLU:
///
///     x += attnOut(attention(rope(qNorm(q(attnNorm x))), rope(kNorm(k(attnNorm x))), v(attnNorm x)))
///     x += ffnDown(silu(gate(ffnNorm x)) · up(ffnNorm x))
public struct Qwen3Graph: Sendable {
    /// What operations read and write. All are [tokens, width]; keys and values hold the whole batch, the rest a block.
    public enum Buffer: Sendable { case residual, queries, keys, values, attended, hidden }

    enum Gain: Sendable { case attnNorm, qNorm, kNorm, ffnNorm }
    enum Weight: Sendable { case q, k, v, attnOut, gate, up, ffnDown }

    enum Operation: Sendable {
        /// Normalizes rows if there is a gain and rounds them to what the products with `readers` take as input.
        case prepare(Buffer, gain: Gain?, readers: [Weight])
        case multiply([Weight])
        case multiplySwiGLU
        case normalizeAndRotate(Buffer, gain: Gain)
        case attend
    }

    public struct Node: Sendable {
        public let name: String
        let operation: Operation
        /// The buffer that holds the result, nil when that is the rounded input of the next product.
        public let output: Buffer?
    }

    /// Every layer but the last, for every token.
    let layer: [Node]
    /// The last layer: keys and values of every token ...
    let lastKeys: [Node]
    /// ... and everything else for the pooled tokens only.
    let lastPooled: [Node]

    init() {
        let keyRotation = Node(name: "kNormRope", operation: .normalizeAndRotate(.keys, gain: .kNorm), output: .keys)
        let queryRotation = Node(
            name: "qNormRope", operation: .normalizeAndRotate(.queries, gain: .qNorm), output: .queries)
        func attnNorm(_ readers: [Weight]) -> Node {
            Node(name: "attnNorm", operation: .prepare(.residual, gain: .attnNorm, readers: readers), output: nil)
        }
        let afterRotation = [
            Node(name: "attention", operation: .attend, output: .attended),
            Node(name: "attnOutInput", operation: .prepare(.attended, gain: nil, readers: [.attnOut]), output: nil),
            Node(name: "attnOut", operation: .multiply([.attnOut]), output: .residual),
            Node(name: "ffnNorm", operation: .prepare(.residual, gain: .ffnNorm, readers: [.gate, .up]), output: nil),
            Node(name: "gateUpSwiGLU", operation: .multiplySwiGLU, output: .hidden),
            Node(name: "ffnDownInput", operation: .prepare(.hidden, gain: nil, readers: [.ffnDown]), output: nil),
            Node(name: "ffnDown", operation: .multiply([.ffnDown]), output: .residual),
        ]
        layer =
            [attnNorm([.q, .k, .v]), Node(name: "qkv", operation: .multiply([.q, .k, .v]), output: .values)]
            + [queryRotation, keyRotation] + afterRotation
        lastKeys = [
            attnNorm([.k, .v]), Node(name: "kv", operation: .multiply([.k, .v]), output: .values), keyRotation,
        ]
        lastPooled =
            [attnNorm([.q]), Node(name: "q", operation: .multiply([.q]), output: .queries), queryRotation]
            + afterRotation
    }
}

extension Qwen3Graph.Weight {
    /// Where the product goes; products into the residual stream are added to it.
    var output: Qwen3Graph.Buffer {
        switch self {
        case .q: .queries
        case .k: .keys
        case .v: .values
        case .attnOut, .ffnDown: .residual
        case .gate, .up: .hidden
        }
    }
}

extension Qwen3Layer {
    subscript(weight: Qwen3Graph.Weight) -> Matrix {
        switch weight {
        case .q: q
        case .k: k
        case .v: v
        case .attnOut: attnOut
        case .gate: gate
        case .up: up
        case .ffnDown: ffnDown
        }
    }

    subscript(gain: Qwen3Graph.Gain) -> [Float] {
        switch gain {
        case .attnNorm: attnNorm
        case .qNorm: qNorm
        case .kNorm: kNorm
        case .ffnNorm: ffnNorm
        }
    }
}
