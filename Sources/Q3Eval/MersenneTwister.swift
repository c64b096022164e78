// The random numbers of NumPy and scikit-learn, so that the samples drawn here are the ones that MTEB draws.

/// MT19937 with the seeding of `numpy.random.RandomState` (Matsumoto and Nishimura, 1998).
package struct MersenneTwister: Sendable {
    private var state: [UInt32]
    private var next = 624

    package init(seed: UInt32) {
        state = [seed]
        for index in UInt32(1)..<624 {
            let last = state[Int(index) - 1]
            state.append(1_812_433_253 &* (last ^ last >> 30) &+ index)
        }
    }

    package mutating func nextUInt32() -> UInt32 {
        if next == 624 { refill() }
        var value = state[next]
        next += 1
        value ^= value >> 11
        value ^= value << 7 & 0x9D2C_5680
        value ^= value << 15 & 0xEFC6_0000
        return value ^ value >> 18
    }

    /// From 0 up to and without 1, with 53 bits.
    package mutating func nextDouble() -> Double {
        let high = Double(nextUInt32() >> 5)
        let low = Double(nextUInt32() >> 6)
        return (high * 67_108_864 + low) / 9_007_199_254_740_992
    }

    /// Shuffles as `RandomState.shuffle` does a list.
    package mutating func shuffle(_ values: inout [Int]) {
        for last in values.indices.dropFirst().reversed() {
            values.swapAt(last, Int(nextUInt32(through: UInt32(last))))
        }
    }

    /// A number of at most `limit`: the first whose low bits are not above it.
    private mutating func nextUInt32(through limit: UInt32) -> UInt32 {
        let mask = UInt32.max >> limit.leadingZeroBitCount
        while true {
            let value = nextUInt32() & mask
            if value <= limit { return value }
        }
    }

    private mutating func refill() {
        for index in 0..<624 {
            let joined = state[index] & 0x8000_0000 | state[(index + 1) % 624] & 0x7FFF_FFFF
            state[index] = state[(index + 397) % 624] ^ joined >> 1 ^ (joined & 1 == 0 ? 0 : 0x9908_B0DF)
        }
        next = 0
    }
}
