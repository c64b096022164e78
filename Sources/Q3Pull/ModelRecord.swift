// What is known of a downloaded file: where it came from and what its bytes were.
public import Q3Catalog
public import Q3System

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The file beside a model, NAME.gguf.json.
public struct ModelRecord: Sendable, Equatable, Codable {
    /// "OWNER/REPOSITORY"
    public var repository: String
    /// The path in the repository.
    public var file: String
    /// The commit that the hub named, if it did.
    public var revision: String?
    public var bytes: Int
    /// 64 hexadecimal digits, of the bytes as they were published.
    public var sha256: String
    /// Who vouched for the hash: catalog, option, server or nobody.
    public var source: Source

    public enum Source: String, Sendable, Codable { case catalog, option, server, nobody }

    public init(source file: RepositoryFile, revision: String?, bytes: Int, digest: SHA256Digest, from source: Source) {
        repository = file.repository
        self.file = file.path
        self.revision = revision
        self.bytes = bytes
        sha256 = digest.hex
        self.source = source
    }

    public var digest: SHA256Digest? { SHA256Digest(hex: sha256) }

    /// The record of a model file, nil if there is none that can be read.
    public init?(ofModel path: String) {
        guard let text = TextFile.text(of: Self.path(ofModel: path), limit: 1 << 16),
            let record = try? JSONDecoder().decode(Self.self, from: Data(text.utf8)), record.digest != nil
        else { return nil }
        self = record
    }

    public static func path(ofModel path: String) -> String { "\(path).json" }

    /// The file's content.
    public func json() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try [UInt8](encoder.encode(self)) + [UInt8(ascii: "\n")]
    }
}
