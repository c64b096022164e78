// The instruction sets that kernels exist for, and which of them this machine runs.

internal import CShims

/// An instruction set of the kernels. Results have the same bits on all of them.
public enum ISA: UInt32, Sendable, CaseIterable {
    case scalar, avx2, avxvnni, avx512vnni, neon

    /// Whether this build has the kernels and this machine can run them.
    public var isAvailable: Bool { q3_isa_available(raw) }
    /// The fastest one available.
    public static var best: ISA { ISA(rawValue: q3_isa_best().rawValue) ?? .scalar }
    public var name: String { unsafe String(cString: q3_isa_name(raw)) }

    var raw: q3_isa { q3_isa(rawValue) }
}

/// Processors that this process may use.
public var processorCount: Int { Int(q3_processor_count()) }
