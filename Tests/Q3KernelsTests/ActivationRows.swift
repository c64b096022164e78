// Token rows in every format at once, in guarded memory.

import CShims

@testable import Q3Kernels

/// Rows [rows, cols] prepared as f32, 8-bit and 14-bit integers.
@safe struct ActivationRows {
    let rows: Int
    let cols: Int
    private let f32: GuardedMemory<Float>
    private let i8: GuardedMemory<Int8>
    private let i8Scale, i8Sum: GuardedMemory<Float>
    private let i8Start: GuardedMemory<Int32>
    private let i16: GuardedMemory<Int16>
    private let i16Sum, i16Scale: GuardedMemory<Float>
    private let i16Halves: GuardedMemory<Int8>

    /// `x` [rows, cols], normalized if there is a gain.
    init(_ isa: ISA, _ x: [Float], cols: Int, gain: [Float]? = nil) {
        self.cols = cols
        rows = x.count / cols
        let padded = (rows + 7) / 8 * 8
        f32 = GuardedMemory(count: rows * cols)
        i8 = GuardedMemory(count: padded * cols)
        i8Scale = GuardedMemory(count: padded * cols / 32)
        i8Sum = GuardedMemory(count: padded * cols / 32)
        i8Start = GuardedMemory(count: padded * cols / 32)
        i16 = GuardedMemory(count: padded * cols)
        i16Sum = GuardedMemory(count: padded * cols / 32)
        i16Scale = GuardedMemory(count: padded * cols / 32)
        i16Halves = GuardedMemory(count: 2 * padded * cols)
        let input = GuardedMemory(x)
        let work = GuardedMemory<Float>(count: cols)
        let gain = gain.map { GuardedMemory($0) }
        var all = unsafe raw
        for row in 0..<rows {
            unsafe isa.kernels.prepare_row(input.base + row * cols, gain?.base, 1e-6, row, &all, work.base)
        }
    }

    var raw: q3_activations {
        unsafe q3_activations(
            cols: cols, f32: f32.base, i8: i8.base, i8_scale: i8Scale.base, i8_sum: i8Sum.base, i8_start: i8Start.base,
            i16: i16.base, i16_scale: i16Scale.base, i16_sum: i16Sum.base, i16_halves: i16Halves.base)
    }

    /// Products of tokens first..<first + tokens with the 16 rows of a panel, [tokens, stride]; `start` is what they
    /// are added to. The last row ends after its 16 values, where a wider matrix ends too.
    func times(
        _ panel: GuardedMemory<UInt8>, _ family: PanelFamily, _ isa: ISA, first: Int = 0, tokens: Int? = nil,
        stride: Int = 16, addingTo start: [Float]? = nil
    ) -> [Float] {
        let tokens = tokens ?? rows
        let count = (tokens - 1) * stride + 16
        let output = GuardedMemory(start.map { Array($0.prefix(count)) } ?? [Float](repeating: .infinity, count: count))
        var input = unsafe raw
        unsafe isa.kernels.multiply_panel(
            family.raw, panel.base, &input, first, tokens, output.base, stride, start != nil)
        return output.elements
    }

    /// What the formats hold, in this order: f32, i8, its scales, sums and starts, i16, its halves, sums and scales.
    var formats: [(name: String, values: [Float])] {
        [
            ("f32", f32.elements), ("i8", i8.elements.map(Float.init)), ("i8 scale", i8Scale.elements),
            ("i8 sum", i8Sum.elements), ("i8 start", i8Start.elements.map(Float.init)),
            ("i16", i16.elements.map(Float.init)), ("i16 halves", i16Halves.elements.map(Float.init)),
            ("i16 sum", i16Sum.elements), ("i16 scale", i16Scale.elements),
        ]
    }

    /// Row `row` as the 8-bit format has it: scale · integer.
    func values8(_ row: Int) -> [Double] {
        let (integers, scales) = (i8.elements, i8Scale.elements)
        return (0..<cols).map { k in
            let slot = slot(row, block: k / 32)
            return Double(integers[32 * slot + k % 32]) * Double(scales[slot])
        }
    }

    /// Row `row` as the 14-bit format has it.
    func values16(_ row: Int) -> [Double] {
        let (integers, scales) = (i16.elements, i16Scale.elements)
        return (0..<cols).map { k in
            let slot = slot(row, block: k / 32)
            return Double(integers[32 * slot + k % 32]) * Double(scales[slot])
        }
    }

    func values(_ row: Int) -> [Double] { f32.elements[row * cols..<(row + 1) * cols].map(Double.init) }

    /// Eight tokens stand together for each block of 32 columns.
    private func slot(_ row: Int, block: Int) -> Int { (row / 8 * (cols / 32) + block) * 8 + row % 8 }
}
