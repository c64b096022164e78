// The instruction sets that kernels exist for, and which of them this machine runs.

internal import CShims

/// An instruction set of the kernels. Results have the same bits on all of them.
public enum ISA: Sendable, CaseIterable {
    case scalar, avx2, avxvnni, avx512vnni, neon, i8mm

    /// Whether this build has the kernels and this machine can run them.
    package var isAvailable: Bool { q3_isa_available(raw) }
    /// The fastest available one, except AVX-VNNI, which must be asked for.
    public static var best: ISA { allCases.first { $0.raw == q3_isa_best() } ?? .scalar }
    package var name: String { unsafe String(cString: q3_isa_name(raw)) }

    var raw: q3_isa {
        switch self {
        case .scalar: Q3_ISA_SCALAR
        case .avx2: Q3_ISA_AVX2
        case .avxvnni: Q3_ISA_AVXVNNI
        case .avx512vnni: Q3_ISA_AVX512VNNI
        case .neon: Q3_ISA_NEON
        case .i8mm: Q3_ISA_I8MM
        }
    }

    /// Its kernels, which are constants of the program.
    var kernels: q3_kernels { unsafe q3_kernels_of(raw).pointee }
}
