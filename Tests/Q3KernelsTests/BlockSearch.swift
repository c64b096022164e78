// The search for blocks once more, one block at a time and written as one would explain it: the truth for the kernels' search.
import Q3GGUF

/// Makes blocks of the quantized types. A block's values are x ≈ a · q - b with codes q; the scale a and minimum b are searched for the
/// least squared error, from several starts, by rounding for given a and b and least squares for given codes in turns.
struct BlockSearch {
    let type: TensorType

    /// The blocks of whole blocks of values.
    func encode(_ values: [Float]) -> [UInt8] {
        stride(from: 0, to: values.count, by: type.itemsPerBlock).flatMap { start in
            block(Array(values[start..<start + type.itemsPerBlock]))
        }
    }

    private func block(_ x: [Float]) -> [UInt8] {
        switch type {
        case .q8_0:
            let a = scale(x, codes: -127...127, toHalf: true, starts: Self.starts8, turns: 1)
            return bytes(half: a) + codes(x, a, 0, -127...127)
        case .q4_0:
            let a = scale(x, codes: -8...7, toHalf: true, starts: Self.starts4, turns: 2)
            return bytes(half: a) + nibbles(codes(x, a, 0, -8...7, offset: 8))
        case .q5_0:
            let a = scale(x, codes: -16...15, toHalf: true, starts: Self.starts5, turns: 2)
            let q = codes(x, a, 0, -16...15, offset: 16)
            return bytes(half: a) + fifthBits(q) + nibbles(q)
        case .q4_1, .q5_1:
            let top: Float = type == .q4_1 ? 15 : 31
            let (a, b) = scaleAndMinimum(x, top, toHalf: true)
            let (d, m) = (half(a), half(-b))
            let q = codes(x, d, -m, 0...top)
            return bytes(half: d) + bytes(half: m) + (type == .q5_1 ? fifthBits(q) : []) + nibbles(q)
        case .q4_K, .q5_K: return superBlock(x, type == .q4_K ? 15 : 31)
        case .q6_K: return sixBits(x)
        default: preconditionFailure("no such search")
        }
    }

    // MARK: - One scale

    /// Places for the value furthest from 0.
    private static let starts8: [Float] = [127, 126.5, 126, 125.5, 125, 124.5, 124, 123.5, 123, 122, 121, 120]
    private static let starts4: [Float] = [-8, -7.7, -7.4, -7.1, -6.8, -6.5, -8.3, -8.6, 7, 7.4]
    private static let starts5: [Float] = [-16, -15.7, -15.4, -15.1, -14.8, -14.5, -14.2, -16.4, 15, 15.4]
    private static let starts6: [Float] = [
        -32, -31.6, -31.2, -30.8, -30.4, -30, -29.6, -29.2, -32.4, 31, 31.4, 30.6,
    ]

    private func scale(
        _ x: [Float], codes range: ClosedRange<Float>, toHalf: Bool, starts: [Float], turns: Int
    ) -> Float {
        let furthest = x.reduce(0) { $1.magnitude > $0.magnitude ? $1 : $0 }
        var best: (gain: Float, scale: Float) = (0, 0)
        for turn in 0..<starts.count + turns {
            let perScale = turn < starts.count ? starts[turn] * inverse(furthest) : inverse(best.scale)
            let q = x.map { nearest($0 * perScale, range) }
            let (qx, qq) = (sum(zip(q, x).map(*)), sum(q.map { $0 * $0 }))
            let exact = qq == 0 ? 0 : qx / qq
            let scale = toHalf ? half(exact) : exact
            let gain = scale * (2 * qx - scale * qq)  // the error is Σx² less this
            if gain > best.gain { best = (gain, scale) }
        }
        return best.gain == 0 && furthest.magnitude > 1 ? .infinity : best.scale
    }

    // MARK: - A scale and a minimum

    /// Places for the range of values, between 0 and the top code.
    private func starts(_ top: Float) -> [Float] {
        top == 15
            ? [15, 14.8, 14.6, 14.4, 14.2, 14, 13.7, 15.2, 15.4, 15.6, 15.8, 16.1]
            : [31, 30.8, 30.6, 30.4, 30.2, 30, 29.7, 31.2, 31.4, 31.6, 31.8, 32.1]
    }

    /// Both f16 with `toHalf`; otherwise the minimum is not negative.
    private func scaleAndMinimum(_ x: [Float], _ top: Float, toHalf: Bool) -> (a: Float, b: Float) {
        let low = toHalf ? x.min() ?? 0 : min(x.min() ?? 0, 0)
        let y = x.map { $0 - low }  // of all values the squares could be too large to see the spread
        let n = Float(x.count)
        let (sumY, sumYY) = (sum(y), sum(y.map { $0 * $0 }))
        let sumXX = sumYY + low * (2 * sumY + n * low)
        let unit = inverse((x.max() ?? 0) - low)
        var best: (error: Float, scale: Float, shift: Float) = (.infinity, 0, 0)
        for turn in 0..<12 + 3 {
            let (perScale, start) = turn < 12 ? (starts(top)[turn] * unit, 0) : (inverse(best.scale), best.shift)
            let q = y.map { nearest(($0 - start) * perScale, 0...top) }
            let (sumQ, sumQQ, sumQY) = (sum(q), sum(q.map { $0 * $0 }), sum(zip(q, y).map(*)))
            let determinant = n * sumQQ - sumQ * sumQ
            var scale = determinant == 0 ? 0 : (n * sumQY - sumQ * sumY) / determinant
            if toHalf { scale = half(scale) }
            var shift = (sumY - scale * sumQ) / n
            var error = sumYY - scale * sumQY - shift * sumY
            if toHalf {
                shift = half(low + shift) - low
                error =
                    sumYY - scale * (2 * sumQY - scale * sumQQ - 2 * shift * sumQ) - shift * (2 * sumY - n * shift)
            } else if low + shift > 0 {
                let sumQX = sumQY + low * sumQ
                scale = sumQQ == 0 ? 0 : sumQX / sumQQ
                shift = -low
                error = sumXX - scale * sumQX
            }
            if error < best.error { best = (error, scale, shift) }
        }
        return (best.error == .infinity ? .infinity : best.scale, -(low + best.shift))
    }

    // MARK: - Q4_K and Q5_K: d · s · q - dmin · m with s and m of 6 bits for each of eight runs of 32

    private struct Fit {
        var d: Float
        var dmin: Float
        var s: [Float] = []
        var m: [Float] = []
        var error: Float = 0
    }

    private func superBlock(_ x: [Float], _ top: Float) -> [UInt8] {
        let runs = stride(from: 0, to: 256, by: 32).map { Array(x[$0..<$0 + 32]) }
        let fits = runs.map { scaleAndMinimum($0, top, toHalf: false) }
        var best = Fit(d: half((fits.map(\.a).max() ?? 0) / 63), dmin: half((fits.map(\.b).max() ?? 0) / 63))
        best = integers(runs, top, fits.map(\.a), fits.map(\.b), best)
        for _ in 0..<2 {
            var next = shared(runs, top, best)
            next = integers(runs, top, best.s.map { next.d * $0 }, best.m.map { next.dmin * $0 }, next)
            if next.error < best.error { best = next }
        }
        let q = runs.indices.map { codes(runs[$0], best.d * best.s[$0], best.dmin * best.m[$0], 0...top) }
        var bytes = bytes(half: best.d) + bytes(half: best.dmin)
        // Runs 0 to 3 have 6 bits in the first eight bytes, whose upper 2 bits and the last four bytes hold those of runs 4 to 7.
        let (s, m) = (best.s.map { UInt8($0) }, best.m.map { UInt8($0) })
        for part in [s, m] {
            for j in 0..<4 { bytes.append(part[j] | ((part[j + 4] >> 4) << 6)) }
        }
        for j in 4..<8 { bytes.append(packed(s[j], m[j])) }
        if top == 31 {
            for i in 0..<32 { bytes.append(bits(4, of: (0..<8).map { q[$0][i] })) }
        }
        for pair in stride(from: 0, to: 8, by: 2) {
            for i in 0..<32 { bytes.append(packed(q[pair][i], q[pair + 1][i])) }
        }
        return bytes
    }

    /// For each run the s nearest to a/d or beside it, with the m that its codes ask for.
    private func integers(_ runs: [[Float]], _ top: Float, _ a: [Float], _ b: [Float], _ fit: Fit) -> Fit {
        var errors: [Float] = []
        var fit = Fit(d: fit.d, dmin: fit.dmin)
        for (index, x) in runs.enumerated() {
            let near = (s: nearest(a[index] * inverse(fit.d), 0...63), m: nearest(b[index] * inverse(fit.dmin), 0...63))
            var best: (error: Float, s: Float, m: Float) = (.infinity, 0, 0)
            for step: Float in [-1, 0, 1] {
                let s = clamp(near.s + step, 0...63)
                var m = near.m
                for _ in 0..<2 {
                    let (scale, minimum) = (fit.d * s, fit.dmin * m)
                    let above = x.map { scale * nearest(($0 + minimum) * inverse(scale), 0...top) - $0 }
                    let error = sum(above.map { ($0 - minimum) * ($0 - minimum) })
                    if error < best.error { best = (error, s, m) }
                    m = nearest(sum(above) * (1 / 32) * inverse(fit.dmin), 0...63)
                }
            }
            fit.s.append(best.s)
            fit.m.append(best.m)
            errors.append(best.error)
        }
        fit.error = sum(errors)
        return fit
    }

    /// d and dmin by least squares over all runs, rounded.
    private func shared(_ runs: [[Float]], _ top: Float, _ fit: Fit) -> Fit {
        var terms: [(ss: Float, sm: Float, mm: Float, sx: Float, mx: Float)] = []
        for (x, (s, m)) in zip(runs, zip(fit.s, fit.m)) {
            let q = x.map { nearest(($0 + fit.dmin * m) * inverse(fit.d * s), 0...top) }
            terms.append(
                (
                    ss: s * s * sum(q.map { $0 * $0 }), sm: s * m * sum(q), mm: 32 * m * m,
                    sx: s * sum(zip(q, x).map(*)), mx: m * sum(x)
                ))
        }
        let (ss, sm, mm) = (sum(terms.map(\.ss)), sum(terms.map(\.sm)), sum(terms.map(\.mm)))
        let (sx, mx) = (sum(terms.map(\.sx)), sum(terms.map(\.mx)))
        let determinant = ss * mm - sm * sm
        guard determinant > 1e-3 * ss * mm else {
            return Fit(d: half(ss == 0 ? fit.d : (sx + fit.dmin * sm) / ss), dmin: half(max(fit.dmin, 0)))
        }
        return Fit(d: half((sx * mm - sm * mx) / determinant), dmin: half(max((sx * sm - mx * ss) / determinant, 0)))
    }

    // MARK: - Q6_K: d · s · q with s of 8 bits for each of sixteen runs of 16

    private func sixBits(_ x: [Float]) -> [UInt8] {
        let runs = stride(from: 0, to: 256, by: 16).map { Array(x[$0..<$0 + 16]) }
        let a = runs.map { scale($0, codes: -32...31, toHalf: false, starts: Self.starts6, turns: 2) }
        var d = half(a.reduce(0) { $1.magnitude > $0.magnitude ? $1 : $0 } / 127)
        var (s, error) = signed(runs, a, d)
        for _ in 0..<2 where error.isFinite {
            let q = zip(runs, s).map { x, s in x.map { nearest($0 * inverse(d * s), -32...31) } }
            let ss = sum(zip(s, q).map { s, q in s * s * sum(q.map { $0 * $0 }) })
            let sx = sum(zip(s, zip(q, runs)).map { s, pair in s * sum(zip(pair.0, pair.1).map(*)) })
            let nextD = half(ss == 0 ? 0 : sx / ss)
            let next = signed(runs, s.map { nextD * $0 }, nextD)
            if next.error < error { (d, s, error) = (nextD, next.s, next.error) }
        }
        let q = zip(runs, s).flatMap { x, s in codes(x, d * s, 0, -32...31, offset: 32) }
        // Of 128 values, value i has its low 4 bits in byte i mod 64, the upper half of the values in the upper nibbles, and its high 2
        // bits in byte i mod 32.
        var (low, high): ([UInt8], [UInt8]) = ([], [])
        for from in [0, 128] {
            for i in 0..<64 { low.append(packed(q[from + i], q[from + 64 + i])) }
            for i in 0..<32 {
                let upper = (0..<4).map { q[from + 32 * $0 + i] >> 4 }
                high.append(upper[0] | (upper[1] << 2) | (upper[2] << 4) | (upper[3] << 6))
            }
        }
        return low + high + s.map { UInt8(bitPattern: Int8($0)) } + bytes(half: d)
    }

    /// For each run the s nearest to a/d or beside it.
    private func signed(_ runs: [[Float]], _ a: [Float], _ d: Float) -> (s: [Float], error: Float) {
        let fits = zip(runs, a).map { x, a in
            let near = nearest(a * inverse(d), -128...127)
            var best: (error: Float, s: Float) = (.infinity, 0)
            for step: Float in [-1, 0, 1] {
                let s = clamp(near + step, -128...127)
                let scale = d * s
                let errors = x.map { scale * nearest($0 * inverse(scale), -32...31) - $0 }
                let error = sum(errors.map { $0 * $0 })
                if error < best.error { best = (error, s) }
            }
            return best
        }
        return (fits.map(\.s), sum(fits.map(\.error)))
    }

    // MARK: - Numbers

    /// Codes moved up by `offset`, which makes them no less than 0; those of Q8_0 have a sign.
    private func codes(
        _ x: [Float], _ a: Float, _ b: Float, _ range: ClosedRange<Float>, offset: Int = 0
    ) -> [UInt8] {
        x.map { UInt8(truncatingIfNeeded: Int(nearest(($0 + b) * inverse(a), range)) + offset) }
    }

    /// The low 4 bits of two codes.
    private func packed(_ low: UInt8, _ high: UInt8) -> UInt8 { (low & 15) | ((high & 15) << 4) }

    private func nibbles(_ q: [UInt8]) -> [UInt8] { (0..<16).map { packed(q[$0], q[$0 + 16]) } }

    /// One bit of each of eight codes, the first code's lowest.
    private func bits(_ bit: UInt8, of q: [UInt8]) -> UInt8 {
        var byte: UInt8 = 0
        for (i, code) in q.enumerated() { byte |= ((code >> bit) & 1) << UInt8(i) }
        return byte
    }

    private func fifthBits(_ q: [UInt8]) -> [UInt8] { (0..<4).map { bits(4, of: Array(q[8 * $0..<8 * $0 + 8])) } }

    /// From the first to the last, as the kernels add.
    private func sum(_ values: [Float]) -> Float { values.reduce(0, +) }

    private func inverse(_ value: Float) -> Float { value.magnitude < 1e-12 ? 0 : 1 / value }

    private func clamp(_ value: Float, _ range: ClosedRange<Float>) -> Float {
        value > range.lowerBound ? min(value, range.upperBound) : range.lowerBound
    }

    private func nearest(_ value: Float, _ range: ClosedRange<Float>) -> Float {
        clamp(value, range).rounded(.toNearestOrEven)
    }

    /// The nearest number that f16 has: 11 digits, the last of them at least 2^-24; infinite beyond the largest.
    private func half(_ value: Float) -> Float {
        guard value.isFinite, value != 0 else { return value }
        let digit = Float(sign: .plus, exponent: max(Int(value.exponent), -14) - 10, significand: 1)
        let rounded = (value / digit).rounded(.toNearestOrEven) * digit
        return rounded.magnitude > 65504 ? (rounded < 0 ? -.infinity : .infinity) : rounded
    }

    /// An f16 as two bytes.
    private func bytes(half value: Float) -> [UInt8] {
        let value = half(value)
        let size: UInt16 =
            switch value.magnitude {
            case .infinity: 0x7C00
            case ..<0x1p-14: UInt16(value.magnitude * 0x1p24)
            default: UInt16(value.exponent + 15) << 10 | UInt16(value.significandBitPattern >> 13)
            }
        let bits = value.sign == .minus ? size | 0x8000 : size
        return [UInt8(truncatingIfNeeded: bits), UInt8(bits >> 8)]
    }
}
