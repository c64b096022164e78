// An array of strings read in place from the map, such as the 151,669 tokens of a vocabulary.

/// Strings one after the other in the file, each after eight bytes of length; nothing is copied and nothing indexed,
/// so the view costs the same few bytes for any count. It keeps the map alive.
public struct StringArray: Sendable {
    private let array: MetadataArray

    /// Strings of its own, for callers that have no file.
    public init(_ strings: [String]) {
        array = MetadataArray(strings)
    }

    init?(_ array: MetadataArray) {
        guard array.elementType == .string else { return nil }
        self.array = array
    }

    /// Strings.
    public var count: Int { array.count }

    /// Visits every string in order with its index and its bytes, which need not be UTF-8; the bytes are valid during
    /// the call only.
    package func forEachBytes<E: Error>(_ body: (Int, UnsafeRawBufferPointer) throws(E) -> Void) throws(E) {
        let count = array.count
        unsafe try array.storage.withBytes { bytes throws(E) in
            var offset = 0
            for index in 0..<count {
                // Checked when the file was opened; checked again because another process may have written to it.
                guard bytes.count - offset >= 8 else { return }
                let length = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                offset += 8
                guard length <= UInt64(bytes.count - offset) else { return }
                let end = offset + Int(length)
                unsafe try body(index, UnsafeRawBufferPointer(rebasing: bytes[offset..<end]))
                offset = end
            }
        }
    }

    /// Visits every string in order with its index and its bytes, which need not be UTF-8 and stay valid during the call.
    public func forEach<E: Error>(_ body: (_ index: Int, _ bytes: RawSpan) throws(E) -> Void) throws(E) {
        unsafe try forEachBytes { index, bytes throws(E) in try body(index, unsafe RawSpan(_unsafeBytes: bytes)) }
    }

    /// The strings, with U+FFFD in place of bytes that are not UTF-8. For short arrays: this copies every string.
    public func makeStrings() -> [String] {
        var strings: [String] = []
        unsafe forEachBytes { _, bytes in
            strings.append(unsafe String(decoding: bytes, as: UTF8.self))
        }
        return strings
    }
}
