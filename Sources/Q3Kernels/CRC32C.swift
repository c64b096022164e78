// CRC-32C, which finds damaged bytes in q3's own files.

internal import CShims

/// The checksum with Castagnoli's polynomial, as in iSCSI and ext4.
package enum CRC32C {
    /// The checksum of bytes; `instructions` uses the machine's, if there are any, and changes nothing else.
    @unsafe package static func checksum(of bytes: UnsafeRawBufferPointer, instructions: Bool = true) -> UInt32 {
        guard let base = bytes.baseAddress else { return 0 }
        return instructions
            ? unsafe q3_crc32c(0, base, bytes.count) : unsafe q3_crc32c_scalar(0, base, bytes.count)
    }

    /// The checksum of a list of bytes.
    package static func checksum(of bytes: [UInt8], instructions: Bool = true) -> UInt32 {
        unsafe bytes.withUnsafeBytes { unsafe checksum(of: $0, instructions: instructions) }
    }
}
