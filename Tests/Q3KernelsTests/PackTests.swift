// Panels: the same bytes from every instruction set, wherever the weights lie.

import CShims
import Q3GGUF
import Testing

@testable import Q3Kernels

struct PackTests {
    @Test(arguments: Kind.all)
    func `every instruction set packs the bytes of the scalar kernels`(_ kind: Kind) {
        for cols in kind.widths {
            for rows in [16, 48] {
                let weights = Weights(kind, rows: rows, cols: cols, seed: UInt64(cols + rows))
                for (first, use) in zip(stride(from: 0, to: rows, by: 16), [Q3_TO_KEEP, Q3_FOR_FEW, Q3_FOR_MANY]) {
                    let truth = weights.panel(.scalar, from: first, for: use).elements
                    for isa in ISA.vectors {
                        let same = weights.panel(isa, from: first, for: use).elements == truth
                        #expect(same, "\(isa), \(cols) columns, rows from \(first) of \(rows), use \(use)")
                    }
                }
            }
        }
    }

    /// Types that are bytes already stay as they are.
    @Test(arguments: Kind.all.filter { $0.family == .s8 })
    func `weights of S8 are within half a step of 127 to the largest of 32`(_ kind: Kind) {
        let isByte = [.q8_0, .q5_0, .iq4_NL, .mxfp4, .tq1_0, .tq2_0].contains(kind.type)
        let weights = Weights(kind, rows: 16, cols: 256, seed: 4)
        let (got, values) = (weights.computed(), weights.dequantized().map(Double.init))
        for block in stride(from: 0, to: values.count, by: 32) {
            let step = values[block..<block + 32].reduce(0) { max($0, abs($1)) } / 127
            for index in block..<block + 32 {
                #expect(abs(got[index] - values[index]) <= (isByte ? 0 : 0.50001 * step), "weight \(index)")
            }
        }
    }

    /// Tensor data of a file may begin at any byte, and may be the file's last.
    @Test(arguments: Kind.all)
    func `weights may lie at any address and end where memory ends`(_ kind: Kind) {
        let cols = kind.widths[kind.widths.count - 1]
        let weights = Weights(kind, rows: 16, cols: cols, seed: 3)
        let (panel, values) = (weights.panel(.scalar).elements, weights.dequantized())
        for offset in [0, 1, 2, 3, 7] {
            let moved = Weights(kind, rows: 16, cols: cols, seed: 3, .atStart(offset: offset))
            for isa in ISA.available {
                let same = moved.panel(isa).elements == panel
                #expect(same, "\(isa), \(offset) bytes off")
            }
            #expect(firstDifference(moved.dequantized(), values) == nil, "\(offset) bytes off")
        }
    }

    @Test func `the readable types are those that README names`() {
        let expected = """
            BF16 F16 F32 IQ1_M IQ1_S IQ2_S IQ2_XS IQ2_XXS IQ3_S IQ3_XXS IQ4_NL IQ4_XS MXFP4 NVFP4 Q2_K Q3_K Q4_0 Q4_1 Q4_K \
            Q5_0 Q5_1 Q5_K Q6_K Q8_0 TQ1_0 TQ2_0
            """
        #expect(Kind.readable.map(\.name).sorted() == expected.split(separator: " ").map(String.init))
    }

    @Test(arguments: TensorType.allCases)
    func `every readable type has a family, and computes in f32 where that is asked for`(_ type: TensorType) {
        let readable = Kind.readable.contains(type)
        #expect(WeightCodec.canDecode(typeID: type.rawValue) == readable)
        #expect(PanelFamily.forType(type.rawValue, in: [.f32]) == (readable ? .f32 : nil))
        #expect((PanelFamily.forType(type.rawValue, in: [.u8, .s8]) != nil) == readable)
    }

    @Test func `Swift names every instruction set and every family of the C kernels`() {
        #expect(ISA.allCases.count == Int(Q3_ISA_COUNT.rawValue))
        #expect(ISA.allCases.map(\.raw.rawValue).sorted() == Array(0..<Q3_ISA_COUNT.rawValue))
        #expect(Set(ISA.allCases.map(\.name)).count == ISA.allCases.count)
        #expect(PanelFamily.allCases.map(\.raw.rawValue).sorted() == Array(0..<UInt32(Q3_FAMILY_COUNT)))
    }
}
