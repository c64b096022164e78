// Norms, rotation, SwiGLU and exp: right against f64, and the same bits from every instruction set.

import CShims
import Q3System
import TestSupport
import Testing

@testable import Q3Kernels

struct FunctionTests {
    // MARK: - exp

    private func exponential(_ isa: ISA, _ x: [Float]) -> [Float] {
        let input = GuardedMemory(x)
        let output = GuardedMemory<Float>(count: x.count)
        unsafe isa.kernels.exp(input.base, output.base, x.count)
        return output.elements
    }

    @Test(arguments: ISA.available)
    func `exp is right to 2^-22`(_ isa: ISA) {
        let tiny = (0..<32).map { Float(sign: .minus, exponent: -4 * $0, significand: 1) }
        let x = (0..<120_000).map { Float($0) * (-87.33 / 120_000) } + tiny
        let y = exponential(isa, x)
        let worst = zip(x, y).reduce(0.0) { most, pair in
            let truth = exp(Double(pair.0))
            return max(most, abs(Double(pair.1) - truth) / truth)
        }
        #expect(worst <= 0x1p-22)
        #expect(firstDifference(y, exponential(.scalar, x)) == nil)
    }

    @Test(arguments: ISA.available)
    func `exp of special values is right`(_ isa: ISA) {
        let table: [(x: Float, y: Float)] = [
            (0, 1), (-0.0, 1), (-.leastNonzeroMagnitude, 1), (Float(-87.33).nextDown, 0), (-88, 0), (-1000, 0),
            (-1e30, 0),
            (-.greatestFiniteMagnitude, 0), (-.infinity, 0), (.nan, .nan),
        ]
        let x = table.map(\.x) + [Float](repeating: -1, count: 16 - table.count)
        let y = exponential(isa, x)
        #expect(firstDifference(Array(y.prefix(table.count)), table.map(\.y)) == nil)
        #expect(firstDifference(y, exponential(.scalar, x)) == nil)
    }

    // MARK: - SwiGLU

    private func swiglu(_ isa: ISA, _ gate: [Float], _ up: [Float]) -> [Float] {
        let (gate, up) = (GuardedMemory(gate), GuardedMemory(up))
        unsafe isa.kernels.swiglu(gate.base, up.base, gate.count)
        return gate.elements
    }

    @Test(arguments: ISA.available)
    func `SwiGLU is right`(_ isa: ISA) {
        var random = SeededGenerator(seed: 31)
        for count in stride(from: 16, through: 1040, by: 16) {
            let (gate, up) = (random.floats(count, magnitude: 30), random.floats(count, magnitude: 4))
            let got = swiglu(isa, gate, up)
            let expected = zip(gate, up).map { Double($0) / (1 + exp(-Double($0))) * Double($1) }
            #expect(largestError(got, expected) < 1e-6)
            #expect(firstDifference(got, swiglu(.scalar, gate, up)) == nil)
        }
    }

    @Test(arguments: ISA.available)
    func `SwiGLU of special values is right`(_ isa: ISA) {
        let table: [(gate: Float, expected: Float)] = [
            (0, 0), (-0.0, -0.0), (1e30, 1e30), (-1e30, -0.0), (-87.5, -0.0), (.infinity, .infinity), (.nan, .nan),
            (.greatestFiniteMagnitude, .greatestFiniteMagnitude),
        ]
        let gate = table.map(\.gate) + [Float](repeating: 0, count: 16 - table.count)
        let got = swiglu(isa, gate, [Float](repeating: 1, count: 16))
        #expect(firstDifference(Array(got.prefix(table.count)), table.map(\.expected)) == nil)
    }

    // MARK: - Norm

    private func norm(_ isa: ISA, _ x: [Float], _ gain: [Float], _ epsilon: Float = 1e-6) -> [Float] {
        let (input, gain) = (GuardedMemory(x), GuardedMemory(gain))
        let output = GuardedMemory<Float>(count: x.count)
        unsafe isa.kernels.rms_norm(input.base, gain.base, epsilon, x.count, output.base)
        return output.elements
    }

    private func norm(_ x: [Float], _ gain: [Float], _ epsilon: Double = 1e-6) -> [Double] {
        let mean = x.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(x.count)
        return zip(x, gain).map { Double($0) / (mean + epsilon).squareRoot() * Double($1) }
    }

    @Test(arguments: ISA.available)
    func `the RMS norm is right`(_ isa: ISA) {
        var random = SeededGenerator(seed: 32)
        for count in stride(from: 16, through: 1040, by: 16) {
            for magnitude: Float in [1e-4, 1, 1e4] {
                let (x, gain) = (random.floats(count, magnitude: magnitude), random.floats(count, magnitude: 2))
                let got = norm(isa, x, gain)
                #expect(largestError(got, norm(x, gain)) < 2e-6, "\(count) values of \(magnitude)")
                #expect(firstDifference(got, norm(.scalar, x, gain)) == nil, "\(count) values of \(magnitude)")
            }
        }
    }

    @Test(arguments: ISA.available)
    func `the RMS norm of special rows is right`(_ isa: ISA) {
        let ones = [Float](repeating: 1, count: 32)
        #expect(norm(isa, [Float](repeating: 0, count: 32), ones) == [Float](repeating: 0, count: 32))
        #expect(norm(isa, [Float](repeating: -3, count: 32), ones, 0) == [Float](repeating: -1, count: 32))
        // The mean square of 2^64 leaves f32: the row becomes zeros there, as it does in the reference.
        #expect(norm(isa, [Float](repeating: 0x1p64, count: 32), ones) == [Float](repeating: 0, count: 32))
        for bad in [Float.nan, .infinity] {
            let got = norm(isa, [bad] + ones.dropFirst(), ones)
            #expect(got[0].isNaN)
            #expect(bad.isNaN ? got[1].isNaN : got[1] == 0)
        }
    }

    // MARK: - Norm and rotation

    private func rotate(_ isa: ISA, _ head: [Float], _ gain: [Float], _ cosines: [Float], _ sines: [Float]) -> [Float] {
        let (head, gain) = (GuardedMemory(head), GuardedMemory(gain))
        let (cosines, sines) = (GuardedMemory(cosines), GuardedMemory(sines))
        unsafe isa.kernels.norm_rope(head.base, gain.base, 1e-6, cosines.base, sines.base, head.count)
        return head.elements
    }

    @Test(arguments: ISA.available, [32, 64, 96, 128, 256])
    func `the rotary embedding is right`(_ isa: ISA, _ count: Int) {
        var random = SeededGenerator(seed: UInt64(count))
        let (half, gain) = (count / 2, random.floats(count, magnitude: 2))
        for angle in [0.0, 0.5, 2, 1000] {
            let head = random.floats(count, magnitude: 5)
            let angles = (0..<half).map { angle / Double($0 + 1) }
            let (cosines, sines) = (angles.map { Float(cos($0)) }, angles.map { Float(sin($0)) })
            let got = rotate(isa, head, gain, cosines, sines)
            let x = norm(head, gain)
            let first = (0..<half).map { x[$0] * cos(angles[$0]) - x[$0 + half] * sin(angles[$0]) }
            let second = (0..<half).map { x[$0 + half] * cos(angles[$0]) + x[$0] * sin(angles[$0]) }
            #expect(largestError(got, first + second) < 2e-6, "angle \(angle)")
            #expect(firstDifference(got, rotate(.scalar, head, gain, cosines, sines)) == nil, "angle \(angle)")
        }
    }
}
