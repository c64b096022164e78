// How far activations and weights are rounded, and which kernels that takes.

import Q3GGUF
package import Q3Kernels

/// How activations are rounded before they meet the weights. Each step gives vectors of its own, so fingerprints differ.
///
/// Errors below are medians of 1 - cosine to vectors computed exactly, over the texts of a tiny model with outlier
/// channels; `docs/models.md` has them for each type.
public enum Precision: String, Sendable, CaseIterable, Codable {
    /// As many bits as the file's type deserves: as `fast` for Q4_K, Q5_K, Q4_0 and Q4_1, whose weights are rougher than
    /// that, as `fine` for the other types. F32 and Q2_K are computed in f32.
    case auto
    /// Activations of 8 bits with one scale for every 32, for every type, and in attention too: 2e-4 to 5e-4. Weights that are no
    /// bytes are rounded to bytes with one scale for every 32; of Q6_K, F16 and BF16 keys, values and attention's output have
    /// 14 bits.
    case fast
    /// Activations of 14 bits with one scale for every 32, for every type: at most 2e-7. Weights of F16 and BF16 are rounded
    /// to 13 bits of the largest of 32, which few weights notice. F32 and Q2_K are computed in f32.
    case fine
    /// Weights dequantized and everything computed in f32, at the speed of an F32 file: at most 1e-12 from Hugging Face in
    /// float32.
    case exact

    /// The families of panels that products with the matrix `part` may use, the best first.
    ///
    /// In `fast`, matrices that attention depends on keep 14 bits where weights have more than 8 to lose: with 8 the median error of
    /// such files was 5e-4 to 7e-4, with 14 in these three, a quarter of the 0.6B's weights, it is 2e-4 to 4e-4.
    func families(of part: Qwen3Schema.Part, type: TensorType) -> [PanelFamily] {
        let needsMore = [.k, .v, .attnOut].contains(part) && [.q6_K, .f16, .bf16].contains(type)
        return self == .fast && needsMore ? [.w16] : families
    }

    /// The families of panels that products may use, the best first.
    package var families: [PanelFamily] {
        switch self {
        case .auto: [.u8, .w16, .f32]
        case .fast: [.u8, .s8]
        case .fine: [.w16, .f32]
        case .exact: [.f32]
        }
    }
}
