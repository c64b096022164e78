// gzip, decompressed piece by piece in bounded memory, whatever a small file says it expands to.
import CZlib

/// Reads gzip members one after another.
@safe final class Inflater {
    struct Damage: Error { let reason: String }

    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private var output = [UInt8](repeating: 0, count: 1 << 17)
    /// Compressed bytes that were not taken yet.
    private var input: [UInt8] = []
    /// Whether the last member has ended.
    private var isBetweenMembers = false

    init() throws(Damage) {
        unsafe stream.initialize(to: z_stream())
        guard unsafe q3_inflate_init(stream) == Z_OK else { throw Damage(reason: "zlib cannot start") }
    }

    deinit {
        unsafe inflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// Whether compressed bytes must be added before more can be read.
    var needsInput: Bool { input.isEmpty }

    func add(_ bytes: [UInt8]) { input += bytes }

    /// Checks that the data did not end in the middle.
    func finish() throws(Damage) {
        guard isBetweenMembers else { throw Damage(reason: "it ends in the middle") }
    }

    /// Some decompressed bytes; none if more input is needed first.
    func read() throws(Damage) -> [UInt8] {
        while !input.isEmpty {
            if isBetweenMembers {
                // Some tools pad with zeros.
                if input.allSatisfy({ $0 == 0 }) { input = []; return [] }
                guard unsafe inflateReset(stream) == Z_OK else { throw Damage(reason: "zlib cannot continue") }
                isBetweenMembers = false
            }
            let (code, taken, made) = unsafe input.withUnsafeMutableBufferPointer { source in
                unsafe output.withUnsafeMutableBufferPointer { target in
                    unsafe stream.pointee.next_in = source.baseAddress
                    unsafe stream.pointee.avail_in = UInt32(source.count)
                    unsafe stream.pointee.next_out = target.baseAddress
                    unsafe stream.pointee.avail_out = UInt32(target.count)
                    let code = unsafe inflate(stream, Z_NO_FLUSH)
                    return unsafe (
                        code, source.count - Int(stream.pointee.avail_in), target.count - Int(stream.pointee.avail_out)
                    )
                }
            }
            input.removeFirst(taken)
            switch code {
            case Z_STREAM_END: isBetweenMembers = true
            case Z_OK, Z_BUF_ERROR: break
            default: throw Damage(reason: "it is damaged")
            }
            if made > 0 { return Array(output[..<made]) }
            if taken == 0 { break }
        }
        return []
    }
}
