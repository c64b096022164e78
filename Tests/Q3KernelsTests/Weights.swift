// Quantized matrices to test with: random blocks with sane scales, or every weight at its type's extreme.

import CShims
import Q3GGUF
import TestSupport

@testable import Q3Kernels

/// A tensor type together with a panel family that computes it.
struct Kind: CustomStringConvertible, Sendable {
    let type: TensorType
    let family: PanelFamily

    static let all = PanelFamily.allCases.flatMap { family in
        TensorType.allCases.filter { family.supports(typeID: $0.rawValue) }.map { Kind(type: $0, family: family) }
    }

    /// The types that kernels read.
    static let readable = TensorType.allCases.filter { q3_type_readable($0.rawValue) }

    var description: String { "\(type.name) as \(family)" }

    /// Column counts that rows of this type can have.
    var widths: [Int] { [32, 64, 96, 256, 512].filter { $0.isMultiple(of: type.itemsPerBlock) } }
}

extension TensorType {
    /// Where the f16 scales and minimums stand in a block.
    var scaleOffsets: [Int] {
        switch self {
        case .q4_0, .q5_0, .q8_0, .iq4_NL, .iq4_XS, .iq3_XXS, .iq3_S, .iq2_XXS, .iq2_XS, .iq2_S, .iq1_S: [0]
        case .tq1_0: [52]
        case .tq2_0: [64]
        case .q4_1, .q5_1, .q4_K, .q5_K: [0, 2]
        case .q2_K: [80, 82]
        case .q3_K: [108]
        case .q6_K: [208]
        default: []
        }
    }

    /// A block of random weights of ordinary size: scales between 2^-10 and 2^-2.
    func randomBlock(_ random: inout SeededGenerator) -> [UInt8] {
        func half() -> UInt16 {
            let sign = UInt16(random.next() & 1) << 15
            return sign | UInt16.random(in: 0x1400..<0x3400, using: &random)
        }
        var block = random.bytes(bytesPerBlock)
        switch self {
        case .f32: block.store(Float.random(in: -1...1, using: &random).bitPattern, at: 0)
        case .bf16: block.store(UInt16(Float.random(in: -1...1, using: &random).bitPattern >> 16), at: 0)
        case .f16: block.store(half(), at: 0)
        case .mxfp4: block[0] = UInt8.random(in: 118...126, using: &random)
        case .nvfp4: for index in 0..<4 { block[index] = UInt8.random(in: 0...48, using: &random) }
        case .iq1_M: block.storeInTopNibbles(half(), at: 48)
        default: for offset in scaleOffsets { block.store(half(), at: offset) }
        }
        return block
    }

    /// A block of scale 1 whose other bytes are all `filler`; in Q6_K all weights are -32 and all scales -128.
    func extremeBlock(filler: UInt8) -> [UInt8] {
        var block = [UInt8](repeating: filler, count: bytesPerBlock)
        switch self {
        case .f32: block.store(Float(filler).bitPattern, at: 0)
        case .bf16: block.store(UInt16(Float(filler).bitPattern >> 16), at: 0)
        case .f16: block.store(0x7BFF as UInt16, at: 0)  // 65504
        case .q6_K where filler == 0: for index in 192..<208 { block[index] = 0x80 }
        case .mxfp4: block[0] = 128
        case .nvfp4: for index in 0..<4 { block[index] = 0x38 }
        case .iq1_M: block.storeInTopNibbles(0x3C00, at: 48)
        default: break
        }
        for offset in scaleOffsets { block.store(0x3C00 as UInt16, at: offset) }
        return block
    }
}

extension [UInt8] {
    /// A 16-bit value in the top nibbles of four little-endian words, the lowest nibble first: where IQ1_M has its scale.
    mutating func storeInTopNibbles(_ value: UInt16, at offset: Int) {
        for index in 0..<4 {
            let top = offset + 2 * index + 1
            self[top] = self[top] & 15 | UInt8(truncatingIfNeeded: value >> (4 * index) & 15) << 4
        }
    }
}

/// A matrix [rows, cols] in guarded memory.
@safe struct Weights {
    let kind: Kind
    let rows: Int
    let cols: Int
    private let memory: GuardedMemory<UInt8>

    init(
        _ kind: Kind, bytes: [UInt8], rows: Int, _ placement: GuardedMemory<UInt8>.Placement = .atEnd
    ) {
        self.kind = kind
        self.rows = rows
        cols = bytes.count / kind.type.bytesPerBlock * kind.type.itemsPerBlock / rows
        memory = GuardedMemory(bytes, placement)
    }

    /// Random weights.
    init(
        _ kind: Kind, rows: Int, cols: Int, seed: UInt64, _ placement: GuardedMemory<UInt8>.Placement = .atEnd
    ) {
        var random = SeededGenerator(seed: seed)
        let blocks = rows * cols / kind.type.itemsPerBlock
        self.init(kind, bytes: (0..<blocks).flatMap { _ in kind.type.randomBlock(&random) }, rows: rows, placement)
    }

    var raw: q3_matrix {
        unsafe q3_matrix(
            data: memory.base, type: kind.type.rawValue, family: kind.family.raw, rows: rows,
            cols: cols,
            row_bytes: memory.count / rows, kept: q3_kept())
    }

    /// The view that Q3Kernels has of it; the weights must outlive it.
    @unsafe var matrix: Matrix? {
        let bytes = unsafe UnsafeRawBufferPointer(start: memory.base, count: memory.count)
        return unsafe Matrix(bytes: bytes, typeID: kind.type.rawValue, rows: rows, cols: cols, family: kind.family)
    }

    /// All weights as f32, [rows, cols].
    func dequantized() -> [Float] {
        let output = GuardedMemory<Float>(count: rows * cols)
        unsafe q3_dequantize_rows(raw, (0..<rows).map(Int32.init), rows, output.base)
        return output.elements
    }

    /// All weights as products compute with them: F16, BF16 and NVFP4 in W16 are rounded to 13 bits of the largest of 32, in
    /// S8 every type to bytes.
    func computed() -> [Double] {
        if kind.family == .s8 { return signedBytes() }
        let values = dequantized()
        guard kind.family == .w16, [.f16, .bf16, .nvfp4].contains(kind.type) else { return values.map(Double.init) }
        return stride(from: 0, to: values.count, by: 32).flatMap { start in
            let block = values[start..<start + 32]
            let most = block.reduce(0x1p-100) { max($0, abs(Double($1))) }
            let step = Double(sign: .plus, exponent: most.exponent - 12, significand: 1)
            return block.map { (Double($0) / step).rounded(.toNearestOrEven) * step }
        }
    }

    /// The 16 rows as the scalar kernels' S8 panel has them: a header of 64 bytes, then, for every 32 columns, eight
    /// times 4 bytes of 16 rows, 128 too large, and 16 scales.
    private func signedBytes() -> [Double] {
        let panel = panel(.scalar).elements
        return (0..<rows * cols).map { index in
            let (row, col) = (index / cols, index % cols)
            let block = 64 + col / 32 * (512 + 64)
            let byte = panel[block + col % 32 / 4 * 64 + row * 4 + col % 4]
            let scale = panel[block + 512 + 4 * row..<block + 512 + 4 * row + 4].reversed().reduce(UInt32(0)) {
                $0 << 8 | UInt32($1)
            }
            return Double(Int(byte) - 128) * Double(Float(bitPattern: scale))
        }
    }

    /// The panel of 16 rows from `row` on.
    func panel(_ isa: ISA, from row: Int = 0, for use: q3_use = Q3_FOR_FEW) -> GuardedMemory<UInt8> {
        let panel = GuardedMemory<UInt8>(count: q3_panel_bytes(kind.family.raw, cols))
        var matrix = unsafe raw
        unsafe isa.kernels.pack(&matrix, row, use, q3_fetch(), panel.base)
        return panel
    }
}
