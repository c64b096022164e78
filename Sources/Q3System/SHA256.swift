// SHA-256, which shows whether a file is the one that was meant.

internal import CQ3System

/// A hash under way.
package struct SHA256: Sendable {
    private var raw = q3_sha256()

    /// `instructions` uses the machine's, if there are any; the hash is the same.
    package init(instructions: Bool = true) { unsafe q3_sha256_init(&raw, instructions) }

    @unsafe package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        if let base = bytes.baseAddress { unsafe q3_sha256_update(&raw, base, bytes.count) }
    }

    /// The 32 bytes of the hash of all bytes so far.
    package func finish() -> [UInt8] {
        var copy = raw
        var digest = [UInt8](repeating: 0, count: 32)
        unsafe digest.withUnsafeMutableBufferPointer { unsafe q3_sha256_finish(&copy, $0.baseAddress) }
        return digest
    }
}
