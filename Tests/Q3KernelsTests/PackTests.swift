// Panels: the same bytes from every instruction set, wherever the weights lie.

import CShims
import Q3GGUF
import Q3Kernels
import Testing

struct PackTests {
    @Test(arguments: Kind.all)
    func vectorsPackLikeScalar(_ kind: Kind) {
        for cols in kind.widths {
            for rows in [16, 48] {
                let weights = Weights(kind, rows: rows, cols: cols, seed: UInt64(cols + rows))
                for first in stride(from: 0, to: rows, by: 16) {
                    let truth = weights.panel(.scalar, from: first).elements
                    for isa in ISA.vectors {
                        let same = weights.panel(isa, from: first).elements == truth
                        #expect(same, "\(isa), \(cols) columns, rows from \(first) of \(rows)")
                    }
                }
            }
        }
    }

    /// Tensor data of a file may begin at any byte, and may be the file's last.
    @Test(arguments: Kind.all)
    func weightsMayLieAnywhere(_ kind: Kind) {
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

    @Test(arguments: TensorType.allCases)
    func everyReadableTypeHasFamilies(_ type: TensorType) {
        let readable = Kind.readable.contains(type)
        #expect(readable == type.isComputable)
        #expect(PanelFamily.forType(type.rawValue, exact: true) == (readable ? .f32 : nil))
        #expect((PanelFamily.forType(type.rawValue, exact: false) != nil) == readable)
    }
}
