// The vectors and the states between the layers against what the reference computes in f32 from the same weights.

import Q3Kernels
import Q3Model
import TestSupport
import Testing

struct GoldenTests {
    /// Bounds of 1 - cosine over a model's texts.
    private struct Bound {
        let median, most: Double
    }

    // Three times what was measured. Every instruction set and thread count gives the same bits, so no machine does
    // worse.
    private static let exact = Bound(median: 3e-12, most: 1e-10)
    private static let fourteenBits = Bound(median: 6e-7, most: 8e-5)
    private static let eightBits = Bound(median: 4e-3, most: 0.15)

    private func bound(_ tiny: Tiny, _ precision: Precision) -> Bound {
        switch (precision, tiny) {
        case (.exact, _), (.auto, .f32), (.fine, .f32): Self.exact
        case (.fast, _): Self.eightBits
        case (.fine, _): Self.fourteenBits
        case (_, .f16), (_, .bf16), (_, .q8_0), (_, .q5_0), (_, .q6_K): Self.fourteenBits
        case (_, .q4_0), (_, .q4_K_M), (_, .q5_K_M): Self.eightBits
        }
    }

    /// Bound of a state's largest error ÷ its largest value, computed exactly.
    private static let stateError: Float = 2e-5

    @Test(arguments: Tiny.allCases, Precision.allCases)
    func `vectors match the reference`(_ tiny: Tiny, _ precision: Precision) async throws {
        let golden = try tiny.golden
        let states = try await tiny.model(precision, threads: 2).lastHiddenStates(of: golden.lists)
        let distances = zip(states, golden.items).map { distance($0, $1.embedding) }.sorted()
        let bound = bound(tiny, precision)
        #expect(distances[distances.count / 2] <= bound.median)
        #expect(distances[distances.count - 1] <= bound.most)
    }

    /// The node that computes a node of the reference, and the buffer that it is in.
    private static let nodes = [
        "v": "qkv.v", "qRope": "qNormRope.q", "kRope": "kNormRope.k", "attention": "attention.attention",
        "attnResidual": "attnOut.x", "swiglu": "gateUpSwiGLU.gateUpSwiGLU", "output": "ffnDown.x",
    ]

    /// Every state that both sides have, of every token; of the last layer only what the last token needs.
    @Test(arguments: Tiny.allCases)
    func `states match the reference`(_ tiny: Tiny) async throws {
        let golden = try tiny.golden
        let ids = golden.items[golden.states.item].ids
        let model = try tiny.model(.exact)
        let states = try await dump(model, ids)
        let traces = try golden.traces()
        var compared = 0
        for (name, expected) in traces where !["embedding", "outputNorm"].contains(name) {
            let parts = name.split(separator: ".")
            let (layer, node) = (try #require(Int(parts[0])), String(parts[1]))
            guard let ours = Self.nodes[node] else { continue }
            let last = layer == model.config.layerCount - 1
            let got = try #require(states["\(layer).\(last && node == "v" ? "kv.v" : ours)"], "\(name)")
            let tail = Array(expected.suffix(got.count))
            let size = tail.map { abs($0) }.max()!
            let error = zip(got, tail).map { abs($0 - $1) }.max()!
            #expect(error <= Self.stateError * size, "\(name)")
            let full = !last || ["v", "kRope"].contains(node)
            #expect(got.count == (full ? expected.count : expected.count / ids.count), "\(name)")
            compared += 1
        }
        #expect(compared == (tiny == .f32 ? 14 : model.config.layerCount))
    }

    @Test(arguments: Tiny.allCases)
    func `embeddings and final norm match the reference`(_ tiny: Tiny) async throws {
        let golden = try tiny.golden
        let ids = golden.items[golden.states.item].ids
        let model = try tiny.model(.exact)
        let traces = try golden.traces()
        let rows = try ids.flatMap { try #require(try model.dequantizedRow(Int($0), of: "token_embd.weight")) }
        #expect(rows == traces["embedding"])
        let norm = try #require(traces["outputNorm"]).suffix(model.config.hiddenSize)
        let state = try await model.lastHiddenStates(of: [ids])[0]
        let size = norm.map { abs($0) }.max()!
        let error = zip(state, norm).map { abs($0 - $1) }.max()!
        #expect(error <= Self.stateError * size)
    }

    /// What each node wrote, by "layer.node.buffer".
    private func dump(_ model: Qwen3Model, _ ids: [Int32]) async throws -> [String: [Float]] {
        let written = try await model.trace([ids]) { trace in
            trace.outputs.map { ("\(trace.layer).\(trace.node).\($0.name)", $0.rows.values()) }
        }
        return Dictionary(uniqueKeysWithValues: written.joined())
    }
}
