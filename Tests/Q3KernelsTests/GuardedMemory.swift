// Memory between two pages without access: a kernel that leaves its buffer ends the test run there and then.
import Q3System

/// Zeroed elements whose last byte, or first, touches a page that may not be read or written.
@safe final class GuardedMemory<Element: BitwiseCopyable> {
    /// Which of its ends the memory shares with a guard page.
    enum Placement: Equatable {
        case atEnd
        /// `offset` bytes after the guard page, to misalign what the memory holds.
        case atStart(offset: Int)
    }

    let base: UnsafeMutablePointer<Element>
    let count: Int
    private let map: UnsafeMutableRawPointer
    private let mapByteCount: Int

    init(count: Int, _ placement: Placement = .atEnd) {
        let page = Int(sysconf(CInt(_SC_PAGESIZE)))
        let byteCount = count * MemoryLayout<Element>.stride
        let inner = (byteCount + page) / page * page
        mapByteCount = inner + 2 * page
        let map = unsafe mmap(nil, mapByteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0)
        guard let map = unsafe map, unsafe map != MAP_FAILED else { fatalError("no memory for \(mapByteCount) bytes") }
        let guarded = unsafe [mprotect(map, page, PROT_NONE), mprotect(map + page + inner, page, PROT_NONE)]
        precondition(guarded == [0, 0])
        let offset =
            switch placement {
            case .atEnd: inner - byteCount
            case .atStart(let offset): offset
            }
        unsafe self.map = map
        unsafe base = UnsafeMutableRawPointer(map + page + offset).assumingMemoryBound(to: Element.self)
        self.count = count
    }

    convenience init(_ elements: [Element], _ placement: Placement = .atEnd) {
        self.init(count: elements.count, placement)
        unsafe UnsafeMutableRawPointer(base).copyMemory(
            from: elements, byteCount: elements.count * MemoryLayout<Element>.stride)
    }

    deinit { unsafe munmap(map, mapByteCount) }

    var elements: [Element] {
        unsafe [Element](unsafeUninitializedCapacity: count) { buffer, initialized in
            unsafe UnsafeMutableRawBufferPointer(buffer).copyMemory(
                from: UnsafeRawBufferPointer(start: base, count: count * MemoryLayout<Element>.stride))
            initialized = count
        }
    }
}
