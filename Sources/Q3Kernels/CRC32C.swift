// CRC-32C, for telling damaged bytes in files of our own.

internal import CShims

/// The checksum of Castagnoli's polynomial, as iSCSI and ext4 have it.
public enum CRC32C {
    /// The checksum of bytes; `instructions` uses the machine's, if there are any, and changes nothing else.
    @unsafe public static func checksum(of bytes: UnsafeRawBufferPointer, instructions: Bool = true) -> UInt32 {
        guard let base = bytes.baseAddress else { return 0 }
        return instructions
            ? unsafe q3_crc32c(0, base, bytes.count) : unsafe q3_crc32c_scalar(0, base, bytes.count)
    }

    /// The checksum of a list of bytes.
    public static func checksum(of bytes: [UInt8], instructions: Bool = true) -> UInt32 {
        unsafe bytes.withUnsafeBytes { unsafe checksum(of: $0, instructions: instructions) }
    }
}
