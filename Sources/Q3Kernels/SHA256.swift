// SHA-256, for telling files apart from what somebody put in their place.

internal import CShims

/// A hash under way.
public struct SHA256: Sendable {
    private var raw = q3_sha256()

    /// Whether this machine has instructions for it.
    public static var hasInstructions: Bool { q3_sha256_has_instructions() }

    /// `instructions` uses the machine's, if there are any; the hash is the same.
    public init(instructions: Bool = true) { unsafe q3_sha256_init(&raw, instructions) }

    @unsafe public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        if let base = bytes.baseAddress { unsafe q3_sha256_update(&raw, base, bytes.count) }
    }

    /// The 32 bytes of the hash of all bytes so far.
    public func finish() -> [UInt8] {
        var copy = raw
        return unsafe [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            unsafe q3_sha256_finish(&copy, buffer.baseAddress!)
            count = 32
        }
    }
}
