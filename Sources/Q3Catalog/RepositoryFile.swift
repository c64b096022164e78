// Which file of which repository, in names that are safe as names of files and in URLs.

/// A file on a model hub, such as Qwen/Qwen3-Embedding-0.6B-GGUF/Qwen3-Embedding-0.6B-Q8_0.gguf.
///
/// Its names consist of letters, digits, dots, hyphens and underscores and do not begin with a mark, so that none leads out
/// of a folder, is hidden, looks like an option or needs an escape.
package struct RepositoryFile: Sendable, Hashable, CustomStringConvertible {
    /// "OWNER/REPOSITORY"
    package let repository: String
    /// Within the repository, with the folders it is in.
    package let path: String

    /// What the file is called in the model folder.
    package var fileName: String { path.split(separator: "/").last.map(String.init) ?? path }

    package init(repository: String, path: String) throws(CatalogError) {
        let names = repository.split(separator: "/", omittingEmptySubsequences: false)
        guard names.count == 2 else { throw .badName(repository, "is not OWNER/REPOSITORY") }
        for name in names { try Self.check(String(name), limit: 96) }
        for name in path.split(separator: "/", omittingEmptySubsequences: false) {
            try Self.check(String(name), limit: Self.fileNameLimit)
        }
        guard path.lowercased().hasSuffix(".gguf") else { throw .badName(path, "does not end in .gguf") }
        self.repository = repository
        self.path = path
    }

    /// Reads "OWNER/REPOSITORY/FILE.gguf".
    package init(_ text: String) throws(CatalogError) {
        let parts = text.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3 else { throw .badName(text, "is not OWNER/REPOSITORY/FILE.gguf") }
        try self.init(repository: "\(parts[0])/\(parts[1])", path: parts[2])
    }

    package var description: String { "\(repository)/\(path)" }

    /// Leaves space for ".part.json" and for a dot in front within the 255 bytes of a file system.
    private static let fileNameLimit = 200

    /// Names that are devices where Windows has the file system.
    private static let devices: Set<String> = [
        "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "lpt1",
        "lpt2",
        "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
    ]

    static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    private static func check(_ name: String, limit: Int) throws(CatalogError) {
        guard let first = name.utf8.first else { throw .badName(name, "is empty") }
        guard name.utf8.count <= limit else { throw .badName(name, "is longer than \(limit) bytes") }
        guard name.utf8.allSatisfy(isPlain) else {
            throw .badName(name, "is not of letters, digits, dots, hyphens and underscores alone")
        }
        guard first != UInt8(ascii: "."), first != UInt8(ascii: "-"), name.utf8.last != UInt8(ascii: ".") else {
            throw .badName(name, "begins with a dot or hyphen, or ends with a dot")
        }
        let stem = name.prefix { $0 != "." }.lowercased()
        guard !devices.contains(stem) else { throw .badName(name, "is the name of a device") }
    }
}
