// Texts that look the same and differ in bytes, and slashes that an accent follows.
import Testing

@testable import Q3System

@Suite struct ExactTextTests {
    private static let lookalikes = [
        ("\u{E9}", "e\u{301}"), ("K", "\u{212A}"), (";", "\u{37E}"), ("\u{C5}", "\u{212B}"),
    ]

    @Test(arguments: lookalikes) func `texts of other bytes are other texts`(_ pair: (String, String)) {
        #expect(pair.0 == pair.1, "Swift takes them for the same, which is why there is a type")
        #expect(ExactText(pair.0) != ExactText(pair.1))
        #expect(ExactText(pair.0) == ExactText(pair.0))
        #expect(Set([ExactText(pair.0), ExactText(pair.1), ExactText(pair.0)]).count == 2)
        #expect(!pair.0.hasBytes(of: pair.1) && pair.0.hasBytes(of: pair.0))
    }

    @Test(arguments: [
        ("a/b", "b"), ("a/b/", ""), ("a", "a"), ("", ""), ("/", ""), ("../\u{301}x", "\u{301}x"), ("é/é.npy", "é.npy"),
    ]) func `the last part of a path follows its last slash`(_ test: (path: String, last: String)) {
        #expect(test.path.lastPathPart.hasBytes(of: test.last))
        #expect(test.path.hasByte("/") == test.path.utf8.contains(0x2F))
    }
}
