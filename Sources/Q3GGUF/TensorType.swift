// The element types of GGUF tensors and how many bytes their blocks take.

/// How a tensor's values are stored; raw values are the ids in the file.
public enum TensorType: UInt32, Sendable, CaseIterable {
    /// 4 bytes a value.
    case f32 = 0
    /// 2 bytes a value.
    case f16 = 1
    /// Blocks of 32 values in 18 bytes, 4.5 bits a value.
    case q4_0 = 2
    /// Blocks of 32 values in 20 bytes, 5 bits a value.
    case q4_1 = 3
    // 4 and 5 were q4_2 and q4_3, 31 to 33 and 36 to 38 repacked layouts; all were removed from the format.
    /// Blocks of 32 values in 22 bytes, 5.5 bits a value.
    case q5_0 = 6
    /// Blocks of 32 values in 24 bytes, 6 bits a value.
    case q5_1 = 7
    /// Blocks of 32 values in 34 bytes, 8.5 bits a value.
    case q8_0 = 8
    /// Blocks of 32 values in 36 bytes, 9 bits a value.
    case q8_1 = 9
    /// Blocks of 256 values in 84 bytes, 2.625 bits a value.
    case q2_K = 10
    /// Blocks of 256 values in 110 bytes, 3.4375 bits a value.
    case q3_K = 11
    /// Blocks of 256 values in 144 bytes, 4.5 bits a value.
    case q4_K = 12
    /// Blocks of 256 values in 176 bytes, 5.5 bits a value.
    case q5_K = 13
    /// Blocks of 256 values in 210 bytes, 6.5625 bits a value.
    case q6_K = 14
    /// Blocks of 256 values in 292 bytes, 9.125 bits a value.
    case q8_K = 15
    /// Blocks of 256 values in 66 bytes, 2.0625 bits a value.
    case iq2_XXS = 16
    /// Blocks of 256 values in 74 bytes, 2.3125 bits a value.
    case iq2_XS = 17
    /// Blocks of 256 values in 98 bytes, 3.0625 bits a value.
    case iq3_XXS = 18
    /// Blocks of 256 values in 50 bytes, 1.5625 bits a value.
    case iq1_S = 19
    /// Blocks of 32 values in 18 bytes, 4.5 bits a value.
    case iq4_NL = 20
    /// Blocks of 256 values in 110 bytes, 3.4375 bits a value.
    case iq3_S = 21
    /// Blocks of 256 values in 82 bytes, 2.5625 bits a value.
    case iq2_S = 22
    /// Blocks of 256 values in 136 bytes, 4.25 bits a value.
    case iq4_XS = 23
    /// 1 byte a value.
    case i8 = 24
    /// 2 bytes a value.
    case i16 = 25
    /// 4 bytes a value.
    case i32 = 26
    /// 8 bytes a value.
    case i64 = 27
    /// 8 bytes a value.
    case f64 = 28
    /// Blocks of 256 values in 56 bytes, 1.75 bits a value.
    case iq1_M = 29
    /// 2 bytes a value.
    case bf16 = 30
    /// Blocks of 256 values in 54 bytes, 1.6875 bits a value.
    case tq1_0 = 34
    /// Blocks of 256 values in 66 bytes, 2.0625 bits a value.
    case tq2_0 = 35
    /// Blocks of 32 values in 17 bytes, 4.25 bits a value.
    case mxfp4 = 39
    /// Blocks of 64 values in 36 bytes, 4.5 bits a value.
    case nvfp4 = 40
    /// Blocks of 128 values in 18 bytes, 1.125 bits a value.
    case q1_0 = 41
}

extension TensorType {
    /// The smallest unit of storage: `itemsPerBlock` neighbouring values of a row in `bytesPerBlock` bytes.
    struct BlockLayout {
        let name: String
        let itemsPerBlock: Int
        let bytesPerBlock: Int

        init(_ name: String, _ itemsPerBlock: Int, _ bytesPerBlock: Int) {
            self.name = name
            self.itemsPerBlock = itemsPerBlock
            self.bytesPerBlock = bytesPerBlock
        }
    }

    // The byte counts are sums of a block's fields as ggml-common.h declares them; comments give the sums of the
    // types that kernels read: d and m are f16 scale and minimum, qs quants, qh high bits.
    var layout: BlockLayout {
        switch self {
        case .f32: BlockLayout("F32", 1, 4)
        case .f16: BlockLayout("F16", 1, 2)
        case .q4_0: BlockLayout("Q4_0", 32, 18)  // d 2, qs 16
        case .q4_1: BlockLayout("Q4_1", 32, 20)  // d 2, m 2, qs 16
        case .q5_0: BlockLayout("Q5_0", 32, 22)  // d 2, qh 4, qs 16
        case .q5_1: BlockLayout("Q5_1", 32, 24)  // d 2, m 2, qh 4, qs 16
        case .q8_0: BlockLayout("Q8_0", 32, 34)  // d 2, qs 32
        case .q8_1: BlockLayout("Q8_1", 32, 36)
        case .q2_K: BlockLayout("Q2_K", 256, 84)  // scales 16, qs 64, d 2, dmin 2
        case .q3_K: BlockLayout("Q3_K", 256, 110)  // hmask 32, qs 64, scales 12, d 2
        case .q4_K: BlockLayout("Q4_K", 256, 144)  // d 2, dmin 2, scales 12, qs 128
        case .q5_K: BlockLayout("Q5_K", 256, 176)  // d 2, dmin 2, scales 12, qh 32, qs 128
        case .q6_K: BlockLayout("Q6_K", 256, 210)  // ql 128, qh 64, scales 16, d 2
        case .q8_K: BlockLayout("Q8_K", 256, 292)
        case .iq2_XXS: BlockLayout("IQ2_XXS", 256, 66)
        case .iq2_XS: BlockLayout("IQ2_XS", 256, 74)
        case .iq3_XXS: BlockLayout("IQ3_XXS", 256, 98)
        case .iq1_S: BlockLayout("IQ1_S", 256, 50)
        case .iq4_NL: BlockLayout("IQ4_NL", 32, 18)  // d 2, qs 16
        case .iq3_S: BlockLayout("IQ3_S", 256, 110)
        case .iq2_S: BlockLayout("IQ2_S", 256, 82)
        case .iq4_XS: BlockLayout("IQ4_XS", 256, 136)  // d 2, scales_h 2, scales_l 4, qs 128
        case .i8: BlockLayout("I8", 1, 1)
        case .i16: BlockLayout("I16", 1, 2)
        case .i32: BlockLayout("I32", 1, 4)
        case .i64: BlockLayout("I64", 1, 8)
        case .f64: BlockLayout("F64", 1, 8)
        case .iq1_M: BlockLayout("IQ1_M", 256, 56)
        case .bf16: BlockLayout("BF16", 1, 2)
        case .tq1_0: BlockLayout("TQ1_0", 256, 54)
        case .tq2_0: BlockLayout("TQ2_0", 256, 66)
        case .mxfp4: BlockLayout("MXFP4", 32, 17)
        case .nvfp4: BlockLayout("NVFP4", 64, 36)
        case .q1_0: BlockLayout("Q1_0", 128, 18)
        }
    }

    /// The name that file names and tools use, such as "Q4_K".
    public var name: String { layout.name }

    /// Values in one block; the length of a row is a multiple of it.
    public var itemsPerBlock: Int { layout.itemsPerBlock }

    /// Bytes of one block.
    public var bytesPerBlock: Int { layout.bytesPerBlock }
}
