// The library as others use it: the README's example, in a package of its own that depends on a version of this one.
import TestSupport
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

@Suite struct ConsumerTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    private static let isCheckout = FileManager.default.fileExists(atPath: root.appending(path: ".git").path)

    /// Needs a git checkout, because a version is a tag.
    @Test(.enabled(if: isCheckout)) func `the README's example and a program with one import run in another package`()
        throws
    {
        let outcome = try Tool.shell("'\(Self.root.appending(path: "Tests/Consumer/run").path)'")
        try #require(outcome.status == 0, "\(outcome.messages)\(outcome.text)")
        #expect(outcome.lines.contains("door open"), "\(outcome.text)")
        // Two similarities, then the index and the score of two documents.
        let rows = outcome.lines.suffix(4).map { $0.split(separator: " ").compactMap { Float(String($0)) } }
        try #require(rows.map(\.count) == [1, 1, 2, 2], "\(outcome.text)")
        #expect(rows[0...1].allSatisfy { -1...1 ~= $0[0] })
        #expect(Set(rows[2...3].map { $0[0] }) == [0, 1])
        #expect(rows[2][1] >= rows[3][1])
    }
}
