// Random numbers that are the same in every run: for samples that can be repeated, for benchmarks and for tests.

/// SplitMix64, whose whole state is its seed.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        // Sums and products modulo 2^64 are the method.
        state = state.addingReportingOverflow(0x9E37_79B9_7F4A_7C15).partialValue
        var z = state
        z = (z ^ (z >> 30)).multipliedReportingOverflow(by: 0xBF58_476D_1CE4_E5B9).partialValue
        z = (z ^ (z >> 27)).multipliedReportingOverflow(by: 0x94D0_49BB_1331_11EB).partialValue
        return z ^ (z >> 31)
    }
}
