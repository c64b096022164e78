// What follows from the declaration of a layer: the nodes that a result needs, what they read, and the work they do.

import Q3Kernels
import TestSupport
import Testing

@testable import Q3Model

struct LayerGraphTests {
    private let graph = LayerGraph.qwen3
    private static let tail = [
        "attention", "attnOutInput", "attnOut", "ffnNorm", "gateUpSwiGLU", "ffnDownInput", "ffnDown",
    ]

    @Test func `products over one input are one node`() {
        #expect(graph.allNodes.map(\.name) == ["attnNorm", "qkv", "qNormRope", "kNormRope"] + Self.tail)
    }

    @Test func `the last layer computes keys and values for all tokens and the rest for pooled ones`() {
        #expect(graph.contextNodes.map(\.name) == ["attnNorm", "kv", "kNormRope"])
        #expect(graph.pooledNodes.map(\.name) == ["attnNorm", "q", "qNormRope"] + Self.tail)
    }

    @Test func `an input is rounded for the products that read it and for no others`() {
        func readers(_ nodes: [LayerGraph.Node], of name: String) -> [LayerGraph.Weight] {
            nodes.first { $0.name == name }?.weights ?? []
        }
        #expect(readers(graph.allNodes, of: "attnNorm") == [\.q, \.k, \.v])
        #expect(readers(graph.contextNodes, of: "attnNorm") == [\.k, \.v])
        #expect(readers(graph.pooledNodes, of: "attnNorm") == [\.q])
        #expect(readers(graph.allNodes, of: "attnOutInput") == [\.attnOut])
        #expect(readers(graph.allNodes, of: "ffnNorm") == [\.gate, \.up])
        #expect(readers(graph.allNodes, of: "ffnDownInput") == [\.ffnDown])
    }

    @Test func `a dump of a node shows all that it made`() async throws {
        let outputs = try await Tiny.q8_0.model().trace([[1, 2, 3]]) { trace in
            (trace.layer, trace.node, trace.outputs.map { "\($0.name) \($0.rows.rows)x\($0.rows.cols)" })
        }
        func shapes(_ layer: Int, _ node: String) -> [String]? { outputs.first { $0.0 == layer && $0.1 == node }?.2 }
        #expect(shapes(0, "qkv") == ["q 3x128", "k 3x64", "v 3x64"])
        #expect(shapes(0, "attnNorm") == [])
        #expect(shapes(1, "ffnDown") == ["x 3x64"])
        #expect(shapes(2, "kv") == ["k 3x64", "v 3x64"])
        #expect(shapes(2, "q") == ["q 1x128"])
        #expect(shapes(2, "ffnDown") == ["x 1x64"])
    }

    /// Three layers of width 64, 4 heads and 2 for keys of 32, feed-forward 96; two texts that share two of three
    /// tokens.
    @Test func `multiply-adds are counted where they happen`() async throws {
        var work: [String: Int] = [:]
        for (node, count) in try await Tiny.q8_0.model().trace(
            [[1, 2, 4], [1, 2, 3]], { ($0.node, $0.multiplyAdds) })
        {
            work[node, default: 0] += count
        }
        #expect(work["qkv"] == 2 * 4 * 64 * (128 + 64 + 64))
        #expect(work["kv"] == 4 * 64 * (64 + 64))
        #expect(work["q"] == 2 * 64 * 128)
        // Tokens at positions 0, 1, 2 and 2 see 1 + 2 + 3 + 3 keys; the last layer asks for two tokens only.
        #expect(work["attention"] == (2 * 9 + 6) * 2 * 128)
        #expect(work["attnOut"] == (2 * 4 + 2) * 128 * 64)
        #expect(work["gateUpSwiGLU"] == (2 * 4 + 2) * 64 * 2 * 96)
        #expect(work["ffnDown"] == (2 * 4 + 2) * 96 * 64)
        #expect(work["attnNorm"] == 0)
    }
}
