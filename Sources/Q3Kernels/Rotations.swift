// The angles of rotary embedding: cosines and sines for each position.
import Q3System

/// cos and sin of position · theta^(-2i/headDim), [positions, headDim/2].
///
/// The angle is rounded to f32 as Hugging Face's `Qwen3RotaryEmbedding` rounds it, since at position 30,000 that
/// rounding is larger than any other error of the rotation; its cosine is then taken in f64.
public struct Rotations: Sendable {
    package let positions: Int
    package let width: Int
    package let cosines: [Float]
    package let sines: [Float]

    public init(positions: Int, headDim: Int, theta: Float) {
        self.positions = positions
        width = headDim / 2
        let frequencies = (0..<headDim / 2).map { 1 / Float(pow(Double(theta), Double(2 * $0) / Double(headDim))) }
        var cosines: [Float] = []
        var sines: [Float] = []
        cosines.reserveCapacity(positions * frequencies.count)
        sines.reserveCapacity(positions * frequencies.count)
        for position in 0..<positions {
            for frequency in frequencies {
                let angle = Double(Float(position) * frequency)
                cosines.append(Float(cos(angle)))
                sines.append(Float(sin(angle)))
            }
        }
        self.cosines = cosines
        self.sines = sines
    }
}
