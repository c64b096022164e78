// The record of a downloaded file: where it came from and its hash.
package import Q3Catalog
package import Q3System

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The file beside a model, NAME.gguf.json.
package struct ModelRecord: Sendable, Equatable, Codable {
    /// "OWNER/REPOSITORY"
    package var repository: String
    /// The path in the repository.
    package var file: String
    /// The commit that the hub named, if it did.
    package var revision: String?
    package var bytes: Int
    /// 64 hexadecimal digits, of the bytes as they were published.
    package var sha256: String
    /// Who vouched for the hash: catalog, option, server or nobody.
    package var source: Source

    package enum Source: String, Sendable, Codable { case catalog, option, server, nobody }

    package init(source file: RepositoryFile, revision: String?, bytes: Int, digest: SHA256Digest, from source: Source)
    {
        repository = file.repository
        self.file = file.path
        self.revision = revision
        self.bytes = bytes
        sha256 = digest.hex
        self.source = source
    }

    package var digest: SHA256Digest? { SHA256Digest(hex: sha256) }

    /// The record of a model file, nil if there is none that can be read.
    package init?(ofModel path: String) {
        guard let text = TextFile.text(of: Self.path(ofModel: path), limit: 1 << 16),
            let record = try? JSONDecoder().decode(Self.self, from: Data(text.utf8)), record.digest != nil
        else { return nil }
        self = record
    }

    package static func path(ofModel path: String) -> String { "\(path).json" }

    /// The file's content.
    package func json() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try [UInt8](encoder.encode(self)) + [UInt8(ascii: "\n")]
    }
}
