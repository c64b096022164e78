// The fixtures of the repository: tiny models and what the reference computes for them.
public import Q3GGUF

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

public enum Fixture {
    /// Tests/Fixtures, found from this source file.
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures")

    public static func path(_ name: String) -> String { folder.appending(path: name).path }

    public static func model(_ name: String) throws -> GGUFFile { try GGUFFile(path: path("\(name).gguf")) }

    /// The items of a golden file.
    public static func items<Item: Decodable>(_ name: String, as type: Item.Type = Item.self) throws -> [Item] {
        let data = try Data(contentsOf: folder.appending(path: "\(name).json"))
        return try JSONDecoder().decode(Golden<Item>.self, from: data).items
    }
}

private struct Golden<Item: Decodable>: Decodable { let items: [Item] }

/// A text and its reference vector.
public struct EmbeddingItem: Decodable, Sendable {
    public let name: String
    public let text: String
    public let ids: [Int32]
    public let embedding: [Float]
    public let task: String?
    public let query: String?
}

/// A pair, its prompt's ids and its reference scores.
public struct RerankItem: Decodable, Sendable {
    public let query: String
    public let document: String
    public let instruction: String
    public let style: String
    public let ids: [Int32]
    public let pYes: Double
    public let margin: Double

    private enum CodingKeys: String, CodingKey {
        case query, document, instruction, style, ids, margin
        case pYes = "p_yes"
    }
}

/// A folder that lives as long as this value.
public final class TemporaryFolder: Sendable {
    public let path: String

    public init() throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "q3-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    public func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Names of the files in the folder, sorted.
    public func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }

    /// Writes a file and returns its path.
    @discardableResult
    public func write(_ name: String, _ bytes: some Sequence<UInt8>) throws -> String {
        try Data(bytes).write(to: URL(filePath: file(name)))
        return file(name)
    }

    public func read(_ name: String) throws -> [UInt8] {
        try [UInt8](Data(contentsOf: URL(filePath: file(name))))
    }
}
