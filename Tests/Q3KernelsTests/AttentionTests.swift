// Attention over tries: right against a plain softmax in f64, the same bits everywhere, blind to what comes later.

import CShims
import Q3Kernels
import TestSupport
import Testing

struct AttentionTests {
    static let shapes = [1, 2, 4].flatMap { group in [32, 64, 128, 256].map { (group, $0) } }

    @Test(arguments: shapes)
    func `attention over random tries is right on every instruction set`(_ group: Int, _ headDim: Int) {
        for seed in UInt64(1)...4 {
            let batch = AttentionCase(
                runs: AttentionCase.randomRuns(seed: seed), group: group, headDim: headDim, seed: seed)
            check(batch, samples: 2, seed: seed)
        }
    }

    /// Around the borders of key blocks (64), of a query (256 rows) and of 16 lanes.
    @Test(arguments: [1, 15, 16, 17, 63, 64, 65, 127, 128, 129, 193, 256, 257, 513])
    func `attention over one text is right on every instruction set`(_ count: Int) {
        let batch = AttentionCase(runs: [(-1, 0, count)], group: 2, headDim: 32, seed: UInt64(count))
        check(batch, samples: 3, seed: 1)
    }

    /// Branches at odd places: inside a key block, at its border, right after the root's first token, one in another.
    @Test func `attention follows branches at odd places`() {
        let batch = AttentionCase(
            runs: [
                (-1, 0, 200), (0, 1, 70), (0, 63, 3), (0, 64, 65), (0, 65, 1), (3, 100, 90), (5, 101, 40), (0, 199, 2),
            ],
            group: 2, headDim: 64, seed: 41)
        check(batch, samples: 16, seed: 2)
    }

    /// A token's bits do not depend on how a run is cut into queries.
    @Test(arguments: ISA.available, AttentionRounding.allCases)
    func `queries may be split anywhere without changing a bit`(_ isa: ISA, _ rounding: AttentionRounding) {
        let batch = AttentionCase(
            runs: [(-1, 0, 150), (0, 37, 90)], group: 2, headDim: 32, seed: 42, rounding: rounding)
        let whole = batch.attend(isa)
        for most in [1, 3, 16, 50] {
            #expect(firstDifference(batch.attend(isa, most: most), whole) == nil, "\(most) tokens at a time")
        }
    }

    /// A token sees itself and what came before: NaN, infinities and huge numbers after it change no bit.
    @Test(arguments: ISA.available, [Float.nan, .infinity, 1e30])
    func `later tokens change no bit of earlier ones`(_ isa: ISA, _ bad: Float) {
        let places = AttentionRounding.allCases.flatMap { [(40, 20, $0), (70, 66, $0), (130, 70, $0)] }
        for (count, broken, rounding) in places {
            let clean = AttentionCase(runs: [(-1, 0, count)], group: 2, headDim: 32, seed: 43, rounding: rounding)
            var batch = clean
            let (keyWidth, queryWidth) = (clean.kvHeads * clean.headDim, clean.heads * clean.headDim)
            for index in broken * keyWidth..<(broken + 1) * keyWidth {
                batch.keys[index] = bad
                batch.values[index] = bad
            }
            let (got, truth) = (batch.attend(isa), clean.attend(isa))
            let before = broken * queryWidth
            let difference = firstDifference(Array(got.prefix(before)), Array(truth.prefix(before)))
            #expect(difference == nil, "\(count) tokens, \(bad) at \(broken)")
            if !bad.isFinite {
                let own = got[before..<before + queryWidth]
                #expect(own.allSatisfy { !$0.isFinite }, "token \(broken) of \(count)")
            }
        }
    }

    /// With one key, or one that outweighs all others, the output is that key's value, as far as it is rounded.
    @Test(arguments: ISA.available, AttentionRounding.allCases)
    func `one key with a far higher score decides`(_ isa: ISA, _ rounding: AttentionRounding) {
        let allowed: Float = [.f32: 0, .w16: 0x1p-13, .bytes: 0x1p-7][rounding]!
        let alone = AttentionCase(runs: [(-1, 0, 1)], group: 1, headDim: 32, seed: 44, rounding: rounding)
        for (got, value) in zip(alone.attend(isa), alone.values) { #expect(abs(got - value) <= allowed) }
        var loud = AttentionCase(runs: [(-1, 0, 100)], group: 1, headDim: 32, seed: 45, rounding: rounding)
        let width = loud.kvHeads * loud.headDim
        loud.queries = [Float](repeating: 1, count: loud.queries.count)
        for index in 10 * width..<11 * width { loud.keys[index] = 1e30 }
        for index in 90 * width..<91 * width { loud.keys[index] = -1e30 }
        let got = loud.attend(isa)
        for row in 10..<100 {
            for (got, value) in zip(got[row * width..<(row + 1) * width], loud.values[10 * width..<11 * width]) {
                #expect(abs(got - value) <= allowed, "row \(row)")
            }
        }
    }

    /// Scores that leave f32 give NaN rather than a plausible number.
    @Test(arguments: ISA.available, AttentionRounding.allCases)
    func `scores that overflow show as NaN`(_ isa: ISA, _ rounding: AttentionRounding) {
        var batch = AttentionCase(runs: [(-1, 0, 20)], group: 1, headDim: 32, seed: 46, rounding: rounding)
        batch.queries = [Float](repeating: 1e30, count: batch.queries.count)
        batch.keys = [Float](repeating: 1e30, count: batch.keys.count)
        #expect(batch.attend(isa).allSatisfy { $0.isNaN })
    }

    /// All instruction sets against the scalar bits, and `samples` random tokens and heads against f64; rounded in every way.
    private func check(_ batch: AttentionCase, samples: Int, seed: UInt64) {
        var rounded = batch
        check(batch, samples: samples, seed: seed, within: 1e-5)
        rounded.rounding = .w16
        check(rounded, samples: samples, seed: seed, within: 4e-3)
        rounded.rounding = .bytes
        check(rounded, samples: samples, seed: seed, within: 0.25)
    }

    private func check(_ batch: AttentionCase, samples: Int, seed: UInt64, within allowed: Double) {
        let scalar = batch.attend(.scalar)
        for isa in ISA.vectors {
            #expect(firstDifference(batch.attend(isa), scalar) == nil, "\(isa), runs \(batch.runs)")
        }
        var random = SeededGenerator(seed: seed)
        for _ in 0..<samples {
            let run = Int.random(in: 0..<batch.runs.count, using: &random)
            let offset = Int.random(in: 0..<Int(batch.runs[run].count), using: &random)
            let head = Int.random(in: 0..<batch.heads, using: &random)
            let start = ((Int(batch.runs[run].row) + offset) * batch.heads + head) * batch.headDim
            let got = Array(scalar[start..<start + batch.headDim])
            let error = largestError(got, batch.truth(run: run, offset: offset, head: head))
            #expect(error < allowed, "run \(run), token \(offset), head \(head)")
        }
    }
}
