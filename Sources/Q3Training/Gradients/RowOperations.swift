// What is done to single rows, forward and backward: RMS norm, rotation by position, SwiGLU.
import Q3Linear

/// Functions of single rows of `count` values, a multiple of 16. Sums are taken in 8 parts, so that their bits depend
/// on the row alone.
enum RowOperations<Scalar: ProductScalar> {
    typealias Row = UnsafeMutablePointer<Scalar>

    /// Σ a · b · c, in 8 parts; `c` may be missing.
    @unsafe @inline(__always)
    static func sum(_ a: Row, _ b: Row, _ c: Row? = nil, _ count: Int) -> Scalar {
        var (s0, s1, s2, s3): (Scalar, Scalar, Scalar, Scalar) = (0, 0, 0, 0)
        var (s4, s5, s6, s7): (Scalar, Scalar, Scalar, Scalar) = (0, 0, 0, 0)
        if let c = unsafe c {
            for i in Swift.stride(from: 0, to: count, by: 8) {
                unsafe s0 += a[i] * b[i] * c[i]
                unsafe s1 += a[i + 1] * b[i + 1] * c[i + 1]
                unsafe s2 += a[i + 2] * b[i + 2] * c[i + 2]
                unsafe s3 += a[i + 3] * b[i + 3] * c[i + 3]
                unsafe s4 += a[i + 4] * b[i + 4] * c[i + 4]
                unsafe s5 += a[i + 5] * b[i + 5] * c[i + 5]
                unsafe s6 += a[i + 6] * b[i + 6] * c[i + 6]
                unsafe s7 += a[i + 7] * b[i + 7] * c[i + 7]
            }
        } else {
            for i in Swift.stride(from: 0, to: count, by: 8) {
                unsafe s0 += a[i] * b[i]
                unsafe s1 += a[i + 1] * b[i + 1]
                unsafe s2 += a[i + 2] * b[i + 2]
                unsafe s3 += a[i + 3] * b[i + 3]
                unsafe s4 += a[i + 4] * b[i + 4]
                unsafe s5 += a[i + 5] * b[i + 5]
                unsafe s6 += a[i + 6] * b[i + 6]
                unsafe s7 += a[i + 7] * b[i + 7]
            }
        }
        return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))
    }

    /// 1 / sqrt(mean of squares + epsilon).
    @unsafe @inline(__always)
    static func inverseRMS(_ x: Row, _ count: Int, _ epsilon: Scalar) -> Scalar {
        unsafe 1 / (sum(x, x, nil, count) / Scalar(count) + epsilon).squareRoot()
    }

    /// y = x / rms(x) · gain.
    @unsafe static func norm(_ x: Row, gain: Row, _ count: Int, _ epsilon: Scalar, into y: Row) {
        let inverse = unsafe inverseRMS(x, count, epsilon)
        for i in 0..<count { unsafe y[i] = x[i] * inverse * gain[i] }
    }

    /// dx (+)= the gradient of `norm` at x for dy. With r = 1/rms: r · gain · dy - x · r³ / n · Σ dy · gain · x.
    @unsafe static func normGradient(
        _ dy: Row, x: Row, gain: Row, _ count: Int, _ epsilon: Scalar, into dx: Row, adding: Bool
    ) {
        let inverse = unsafe inverseRMS(x, count, epsilon)
        let common = unsafe sum(dy, gain, x, count) * inverse * inverse * inverse / Scalar(count)
        if adding {
            for i in 0..<count { unsafe dx[i] += inverse * gain[i] * dy[i] - common * x[i] }
        } else {
            for i in 0..<count { unsafe dx[i] = inverse * gain[i] * dy[i] - common * x[i] }
        }
    }

    /// Turns the pairs (i, i + count/2) by the angles of a position; `sign` -1 turns back, which is the gradient.
    @unsafe static func rotate(_ x: Row, _ count: Int, cosines: Row, sines: Row, sign: Scalar) {
        let half = count / 2
        for i in 0..<half {
            let (a, b, cosine, sine) = unsafe (x[i], x[i + half], cosines[i], sign * sines[i])
            unsafe x[i] = a * cosine - b * sine
            unsafe x[i + half] = b * cosine + a * sine
        }
    }

    /// Puts the sigmoids of `gate` into `sigmoid`.
    @unsafe private static func sigmoids(_ gate: Row, _ count: Int, into sigmoid: Row) {
        for i in 0..<count { unsafe sigmoid[i] = -abs(gate[i]) }
        unsafe Scalar.exponentials(sigmoid, count: count)
        for i in 0..<count {
            let e = unsafe sigmoid[i]
            unsafe sigmoid[i] = (gate[i] >= 0 ? 1 : e) / (1 + e)
        }
    }

    /// y = gate · sigmoid(gate) · up. `y` is another row than the others.
    @unsafe static func swiGLU(gate: Row, up: Row, _ count: Int, into y: Row) {
        unsafe sigmoids(gate, count, into: y)
        for i in 0..<count { unsafe y[i] = gate[i] * y[i] * up[i] }
    }

    /// The gradients of `swiGLU` for dy; `dUp` may be the row of dy.
    @unsafe static func swiGLUGradient(_ dy: Row, gate: Row, up: Row, _ count: Int, dGate: Row, dUp: Row) {
        unsafe sigmoids(gate, count, into: dGate)
        for i in 0..<count {
            let (s, g, d) = unsafe (dGate[i], gate[i], dy[i])
            unsafe dGate[i] = d * up[i] * s * (1 + g * (1 - s))
            unsafe dUp[i] = d * g * s
        }
    }
}
