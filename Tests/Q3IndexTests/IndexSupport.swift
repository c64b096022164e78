// What the index's tests share: the small model, folders of documents, an index over them.
import Q3Embedding
import Q3Index
import Q3Mini
import TestSupport

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A folder of documents and an index of it beside them.
struct IndexedFolder {
    static let model = try! NamedEmbedder(.mini(), name: "q3-mini")

    let scratch: TemporaryFolder
    var documents: String { scratch.file("docs") }
    var path: String { scratch.file("test.q3i") }

    init(_ files: [String: String] = [:]) throws {
        scratch = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: documents, withIntermediateDirectories: true)
        for (name, text) in files { try write(name, text) }
    }

    func write(_ name: String, _ text: String) throws { try write(name, bytes: Array(text.utf8)) }

    func write(_ name: String, bytes: [UInt8]) throws {
        let file = URL(filePath: "\(documents)/\(name)")
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: file)
    }

    func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: "\(documents)/\(name)") }

    func move(_ name: String, to other: String) throws {
        try FileManager.default.moveItem(atPath: "\(documents)/\(name)", toPath: "\(documents)/\(other)")
    }

    func link(_ name: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(atPath: "\(documents)/\(name)", withDestinationPath: target)
    }

    /// As a disk that is not mounted.
    func hideDocuments() throws {
        try FileManager.default.moveItem(atPath: documents, toPath: scratch.file("hidden"))
    }

    /// Makes the index and adds the folder.
    @discardableResult
    func create(options: IndexOptions = IndexOptions()) async throws -> UpdateReport {
        let writer = try IndexWriter.create(path, model: Self.model, options: options)
        return try await writer.add(path: documents)
    }

    func writer(waiting: Duration = .zero) throws -> IndexWriter {
        try IndexWriter.open(path, waiting: waiting) { Self.model }
    }

    func update() async throws -> UpdateReport { try await writer().update() }

    func search(
        _ text: String, mode: SearchMode = .hybrid, count: Int = 10, filters: [String] = []
    ) async throws -> [IndexHit] {
        let query = SearchQuery(text, mode: mode, count: count, filters: try filters.map { try SearchFilter($0) })
        return try await SearchIndex(path: path).search(query, with: Self.model.embedder).hits
    }

    func audit() async throws -> AuditReport {
        try await SearchIndex(path: path).audit(sample: nil, with: Self.model)
    }

    /// The first segment's file.
    var segment: String { "\(path)/vectors/000001.seg" }

    /// Changes one byte of a file.
    func flip(_ file: String, at offset: Int) throws {
        var bytes = try Data(contentsOf: URL(filePath: file))
        bytes[offset] ^= 0x10
        try bytes.write(to: URL(filePath: file))
    }

    static let notes = [
        "keys.md":
            "# Keys\n\nHow we rotate the signing keys.\n\n## Every month\n\nThe oldest key is revoked on Monday.\n",
        "sub/food.txt": "Bread is baked in the morning.\n\nSoup is cooked at noon, with onions and salt.\n",
        "sub/code.swift":
            "/// Adds numbers.\nfunc sum(_ a: Int, _ b: Int) -> Int {\n    a + b\n}\n\nstruct Telescope {\n}\n",
    ]
}
