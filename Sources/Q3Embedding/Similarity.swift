// How similar two vectors are: dot product and cosine of numbers, Hamming distance of packed bits.

/// Similarities of two vectors of equal size; the sizes are the caller's to keep equal (a precondition).
///
/// Sums run in a fixed order, so the same two vectors always give the same bits.
public enum Similarity {
    /// The dot product; the cosine when both vectors have unit length, as embeddings do.
    public static func dot(_ a: [Float], _ b: [Float]) -> Float {
        precondition(a.count == b.count, "vectors of \(a.count) and \(b.count) dimensions")
        var sums = SIMD8<Float>.zero
        let whole = a.count & ~7
        for i in stride(from: 0, to: whole, by: 8) {
            sums += SIMD8(a[i..<(i + 8)]) * SIMD8(b[i..<(i + 8)])
        }
        return (whole..<a.count).reduce(sums.sum()) { $0 + a[$1] * b[$1] }
    }

    /// The cosine of the angle between two vectors of any length, -1...1; 0 where one of them is all zeros.
    public static func cosine(_ a: [Float], _ b: [Float]) -> Float {
        precondition(a.count == b.count, "vectors of \(a.count) and \(b.count) dimensions")
        var (ab, aa, bb) = (0.0, 0.0, 0.0)
        for (x, y) in zip(a, b) {
            ab += Double(x) * Double(y)
            aa += Double(x) * Double(x)
            bb += Double(y) * Double(y)
        }
        return aa > 0 && bb > 0 ? Float(ab / (aa * bb).squareRoot()) : 0
    }

    /// The dot product of two `int8` vectors, exact.
    public static func dot(_ a: [Int8], _ b: [Int8]) -> Int {
        precondition(a.count == b.count, "vectors of \(a.count) and \(b.count) dimensions")
        return zip(a, b).reduce(0) { $0 + Int($1.0) * Int($1.1) }
    }

    /// The cosine of two `int8` vectors; 0 where one of them is all zeros.
    public static func cosine(_ a: [Int8], _ b: [Int8]) -> Float {
        let squares = Double(dot(a, a)) * Double(dot(b, b))
        return squares > 0 ? Float(Double(dot(a, b)) / squares.squareRoot()) : 0
    }

    /// Bits in which two packed vectors differ; works alike for `ubinary` and for the bit patterns of `binary`.
    public static func hamming(_ a: [UInt8], _ b: [UInt8]) -> Int {
        precondition(a.count == b.count, "vectors of \(a.count) and \(b.count) bytes")
        return zip(a, b).reduce(0) { $0 + ($1.0 ^ $1.1).nonzeroBitCount }
    }

    /// Bits in which two packed vectors differ.
    public static func hamming(_ a: [Int8], _ b: [Int8]) -> Int {
        precondition(a.count == b.count, "vectors of \(a.count) and \(b.count) bytes")
        return zip(a, b).reduce(0) { $0 + ($1.0 ^ $1.1).nonzeroBitCount }
    }
}
