// Text into the caller's memory.
import CQ3

/// Memory of the caller for a text that ends with NUL.
@safe struct CText {
    private let start: UnsafeMutablePointer<CChar>?
    private let capacity: Int

    init(start: UnsafeMutablePointer<CChar>?, capacity: Int) {
        unsafe self.start = start
        self.capacity = capacity
    }

    /// Writes as many whole characters as fit.
    func cut(_ text: String) {
        guard let start = unsafe start, capacity > 0 else { return }
        var count = 0
        for scalar in text.unicodeScalars {
            let bytes = UTF8.encode(scalar)!
            guard count + bytes.count < capacity else { break }
            for byte in bytes {
                unsafe start[count] = CChar(bitPattern: byte)
                count += 1
            }
        }
        unsafe start[count] = 0
    }

    /// Writes all of `bytes` and a NUL, and their count to `length` whether they fit or not.
    func write(_ bytes: some Collection<UInt8>, length: UnsafeMutablePointer<Int>?) throws(Fault) {
        unsafe length?.pointee = bytes.count
        guard let start = unsafe start, bytes.count < capacity else {
            throw Fault(
                status: q3_status(Q3_BUFFER_TOO_SMALL),
                message: "the text takes \(bytes.count + 1) bytes, but there is room for \(max(0, capacity))")
        }
        for (index, byte) in bytes.enumerated() { unsafe start[index] = CChar(bitPattern: byte) }
        unsafe start[bytes.count] = 0
    }
}
