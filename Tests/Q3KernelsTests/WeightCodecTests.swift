// Making blocks: the same bits everywhere, less error than plain rounding, and nothing that depends on the neighbours.

import Q3GGUF
import Q3Kernels
import TestSupport
import Testing

struct WeightCodecTests {
    static let quantized = TensorType.allCases.filter {
        WeightCodec.canEncode(typeID: $0.rawValue) && $0.itemsPerBlock > 1
    }
    static let writable = TensorType.allCases.filter { WeightCodec.canEncode(typeID: $0.rawValue) }

    /// Root of the mean squared error divided by that of the values, for normally distributed ones: less than what llama.cpp's
    /// quantizer leaves of them (0.00535, 0.0178, 0.0361, 0.0378, 0.0427, 0.0714, 0.0782, 0.0859).
    private static let errorLimit: [TensorType: Double] = [
        .q8_0: 0.0049, .q6_K: 0.0171, .q5_K: 0.0355, .q5_1: 0.0344, .q5_0: 0.0411, .q4_K: 0.0711, .q4_1: 0.0710,
        .q4_0: 0.0828,
    ]

    @Test(arguments: ISA.vectors, writable)
    func `every instruction set makes the same blocks`(_ isa: ISA, _ type: TensorType) {
        for (name, values) in Self.cases {
            let same = encoded(values, type, isa) == encoded(values, type, .scalar)
            #expect(same, "\(name)")
        }
    }

    @Test(arguments: quantized)
    func `blocks are those of the search as it is defined`(_ type: TensorType) {
        let search = BlockSearch(type: type)
        for (name, values) in Self.cases {
            let (got, expected) = (encoded(values, type, .scalar), search.encode(values))
            let different = zip(got, expected).enumerated().first { $1.0 != $1.1 }?.offset
            #expect(different == nil && got.count == expected.count, "\(name)")
        }
    }

    @Test(arguments: writable)
    func `decoding reads what matrices read`(_ type: TensorType) throws {
        let blocks = encoded(Self.normal, type)
        let family = PanelFamily.f32
        let rows = Self.normal.count / 512
        let expected = try unsafe blocks.withUnsafeBytes { bytes in
            let matrix = try #require(
                unsafe Matrix(bytes: bytes, typeID: type.rawValue, rows: rows, cols: 512, family: family))
            return (0..<rows).flatMap { matrix.dequantizedRow($0) }
        }
        for isa in ISA.available {
            #expect(firstDifference(decoded(blocks, type, Self.normal.count, isa), expected) == nil)
        }
    }

    /// Blocks are searched many at a time; which ones come together must not show.
    @Test(arguments: quantized)
    func `a block does not depend on its neighbours`(_ type: TensorType) {
        let whole = encoded(Self.normal, type)
        var parts: [UInt8] = []
        for start in stride(from: 0, to: Self.normal.count, by: type.itemsPerBlock) {
            parts += encoded(Array(Self.normal[start..<start + type.itemsPerBlock]), type)
        }
        #expect(parts == whole)
    }

    @Test(arguments: quantized)
    func `errors are smaller than those of plain rounding`(_ type: TensorType) throws {
        for (name, values) in Self.cases where !["tiny", "subnormal", "zero", "few"].contains(name) {
            let error = difference(values, type).squares
            #expect(error <= plainError(values, type), "\(name)")
        }
        let limit = try #require(Self.errorLimit[type])
        #expect(difference(Self.normal, type).relative < limit)
        // In a block of one or two values plain rounding errs by its f16 scale alone, and may win by chance.
        let few = try #require(Self.cases.first { $0.name == "few" }).values
        #expect(difference(few, type).relative < limit)
    }

    @Test(arguments: quantized)
    func `zeros stay zeros`(_ type: TensorType) {
        let values = [Float](repeating: 0, count: 512)
        #expect(decoded(encoded(values, type), type, 512) == values)
    }

    @Test func `halves are rounded to the nearest, ties to even`() {
        let values: [Float] = [
            0, -0, 1, 65504, 65519, -65504, 0x1p-14, 0x1p-24, 0x1p-25, 0x1.8p-25, 0x1.004p0, 0x1.002p0, 0x1.006p0,
            0x1.ffep-15,
            0x1.ffep-16, .pi, -0.1, 1e-9,
        ]
        let blocks = encoded(values, .f16)
        for (index, value) in values.enumerated() {
            let bits = UInt16(blocks[2 * index]) | UInt16(blocks[2 * index + 1]) << 8
            #expect(bits == halfBits(value), "\(value)")
        }
        let brain: [Float] = [0, -0, 1, .pi, -0.1, 0x1.01p0, 0x1.03p0, 0x1.010002p0, .greatestFiniteMagnitude / 2]
        let brainBlocks = encoded(brain, .bf16)
        for (index, value) in brain.enumerated() {
            let bits = UInt16(brainBlocks[2 * index]) | UInt16(brainBlocks[2 * index + 1]) << 8
            let down = value.bitPattern >> 16
            let rest = value.bitPattern & 0xFFFF
            let up = rest > 0x8000 || rest == 0x8000 && down & 1 == 1
            #expect(UInt32(bits) == down + (up ? 1 : 0), "\(value)")
        }
    }

    /// The largest scale is 65504: a block beyond that must not come out as some other finite values.
    @Test(arguments: quantized)
    func `values too large for a block decode to values that are not finite`(_ type: TensorType) {
        for large: Float in [1e10, -1e10, 1e18, 1e30] {
            var values = [Float](repeating: large, count: 512)
            #expect(!difference(values, type).isFinite, "\(large)")
            values = Self.cases[0].values
            values[300] = large
            #expect(!difference(values, type).isFinite, "one of \(large)")
        }
    }

    @Test func `differences are those of their definition`() {
        let values: [Float] = [1, 2, 3]
        let others: [Float] = [1, 4, 2]
        let difference = unsafe values.withUnsafeBufferPointer { a in
            unsafe others.withUnsafeBufferPointer { unsafe WeightCodec().difference(a, $0) }
        }
        #expect(difference.count == 3 && difference.squares == 5 && difference.power == 14 && difference.largest == 2)
        #expect(difference.rmse == (5.0 / 3).squareRoot() && difference.relative == (5.0 / 14).squareRoot())
    }

    // MARK: - Values

    /// Normally distributed, as weights are.
    static let normal: [Float] = {
        var random = SeededGenerator(seed: 11)
        return (0..<16384).map { _ in
            0.02 * (0..<12).reduce(-6) { sum, _ in sum + Float.random(in: 0..<1, using: &random) }
        }
    }()

    static let cases: [(name: String, values: [Float])] = {
        var random = SeededGenerator(seed: 12)
        return [
            ("normal", Array(normal.prefix(4096))), ("even", random.floats(2048)),
            ("outlier", (0..<2048).map { $0 % 100 == 7 ? 3 : normal[$0] }),
            ("positive", normal.prefix(2048).map { abs($0) + 0.01 }),
            ("negative", normal.prefix(2048).map { -abs($0) - 0.01 }),
            ("constant", [Float](repeating: 0.37, count: 512)), ("zero", [Float](repeating: 0, count: 512)),
            ("few", (0..<512).map { $0 % 37 == 0 ? normal[$0] : 0 }), ("shifted", normal.prefix(2048).map { $0 - 5 }),
            ("large", normal.prefix(2048).map { $0 * 1e5 }), ("tiny", normal.prefix(2048).map { $0 * 1e-6 }),
            ("subnormal", normal.prefix(512).map { $0 * 1e-38 }),
            // Student's t with 3 degrees of freedom: tails as heavy as those of trained weights with outliers.
            (
                "heavy",
                (0..<4096).map { i in
                    let squares = (1...3).reduce(Float(0)) { $0 + normal[i + 4096 * $1] * normal[i + 4096 * $1] }
                    return 0.02 * normal[i] / (squares / 3).squareRoot()
                }
            ),
            ("mixed", (0..<4096).map { normal[$0] * [1, 1e-3, 1e3, 0, 1e-9, 30, 1e4, 1e-5][$0 / 16 % 8] }),
        ]
    }()

    // MARK: - What the codec does with them

    private func encoded(_ values: [Float], _ type: TensorType, _ isa: ISA = .best) -> [UInt8] {
        var blocks = [UInt8](repeating: 0xA5, count: values.count / type.itemsPerBlock * type.bytesPerBlock)
        unsafe blocks.withUnsafeMutableBytes { blocks in
            unsafe values.withUnsafeBufferPointer {
                unsafe WeightCodec(isa: isa).encode($0, typeID: type.rawValue, into: blocks)
            }
        }
        return blocks
    }

    private func decoded(_ blocks: [UInt8], _ type: TensorType, _ count: Int, _ isa: ISA = .best) -> [Float] {
        var values = [Float](repeating: .nan, count: count)
        unsafe values.withUnsafeMutableBufferPointer { values in
            unsafe blocks.withUnsafeBytes {
                unsafe WeightCodec(isa: isa).decode($0, typeID: type.rawValue, into: values)
            }
        }
        return values
    }

    private func difference(_ values: [Float], _ type: TensorType) -> WeightDifference {
        let others = decoded(encoded(values, type), type, values.count)
        return unsafe values.withUnsafeBufferPointer { a in
            unsafe others.withUnsafeBufferPointer { unsafe WeightCodec().difference(a, $0) }
        }
    }

    /// Squared error of rounding to steps that span each run of values: what a quantizer without any search leaves.
    private func plainError(_ values: [Float], _ type: TensorType) -> Double {
        let hasMinimum = [.q4_1, .q5_1, .q4_K, .q5_K].contains(type)
        let steps: Float =
            [.q4_0: 8, .q5_0: 16, .q8_0: 127, .q6_K: 32, .q4_1: 15, .q4_K: 15, .q5_1: 31, .q5_K: 31][type] ?? 0
        let run = type == .q6_K ? 16 : 32
        let runsPerBlock = type.itemsPerBlock / run
        var total = 0.0
        for block in stride(from: 0, to: values.count, by: type.itemsPerBlock) {
            let runs = (0..<runsPerBlock).map { Array(values[block + $0 * run..<block + ($0 + 1) * run]) }
            var scales = runs.map { values -> Float in
                let low = hasMinimum ? min(values.min() ?? 0, type.itemsPerBlock > 32 ? 0 : .infinity) : 0
                return hasMinimum ? ((values.max() ?? 0) - low) / steps : (values.map(abs).max() ?? 0) / steps
            }
            var lows = runs.map { hasMinimum ? min($0.min() ?? 0, type.itemsPerBlock > 32 ? 0 : .infinity) : 0 }
            if runsPerBlock == 1 {
                (scales, lows) = (scales.map(half), lows.map(half))
            } else {
                let top: Float = type == .q6_K ? 127 : 63
                let unit = half((scales.max() ?? 0) / top)
                let lowUnit = half((lows.min() ?? 0) / top)
                scales = scales.map { unit == 0 ? 0 : ($0 / unit).rounded() * unit }
                lows = lows.map { lowUnit == 0 ? 0 : ($0 / lowUnit).rounded() * lowUnit }
            }
            for (index, run) in runs.enumerated() {
                for value in run {
                    let scale = scales[index]
                    let code = scale == 0 ? 0 : ((value - lows[index]) / scale).rounded()
                    let least: Float = hasMinimum ? 0 : type == .q8_0 ? -127 : -steps
                    let most = hasMinimum || type == .q8_0 ? steps : steps - 1
                    let error = Double(min(max(code, least), most) * scale + lows[index] - value)
                    total += error * error
                }
            }
        }
        return total
    }

    private func half(_ value: Float) -> Float { decoded(encoded([value], .f16), .f16, 1)[0] }

    /// f16 by comparison: of the two neighbours that enclose a value the nearer one, the even one of equally near ones.
    private func halfBits(_ value: Float) -> UInt16 {
        func number(_ bits: UInt16) -> Double {
            let exponent = Int(bits >> 10 & 31)
            let fraction = Double(bits & 1023)
            if exponent == 31 { return 65536 }  // where the next number would be
            return exponent == 0
                ? fraction * 0x1p-24
                : (1 + fraction / 1024) * Double(sign: .plus, exponent: exponent - 15, significand: 1)
        }
        let size = Double(value.magnitude)
        var below: UInt16 = 0
        while below < 0x7C00, number(below + 1) <= size { below += 1 }
        let (down, up) = (size - number(below), below < 0x7C00 ? number(below + 1) - size : .infinity)
        let bits = down < up || down == up && below & 1 == 0 ? below : below + 1
        return bits | (value.sign == .minus ? 0x8000 : 0)
    }
}
