// What a hub says about a file in the headers of its answers.
internal import Q3Catalog
import Q3System

/// Facts from the configured host only; hosts that it redirects to are not trusted.
struct HubFacts: Sendable, Equatable {
    /// The commit that "main" is now.
    var revision: String?
    var byteCount: Int?
    var digest: SHA256Digest?

    /// Adds what an answer says. A tag of 40 digits is that of a Git object, and so the file no LFS file: no hash of its
    /// bytes.
    mutating func add(_ header: (_ name: String) -> String?) {
        if let commit = header("x-repo-commit"), commit.utf8.count == 40,
            commit.allSatisfy({ $0.isASCII && $0.isHexDigit })
        {
            revision = commit
        }
        if let size = header("x-linked-size").flatMap({ Int($0) }), size > 0 { byteCount = size }
        if let tag = header("x-linked-etag") {
            digest = SHA256Digest(hex: tag.filter { $0 != "\"" }) ?? digest
        }
    }

    /// Reads a Git LFS pointer.
    init?(pointer: String) {
        let lines = pointer.split(separator: "\n").map { $0.split(separator: " ", maxSplits: 1).map(String.init) }
        guard pointer.hasPrefix("version https://git-lfs.github.com/spec/"),
            let oid = lines.first(where: { $0.first == "oid" })?.last, oid.hasPrefix("sha256:"),
            let digest = SHA256Digest(hex: String(oid.dropFirst("sha256:".count))),
            let size = lines.first(where: { $0.first == "size" })?.last.flatMap({ Int($0) }), size > 0
        else { return nil }
        self.digest = digest
        byteCount = size
    }

    init() {}
}

/// "bytes 100-999/1000"
struct ContentRange: Equatable {
    let range: ClosedRange<Int>
    let total: Int

    init?(_ text: String) {
        guard text.lowercased().hasPrefix("bytes ") else { return nil }
        let parts = text.dropFirst("bytes ".count).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let total = Int(parts[1]) else { return nil }
        let ends = parts[0].split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard ends.count == 2, let first = ends[0], let last = ends[1], first >= 0, first <= last, last < total else {
            return nil
        }
        range = first...last
        self.total = total
    }
}
