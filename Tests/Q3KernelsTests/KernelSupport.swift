// What the kernel tests share: the instruction sets under test, seeded numbers, comparison of bits.

import CShims
import Q3System
import TestSupport

@testable import Q3Kernels

extension ISA {
    static var available: [ISA] { allCases.filter(\.isAvailable) }
    /// Those that must give the bits of the scalar kernels.
    static var vectors: [ISA] { available.filter { $0 != .scalar } }

    /// Its kernels; the scalar ones where this machine has no others.
    var kernels: q3_kernels { unsafe q3_kernels_of(raw).pointee }
}

extension SeededGenerator {
    mutating func bytes(_ count: Int) -> [UInt8] {
        var words = (0..<(count + 7) / 8).map { _ in next() }
        return unsafe words.withUnsafeMutableBytes { unsafe Array($0.prefix(count)) }
    }

    /// Evenly spread over ±magnitude.
    mutating func floats(_ count: Int, magnitude: Float = 1) -> [Float] {
        (0..<count).map { _ in Float(Int32(truncatingIfNeeded: next() >> 32)) * 0x1p-31 * magnitude }
    }
}

/// The first index at which two rows have other bits; NaNs are alike whatever their payload.
func firstDifference(_ a: [Float], _ b: [Float]) -> Int? {
    precondition(a.count == b.count)
    if unsafe memcmp(a, b, a.count * MemoryLayout<Float>.stride) == 0 { return nil }  // thousands of times as fast
    return zip(a, b).enumerated().first { _, pair in
        pair.0.bitPattern != pair.1.bitPattern && !(pair.0.isNaN && pair.1.isNaN)
    }?.offset
}

/// The largest |a - b| ÷ (1 + |b|).
func largestError(_ a: [Float], _ b: [Double]) -> Double {
    precondition(a.count == b.count)
    return zip(a, b).reduce(0) { max($0, abs(Double($1.0) - $1.1) / (1 + abs($1.1))) }
}
