// One block of work memory, laid out before it exists, and the views that operations get of it.

internal import CShims
import Q3System

/// Adds up the places of an arena: what is planned is what is allocated.
public struct ArenaLayout: Sendable {
    public private(set) var byteCount = 0

    /// A place in the arena; its bytes begin at a multiple of 64.
    public struct Place: Sendable {
        let offset: Int
        package let byteCount: Int
    }

    public init() {}

    /// Traps when the sum of places leaves Int: sizes come from a checked configuration.
    public mutating func reserve(byteCount count: Int) -> Place {
        let rounded = (count + 63) / 64 * 64
        defer { byteCount += rounded }
        return Place(offset: byteCount, byteCount: rounded)
    }

    public mutating func reserveFloats(_ rows: Int, _ cols: Int) -> Place {
        reserve(byteCount: rows * cols * MemoryLayout<Float>.stride)
    }
}

/// Zeroed memory for one layout. Its views must not outlive it.
@safe public final class Arena: @unchecked Sendable {
    package let byteCount: Int
    private let base: UnsafeMutableRawPointer

    /// Nil when the system does not have that much memory.
    public init?(byteCount: Int) {
        self.byteCount = max(byteCount, 64)
        let map = unsafe mmap(nil, self.byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0)
        guard let map = unsafe map, unsafe map != MAP_FAILED else { return nil }
        unsafe base = map
    }

    deinit { unsafe munmap(base, byteCount) }

    func pointer<T>(_ place: ArenaLayout.Place, as type: T.Type) -> UnsafeMutablePointer<T> {
        precondition(place.offset + place.byteCount <= byteCount)
        return unsafe (base + place.offset).assumingMemoryBound(to: type)
    }

    /// A view [rows, cols] of f32.
    public func matrix(_ place: ArenaLayout.Place, rows: Int, cols: Int) -> FloatMatrix {
        precondition(rows * cols * MemoryLayout<Float>.stride <= place.byteCount)
        return unsafe FloatMatrix(base: pointer(place, as: Float.self), rows: rows, cols: cols)
    }
}

/// A view [rows, cols] of f32 in an arena, row-major.
@safe public struct FloatMatrix {
    let base: UnsafeMutablePointer<Float>
    package let rows: Int
    package let cols: Int

    /// Consecutive rows.
    package func rows(_ range: Range<Int>) -> FloatMatrix {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows)
        return unsafe FloatMatrix(base: base + range.lowerBound * cols, rows: range.count, cols: cols)
    }

    /// The values of one row.
    package func row(_ row: Int) -> [Float] {
        precondition(0..<rows ~= row)
        return unsafe Array(UnsafeBufferPointer(start: base + row * cols, count: cols))
    }

    /// Copies row `sources[i]` of `other` into row i.
    package func gather(_ sources: [Int], of other: FloatMatrix) {
        precondition(sources.count <= rows && other.cols == cols)
        for (row, source) in sources.enumerated() {
            precondition(0..<other.rows ~= source)
            unsafe (base + row * cols).update(from: other.base + source * cols, count: cols)
        }
    }

    /// All values, row after row.
    package func values() -> [Float] { unsafe Array(UnsafeBufferPointer(start: base, count: rows * cols)) }

    /// Writes `values` from the first row on.
    public func store(_ values: [Float]) {
        precondition(values.count <= rows * cols)
        unsafe base.update(from: values, count: values.count)
    }
}
