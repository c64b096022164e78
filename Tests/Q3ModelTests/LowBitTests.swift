// Models of the types below 4 bits and of 4-bit floats, against what the reference computes from the same weights.

import Q3Model
import TestSupport
import Testing

struct LowBitTests {
    /// The types that most matrices of a model have. Their other matrices have what llama.cpp's mixes give them.
    static let mixes = [
        "IQ3_S", "IQ3_XXS", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_S", "IQ1_M", "TQ1_0", "TQ2_0", "MXFP4", "NVFP4",
    ]

    /// What a product rounds its activations by at most, as a part of the largest of those that share a scale.
    private enum Rounding: Double {
        case float = 5.97e-8  // 2^-24
        case fourteenBits = 6.11e-5  // half a step of 8191
        case eightBits = 3.94e-3  // half a step of 127
    }

    /// The weights are exact in every type, so an error of a vector is rounding of activations, which the layers amplify. By how much
    /// belongs to these tiny models with their outlier channels and not to a type: over all fixtures, from exact to 8 bits, the
    /// median of the texts' errors is 3 to 21 times the rounding (1 - cosine = error² / 2). A wrong weight shows at once in
    /// `exact`, where 32 times the rounding is 2e-12.
    private static let amplification = (median: 32.0, most: 64.0)

    /// The coarsest rounding in a mix; by itself that of IQ3 is 8 bits, since it has matrices of Q4_K.
    private func rounding(_ mix: String, _ precision: Precision) -> Double {
        let rounding: Rounding =
            switch precision {
            case .exact: .float
            case .fine: .fourteenBits
            case .fast: .eightBits
            case .auto: ["IQ3_S", "IQ3_XXS"].contains(mix) ? .eightBits : .fourteenBits
            }
        return rounding.rawValue
    }

    private func cosineDistance(ofError error: Double) -> Double { error * error / 2 }

    @Test(arguments: mixes, Precision.allCases)
    func `vectors of low-bit models match the reference`(_ mix: String, _ precision: Precision) async throws {
        let items: [EmbeddingItem] = try Fixture.items("tiny-embed-\(mix)")
        #expect(items.count >= 3)
        var options = ModelOptions()
        options.precision = precision
        let model = try Qwen3Model(file: Fixture.model("tiny-embed-\(mix)"), options: options)
        let states = try await model.lastHiddenStates(of: items.map(\.ids))
        let distances = zip(states, items).map { distance($0, $1.embedding) }.sorted()
        let rounding = rounding(mix, precision)
        #expect(distances[distances.count / 2] <= cosineDistance(ofError: Self.amplification.median * rounding))
        #expect(distances[distances.count - 1] <= cosineDistance(ofError: Self.amplification.most * rounding))
    }
}
