// The model files that q3 knows by name: models.txt, which the compiler puts into the program.
internal import CCatalog
package import Q3Model
package import Q3System

/// A line of models.txt.
package struct CatalogEntry: Sendable, Equatable {
    /// What q3 calls the file, in lower case.
    package let name: String
    package let role: ModelRole.Kind
    package let source: RepositoryFile
    /// nil where models.txt has "-".
    package let byteCount: Int?
    package let digest: SHA256Digest?
}

/// A list of model files with unique names.
package struct Catalog: Sendable {
    package let entries: [CatalogEntry]

    /// Reads text in the format of models.txt; `path` is for messages.
    package init(_ text: String, path: String) throws(CatalogError) {
        var entries: [CatalogEntry] = []
        var names: Set<String> = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let columns = line.split(whereSeparator: \.isWhitespace).map(String.init)
            guard let first = columns.first, !first.hasPrefix("#") else { continue }
            do throws(CatalogError) {
                let entry = try CatalogEntry(columns)
                guard names.insert(entry.name).inserted else { throw .badName(entry.name, "is there twice") }
                entries.append(entry)
            } catch {
                throw .badLine(path: path, line: index + 1, fault: "\(error)")
            }
        }
        self.entries = entries
    }

    /// What is built in, or the file that `Q3_CATALOG` names instead.
    package static func current(environment: [String: String]) throws(CatalogError) -> Catalog {
        guard let path = environment["Q3_CATALOG"], !path.isEmpty else { return try builtIn() }
        guard let text = TextFile.text(of: path, limit: 1 << 20) else { throw .unreadable(path: path) }
        return try Catalog(text, path: path)
    }

    /// The repository's models.txt at the time of the build.
    package static func builtIn() throws(CatalogError) -> Catalog {
        let file = unsafe q3_catalog()
        let bytes = unsafe UnsafeRawBufferPointer(start: file.bytes, count: file.count)
        return try Catalog(unsafe String(decoding: bytes, as: UTF8.self), path: "models.txt")
    }

    /// The entry of that name, with or without ".gguf", or of that file's name, in any case of letters.
    package func entry(named name: String) -> CatalogEntry? {
        let name = name.lowercased()
        let stem = name.hasSuffix(".gguf") ? String(name.dropLast(5)) : name
        return entries.first { $0.name == stem || $0.source.fileName.lowercased() == name }
    }

    /// The files of one model, the recommended one first: those named as the model with a type after it, as
    /// "qwen3-embedding-0.6b", or that are in the given repository, as "Qwen/Qwen3-Embedding-0.6B" with or without "-GGUF".
    package func entries(ofModel name: String) -> [CatalogEntry] {
        let name = name.lowercased()
        guard !name.hasByte("/") else {
            return entries.filter { [name, "\(name)-gguf"].contains($0.source.repository.lowercased()) }
        }
        return entries.filter { entry in
            entry.name.hasPrefix("\(name)-") && Self.types.contains { entry.name == "\(name)-\($0)" }
        }
    }

    /// Whether a file is the first of several of its model.
    package func isRecommended(_ entry: CatalogEntry) -> Bool {
        guard let type = Self.types.first(where: { entry.name.hasSuffix("-\($0)") }) else { return false }
        return entries(ofModel: String(entry.name.dropLast(type.count + 1))).first == entry
    }

    private static let types = ["f32", "f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q5_0", "q4_k_m", "q4_0"]

    /// The entry of that file.
    package func entry(of source: RepositoryFile) -> CatalogEntry? { entries.first { $0.source == source } }
}

extension CatalogEntry {
    fileprivate init(_ columns: [String]) throws(CatalogError) {
        guard columns.count == 6 else { throw .badName(columns[0], "has \(columns.count) columns, expected 6") }
        name = columns[0]
        guard name.utf8.allSatisfy(RepositoryFile.isPlain), name == name.lowercased() else {
            throw .badName(name, "is not of lower-case letters, digits, dots, hyphens and underscores")
        }
        guard let role = ModelRole.Kind(command: columns[1]) else {
            throw .badName(columns[1], "is not a role, expected embed or rerank")
        }
        self.role = role
        source = try RepositoryFile(repository: columns[2], path: columns[3])
        byteCount = Int(columns[4])
        guard columns[4] == "-" || (byteCount ?? 0) > 0 else { throw .badName(columns[4], "is not a size") }
        digest = SHA256Digest(hex: columns[5])
        guard columns[5] == "-" || digest != nil else { throw .badName(columns[5], "is not a SHA-256") }
    }
}

extension ModelRole.Kind {
    private static let commands: [(Self, String)] = [(.embedding, "embed"), (.reranker, "rerank")]

    /// The command for such a model: `embed` or `rerank`; nil for `unstated`.
    package var command: String? { Self.commands.first { $0.0 == self }?.1 }

    /// The kind of model that a command takes.
    package init?(command: String) {
        guard let known = Self.commands.first(where: { $0.1 == command }) else { return nil }
        self = known.0
    }
}
