// A SHA-256 as people write it.

/// The hash of a file.
package struct SHA256Digest: Sendable, Hashable, CustomStringConvertible {
    /// 64 hexadecimal digits in lower case.
    package let hex: String

    /// nil if these are not 64 hexadecimal digits, as when a hub gives the 40 of a Git object.
    package init?(hex: String) {
        let digits = hex.lowercased()
        guard digits.utf8.count == 64, digits.utf8.allSatisfy({ 0x30...0x39 ~= $0 || 0x61...0x66 ~= $0 }) else {
            return nil
        }
        self.hex = digits
    }

    /// The hash of what was hashed so far.
    package init(_ hash: SHA256) {
        hex = hash.finish().map { $0 < 16 ? "0\(String($0, radix: 16))" : String($0, radix: 16) }.joined()
    }

    package var description: String { hex }
}
