// Names that others gave, compared by their bytes.

/// A text that equals another one of the same bytes alone. Swift's strings also equal others that look the same, such as é and e
/// with an accent after it, or K and the sign of the kelvin, which no file, network or peer takes for the same name.
package struct ExactText: Hashable, Sendable {
    package let text: String

    package init(_ text: String) { self.text = text }

    package static func == (a: Self, b: Self) -> Bool { a.text.hasBytes(of: b.text) }

    package func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(byte) }
        hasher.combine(text.utf8.count)
    }
}

extension StringProtocol {
    /// Whether both have the same bytes.
    package func hasBytes(of other: some StringProtocol) -> Bool { utf8.elementsEqual(other.utf8) }

    /// Whether a byte of ASCII is in the text, even as part of a letter: `"/" + accent` has a slash.
    package func hasByte(_ scalar: Unicode.Scalar) -> Bool { utf8.contains(UInt8(ascii: scalar)) }
}

extension String {
    /// What follows the last slash.
    package var lastPathPart: String {
        let start = utf8.lastIndex(of: UInt8(ascii: "/")).map(utf8.index(after:)) ?? utf8.startIndex
        return String(decoding: utf8[start...], as: UTF8.self)
    }
}
