// Memory for weights that stay packed between passes: taken in advance, filled as matrices are used.

internal import CShims
import Q3System

/// Room for the panels of some matrices. Products of few tokens cost mostly packing, which kept panels save.
///
/// The system gives memory for a panel when it is first written, so what no pass has used takes none.
@safe package final class PanelStore: @unchecked Sendable {
    private let byteCount: Int
    private let base: UnsafeMutableRawPointer
    /// Bytes that matrices have taken.
    package private(set) var usedByteCount = 0
    private var states: [UnsafeMutablePointer<UInt8>] = []

    /// Nil when the system does not have that much address space.
    package init?(byteCount: Int) {
        self.byteCount = max(byteCount, 64)
        let map = unsafe mmap(nil, self.byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0)
        guard let map = unsafe map, unsafe map != MAP_FAILED else { return nil }
        unsafe base = map
        #if os(Linux)
        unsafe madvise(map, self.byteCount, MADV_HUGEPAGE)  // panels are read from end to end
        #endif
    }

    deinit {
        unsafe munmap(base, byteCount)
        for state in unsafe states { unsafe state.deallocate() }
    }

    /// A place for `panels` panels of `panelBytes` together; nil if they do not fit.
    func reserve(panelBytes: Int, panels: Int) -> q3_kept? {
        guard panelBytes <= byteCount - usedByteCount else { return nil }
        let state = UnsafeMutablePointer<UInt8>.allocate(capacity: panels)
        unsafe state.initialize(repeating: 0, count: panels)
        unsafe states.append(state)
        defer { usedByteCount += panelBytes }
        return unsafe q3_kept(panels: base + usedByteCount, states: state)
    }
}
