// The ceilings of this machine: rates that no product and no pass over memory can exceed.

internal import CShims

/// Instructions that bound the products of one family on one instruction set.
package struct Ceiling: Sendable {
    package let isa: ISA
    package let family: PanelFamily
    /// The instructions, such as "vpdpbusd zmm".
    package let name: String

    /// Nil where nothing is measured: this machine does not run the instruction set, or it is the scalar one.
    package init?(isa: ISA, family: PanelFamily) {
        guard let name = unsafe q3_ceiling_name(isa.raw, family.raw) else { return nil }
        self.isa = isa
        self.family = family
        self.name = unsafe String(cString: name)
    }

    /// Those of every instruction set that this machine runs.
    package static var all: [Ceiling] {
        ISA.allCases.flatMap { isa in PanelFamily.allCases.compactMap { Ceiling(isa: isa, family: $0) } }
    }

    /// Multiply-adds per second of processor time, all threads together: the best of several short attempts, since
    /// neighbours can only lower it. Takes about a fifth of a second, on the calling thread and a team of its own.
    package func multiplyAddsPerSecond(threads: Int) -> Double {
        best { q3_measure_ceiling(isa.raw, family.raw, UInt32(threads), $0) }
    }
}

/// Bytes that all threads together read from memory per second of processor time; nil without memory for a buffer.
package func memoryReadRate(threads: Int) -> Double? {
    var layout = ArenaLayout()
    // Eight times the largest cache that one thread may have for itself, with room for every thread.
    let place = layout.reserve(byteCount: 256 << 20)
    guard let arena = Arena(byteCount: layout.byteCount) else { return nil }
    return best {
        unsafe q3_measure_reading(arena.pointer(place, as: UInt8.self), place.byteCount, UInt32(threads), $0)
    }
}

/// The highest rate of attempts that take so many seconds each.
private func best(_ attempt: (_ seconds: Double) -> Double) -> Double {
    (0..<20).map { _ in attempt(0.01) }.max() ?? 0
}
