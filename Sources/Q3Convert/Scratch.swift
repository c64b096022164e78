// The memory of one thread that converts: a piece as it is read, as values, as blocks, and decoded again.

/// Buffers for pieces of up to `valueCount` values. One thread at a time may use them.
@safe final class Scratch: @unchecked Sendable {
    let source: UnsafeMutableRawBufferPointer
    let blocks: UnsafeMutableRawBufferPointer
    let values: UnsafeMutableBufferPointer<Float>
    let decoded: UnsafeMutableBufferPointer<Float>

    init(valueCount: Int) {
        let byteCount = valueCount * MemoryLayout<Double>.size  // no type takes more
        unsafe source = .allocate(byteCount: byteCount, alignment: 64)
        unsafe blocks = .allocate(byteCount: byteCount, alignment: 64)
        unsafe values = .allocate(capacity: valueCount)
        unsafe decoded = .allocate(capacity: valueCount)
        unsafe values.initialize(repeating: 0)
        unsafe decoded.initialize(repeating: 0)
    }

    deinit {
        unsafe source.deallocate()
        unsafe blocks.deallocate()
        unsafe values.deallocate()
        unsafe decoded.deallocate()
    }
}

extension UnsafeMutableRawBufferPointer {
    /// The first bytes; there are that many.
    func prefix(_ count: Int) -> UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(rebasing: self[..<count])
    }

    var readOnly: UnsafeRawBufferPointer { UnsafeRawBufferPointer(self) }
}

extension UnsafeMutableBufferPointer<Float> {
    /// The first values; there are that many.
    func prefix(_ count: Int) -> UnsafeMutableBufferPointer<Float> {
        unsafe UnsafeMutableBufferPointer(rebasing: self[..<count])
    }

    var readOnly: UnsafeBufferPointer<Float> { UnsafeBufferPointer(self) }
}
