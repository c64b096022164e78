// Rounding of activations: right against f64, the same bits everywhere, and nothing non-finite is lost.

import CShims
import Q3Kernels
import TestSupport
import Testing

struct ActivationTests {
    @Test(arguments: ISA.vectors)
    func `every instruction set rounds activations like the scalar kernels`(_ isa: ISA) {
        var random = SeededGenerator(seed: 21)
        for cols in stride(from: 32, through: 512, by: 32) {
            for magnitude: Float in [1e-30, 1, 1e30] {
                let x = random.floats(9 * cols, magnitude: magnitude)
                compare(isa, x, cols: cols, gain: nil)
                compare(isa, x, cols: cols, gain: random.floats(cols, magnitude: 4))
            }
        }
    }

    /// Rows of special values: all formats hold the same numbers, and those are the row's; below 2^-113, where
    /// 8191 / largest leaves f32, a row may become zeros.
    @Test(arguments: ISA.available)
    func `rows of zeros, outliers and extreme magnitudes are rounded`(_ isa: ISA) {
        let cols = 64
        for (name, value) in Self.specials {
            var x = [Float](repeating: value, count: cols)
            x[5] = -value
            compare(isa, x, cols: cols, gain: nil, name)
            let rows = ActivationRows(isa, x, cols: cols)
            let size = Double(abs(value))
            func worst(_ values: [Double]) -> Double { zip(values, x).map { abs($0 - Double($1)) }.max()! }
            #expect(worst(rows.values8(0)) <= max(size / 254 * 1.001, 0x1p-113), "\(name), 8 bits")
            #expect(worst(rows.values16(0)) <= max(size / 16_382 * 1.001, 0x1p-113), "\(name), 14 bits")
        }
    }

    private static let specials: [(String, Float)] = [
        ("zero", 0), ("negative zero", -0.0), ("one", 1), ("largest", .greatestFiniteMagnitude),
        ("smallest normal", .leastNormalMagnitude), ("denormal", .leastNonzeroMagnitude * 1000),
        ("smallest", .leastNonzeroMagnitude), ("2^-120", 0x1p-120),
    ]

    /// Each value is off by at most half a step, and a step is the block's largest ÷ 8191, or 127.
    @Test(arguments: ISA.available)
    func `activations are at most half a step off`(_ isa: ISA) {
        let cols = 256
        var random = SeededGenerator(seed: 22)
        let x = (0..<9).flatMap { row in random.floats(cols, magnitude: Float(row + 1)) }
        let rows = ActivationRows(isa, x, cols: cols)
        for row in 0..<9 {
            let values = x[row * cols..<(row + 1) * cols].map(Double.init)
            let (bytes, words) = (rows.values8(row), rows.values16(row))
            #expect(rows.values(row) == values)
            for block in stride(from: 0, to: cols, by: 32) {
                let largest = values[block..<block + 32].map { abs($0) }.max()!
                let (step8, step16) = (largest / 127, largest / 8191)
                for k in block..<block + 32 {
                    #expect(abs(bytes[k] - values[k]) <= step8 * 0.5001)
                    #expect(abs(words[k] - values[k]) <= step16 * 0.501)
                }
            }
        }
    }

    /// The sums that minimums are multiplied with are those of the integers.
    @Test(arguments: ISA.available)
    func `the sums of a block are those of its integers`(_ isa: ISA) {
        let cols = 96
        var random = SeededGenerator(seed: 23)
        let rows = ActivationRows(isa, random.floats(11 * cols), cols: cols)
        let formats = Dictionary(uniqueKeysWithValues: rows.formats.map { ($0.name, $0.values) })
        for slot in 0..<16 / 8 * 3 * 8 {
            let block = 32 * slot..<32 * (slot + 1)
            #expect(formats["i16 sum"]![slot] == formats["i16 scale"]![slot] * formats["i16"]![block].reduce(0, +))
            #expect(formats["i8 start"]![slot] == -128 * formats["i8"]![block].reduce(0, +))
            #expect(formats["i8 sum"]![slot] == formats["i8 scale"]![slot] * formats["i8"]![block].reduce(0, +))
        }
    }

    @Test(arguments: ISA.available, [Float.nan, .infinity, -.infinity, .signalingNaN])
    func `rows that are not finite get NaN scales`(_ isa: ISA, _ bad: Float) {
        let cols = 96
        var random = SeededGenerator(seed: 24)
        for place in [0, 31, 32, 47, 95] {
            var x = random.floats(3 * cols)
            x[cols + place] = bad
            let rows = ActivationRows(isa, x, cols: cols)
            let formats = Dictionary(uniqueKeysWithValues: rows.formats.map { ($0.name, $0.values) })
            for block in 0..<3 {
                for name in ["i8 scale", "i8 sum", "i16 scale", "i16 sum"] {
                    let row = (0..<3).map { formats[name]![8 * block + $0].isNaN }
                    #expect(row == [false, block == place / 32, false], "\(name), column \(place), block \(block)")
                }
            }
            let normalized = ActivationRows(isa, x, cols: cols, gain: [Float](repeating: 1, count: cols))
            let scales = normalized.formats.last!.values.dropFirst(place / 32 * 8).prefix(3)
            #expect(scales.map(\.isNaN) == [false, true, false], "normalized, column \(place)")
        }
    }

    private func compare(_ isa: ISA, _ x: [Float], cols: Int, gain: [Float]?, _ name: String = "random") {
        let truth = ActivationRows(.scalar, x, cols: cols, gain: gain).formats
        let got = ActivationRows(isa, x, cols: cols, gain: gain).formats
        for (got, truth) in zip(got, truth) {
            #expect(firstDifference(got.values, truth.values) == nil, "\(name), \(cols) columns, \(got.name)")
        }
    }
}
