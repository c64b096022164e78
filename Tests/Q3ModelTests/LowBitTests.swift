// Models of the types below 4 bits and of 4-bit floats, against what the reference computes from the same weights.

import Q3Model
import TestSupport
import Testing

struct LowBitTests {
    /// The types that most matrices of a model have. Their other matrices have what llama.cpp's mixes give them.
    static let mixes = [
        "IQ3_S", "IQ3_XXS", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_S", "IQ1_M", "TQ1_0", "TQ2_0", "MXFP4", "NVFP4",
    ]

    /// Bounds of 1 - cosine over a model's texts, three times what was measured. Mixes with Q4_K have matrices that round activations
    /// to 8 bits.
    private func bounds(_ mix: String, _ precision: Precision) -> (median: Double, max: Double) {
        if precision == .exact { return (2e-12, 2e-11) }
        if precision == .fast { return (4e-3, 2e-2) }
        if precision == .fine { return (2.5e-6, 4e-6) }
        return ["IQ3_S", "IQ3_XXS"].contains(mix) ? (5e-4, 7e-4) : (2.5e-6, 4e-6)
    }

    @Test(arguments: mixes, Precision.allCases)
    func `vectors of low-bit models match the reference`(_ mix: String, _ precision: Precision) async throws {
        let items: [EmbeddingItem] = try Fixture.items("tiny-embed-\(mix)")
        #expect(items.count >= 3)
        var options = ModelOptions()
        options.precision = precision
        let model = try Qwen3Model(file: Fixture.model("tiny-embed-\(mix)"), options: options)
        let states = try await model.lastHiddenStates(of: items.map(\.ids))
        let distances = zip(states, items).map { distance($0, $1.embedding) }.sorted()
        let bounds = bounds(mix, precision)
        #expect(distances[distances.count / 2] <= bounds.median)
        #expect(distances[distances.count - 1] <= bounds.max)
    }
}
