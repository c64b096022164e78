// Half precision: numpy's bits, every pattern there and back, and rounding checked against its definition.
import Q3Embedding
import Testing

@Suite struct HalfPrecisionTests {
    /// `numpy.float16(x).view(numpy.uint16)`
    private static let known: [(value: Float, bits: UInt16)] = [
        (0, 0), (-0.0, 0x8000), (0.5, 14336), (-0.25, 46080), (0.3, 13517), (0.7, 14746), (0.1, 11878), (-0.2, 45670),
        (0.9, 15155), (-0.9, 47923), (0.05, 10854), (0.33, 13640), (-0.66, 47432), (0.01, 8479), (-0.02, 42271),
        (65504, 0x7BFF), (65519.996, 0x7BFF), (65520, 0x7C00), (.infinity, 0x7C00), (-1e30, 0xFC00), (.nan, 0x7E00),
        (0x1p-14, 0x0400), (0x1p-24, 1), (0x1p-25, 0), (0x1.8p-24, 2), (0x1.000002p-25, 1), (.leastNonzeroMagnitude, 0),
        (0x1.FFEp-15, 0x0400), (1.00048828125, 0x3C00), (1.00146484375, 0x3C02),
    ]

    @Test(arguments: known) func `bits are NumPy's`(_ test: (value: Float, bits: UInt16)) {
        #expect(HalfPrecision.bits(of: test.value) == test.bits)
    }

    @Test func `every pattern comes back`() {
        for bits in UInt16.min...UInt16.max {
            let value = HalfPrecision.value(of: bits)
            if value.isNaN {
                #expect(bits & 0x7FFF > 0x7C00)
            } else if HalfPrecision.bits(of: value) != bits {
                Issue.record("\(bits) became \(HalfPrecision.bits(of: value))")
            }
        }
    }

    /// Between two neighbours, everything goes to the nearer one.
    @Test func `rounds to the nearest`() {
        for bits: UInt16 in 0..<0x7BFF {
            let (low, high) = (HalfPrecision.value(of: bits), HalfPrecision.value(of: bits + 1))
            let middle = (low + high) / 2
            if HalfPrecision.bits(of: middle.nextDown) != bits || HalfPrecision.bits(of: middle.nextUp) != bits + 1
                || HalfPrecision.bits(of: middle) != bits + (bits & 1)
            {
                Issue.record("around \(middle)")
            }
        }
    }
}
