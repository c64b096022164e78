// Panel products: right against f64, and the same bits from every instruction set.

import CShims
import Q3GGUF
import Q3Kernels
import TestSupport
import Testing

struct MultiplyTests {
    @Test(arguments: Kind.all)
    func `products match those in double`(_ kind: Kind) {
        for cols in [kind.widths[0], 512] {
            let weights = Weights(kind, rows: 16, cols: cols, seed: 5)
            var random = SeededGenerator(seed: 6)
            check(kind, weights, ActivationRows(.scalar, random.floats(3 * cols), cols: cols))
        }
    }

    /// Every weight at an end of its range against activations at the ends of theirs: the sums reach the bounds that
    /// keep them in int16 (8 · 2 · 15 · 127, 4 · 2 · 31 · 127) and int32 (32 · 8192 · 8191).
    @Test(arguments: Kind.all)
    func `sums of extreme integers do not overflow`(_ kind: Kind) {
        let cols = 256
        let patterns: [[Float]] = [[1], [-1], [1, -1], [1, 1, -1, -1]]
        let x = patterns.flatMap { pattern in (0..<cols).map { pattern[$0 % pattern.count] } }
        let rows = ActivationRows(.scalar, x, cols: cols)
        for filler: UInt8 in [0x00, 0x7F, 0x80, 0xFF] {
            let blocks = 16 * cols / kind.type.itemsPerBlock
            let bytes = (0..<blocks).flatMap { _ in kind.type.extremeBlock(filler: filler) }
            check(kind, Weights(kind, bytes: bytes, rows: 16), rows)
        }
    }

    /// Compares all tokens of `rows` with sums in f64 over the same rounded activations.
    private func check(_ kind: Kind, _ weights: Weights, _ rows: ActivationRows) {
        let values = weights.computed()
        let cols = rows.cols
        for isa in ISA.available {
            let got = rows.times(weights.panel(isa), kind.family, isa)
            for token in 0..<rows.rows {
                let x =
                    switch kind.family {
                    case .u8, .s8: rows.values8(token)
                    case .w16: rows.values16(token)
                    case .f32: rows.values(token)
                    }
                for row in 0..<16 {
                    let products = zip(values[row * cols..<(row + 1) * cols], x).map { $0 * $1 }
                    let error = abs(Double(got[16 * token + row]) - products.reduce(0, +))
                    // An integer block rounds once, f32 once for each column; minimums cancel larger sums.
                    let bound = 1e-5 * products.reduce(0) { $0 + abs($1) }
                    #expect(error <= bound, "\(isa), \(cols) columns, token \(token), row \(row)")
                }
            }
        }
    }

    @Test(arguments: Kind.all)
    func `every instruction set multiplies like the scalar kernels`(_ kind: Kind) {
        for cols in kind.widths {
            var random = SeededGenerator(seed: UInt64(cols))
            let weights = Weights(kind, rows: 16, cols: cols, seed: 8)
            let rows = ActivationRows(.scalar, random.floats(29 * cols, magnitude: 3), cols: cols)
            let start = random.floats(21 * 40)
            let truthPanel = weights.panel(.scalar)
            let panels = ISA.vectors.map { ($0, weights.panel($0)) }
            for tokens in 1...21 {
                for (first, stride, adds) in [(0, 16, false), (8, 16, true), (8, 40, false), (0, 40, true)] {
                    let start = adds ? start : nil
                    let truth = rows.times(
                        truthPanel, kind.family, .scalar, first: first, tokens: tokens, stride: stride, addingTo: start)
                    for (isa, panel) in panels {
                        let got = rows.times(
                            panel, kind.family, isa, first: first, tokens: tokens, stride: stride, addingTo: start)
                        #expect(
                            firstDifference(got, truth) == nil,
                            "\(isa), \(cols) columns, \(tokens) tokens from \(first), stride \(stride), adds \(adds)")
                    }
                }
            }
        }
    }

    /// The bits of a token do not depend on the tokens that stand beside it.
    @Test(arguments: Kind.all)
    func `a token has the same products in any tile`(_ kind: Kind) {
        let cols = kind.widths[kind.widths.count - 1]
        var random = SeededGenerator(seed: 11)
        let x = random.floats(13 * cols)
        let weights = Weights(kind, rows: 16, cols: cols, seed: 12)
        for isa in ISA.available {
            let panel = weights.panel(isa)
            let together = ActivationRows(isa, x, cols: cols).times(panel, kind.family, isa)
            for token in 0..<13 {
                let alone = ActivationRows(isa, Array(x[token * cols..<(token + 1) * cols]), cols: cols)
                let got = alone.times(panel, kind.family, isa)
                #expect(firstDifference(got, Array(together[token * 16..<(token + 1) * 16])) == nil, "\(isa), \(token)")
            }
        }
    }

    /// A NaN or an infinity in a weight row shows in its outputs for every token, and in no other row's.
    @Test(arguments: Kind.all)
    func `weights that are not finite show in their row only`(_ kind: Kind) {
        let cols = kind.widths[kind.widths.count - 1]
        var random = SeededGenerator(seed: 13)
        var bytes = (0..<16 * cols / kind.type.itemsPerBlock).flatMap { _ in kind.type.randomBlock(&random) }
        let block = bytes.count / 16 * 5
        switch kind.type {
        case .f32: bytes.store(Float.nan.bitPattern, at: block)
        case .bf16: bytes.store(0x7FC0 as UInt16, at: block)
        case .f16: bytes.store(0x7E00 as UInt16, at: block)
        case .mxfp4: bytes[block] = 0xFF  // 2^127, which all codes but the least multiply to infinity
        case .nvfp4: return  // every block of it is finite
        case .iq1_M: bytes.storeInTopNibbles(0x7E00, at: block + 48)
        default: bytes.store(0x7E00 as UInt16, at: block + kind.type.scaleOffsets[0])
        }
        let weights = Weights(kind, bytes: bytes, rows: 16)
        let rows = ActivationRows(.scalar, random.floats(9 * cols), cols: cols)
        for isa in ISA.available {
            let got = rows.times(weights.panel(isa), kind.family, isa)
            for (index, value) in got.enumerated() {
                #expect(value.isFinite == (index % 16 != 5), "\(isa), token \(index / 16), row \(index % 16)")
            }
        }
    }

    /// Likewise for activations: a token with a NaN gives NaN for every row and leaves its neighbours alone.
    @Test(arguments: Kind.all, [Float.nan, .infinity, -.infinity])
    func `activations that are not finite show in their token only`(_ kind: Kind, _ bad: Float) {
        let cols = kind.widths[kind.widths.count - 1]
        var random = SeededGenerator(seed: 14)
        var x = random.floats(9 * cols)
        x[3 * cols + 17] = bad
        let weights = Weights(kind, rows: 16, cols: cols, seed: 15)
        for isa in ISA.available {
            let rows = ActivationRows(isa, x, cols: cols)
            let got = rows.times(weights.panel(isa), kind.family, isa)
            for (index, value) in got.enumerated() {
                #expect(value.isFinite == (index / 16 != 3), "\(isa), token \(index / 16), row \(index % 16)")
            }
        }
    }
}
