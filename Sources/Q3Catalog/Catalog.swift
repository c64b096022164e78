// The model files that q3 knows by name: models.txt, which the compiler puts into the program.
internal import CCatalog
public import Q3System

/// A line of models.txt.
public struct CatalogEntry: Sendable, Equatable {
    public enum Role: String, Sendable { case embed, rerank }

    /// What q3 calls the file, in lower case.
    public let name: String
    public let role: Role
    public let source: RepositoryFile
    /// nil where models.txt has "-".
    public let byteCount: Int?
    public let digest: SHA256Digest?
}

/// A list of model files with unique names.
public struct Catalog: Sendable {
    public let entries: [CatalogEntry]

    /// Reads text in the format of models.txt; `path` is for messages.
    public init(_ text: String, path: String) throws(CatalogError) {
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
    public static func current(environment: [String: String]) throws(CatalogError) -> Catalog {
        guard let path = environment["Q3_CATALOG"], !path.isEmpty else { return try builtIn() }
        guard let text = TextFile.text(of: path, limit: 1 << 20) else { throw .unreadable(path: path) }
        return try Catalog(text, path: path)
    }

    /// The repository's models.txt at the time of the build.
    public static func builtIn() throws(CatalogError) -> Catalog {
        let file = unsafe q3_catalog()
        let bytes = unsafe UnsafeRawBufferPointer(start: file.bytes, count: file.count)
        return try Catalog(unsafe String(decoding: bytes, as: UTF8.self), path: "models.txt")
    }

    /// The entry of that name, in any case of letters.
    public func entry(named name: String) -> CatalogEntry? {
        let name = name.lowercased()
        return entries.first { $0.name == name }
    }

    /// The entry of that file.
    public func entry(of source: RepositoryFile) -> CatalogEntry? { entries.first { $0.source == source } }
}

extension CatalogEntry {
    fileprivate init(_ columns: [String]) throws(CatalogError) {
        guard columns.count == 6 else { throw .badName(columns[0], "has \(columns.count) columns, wanted 6") }
        name = columns[0]
        guard name.utf8.allSatisfy(RepositoryFile.isPlain), name == name.lowercased() else {
            throw .badName(name, "is not of lower-case letters, digits, dots, hyphens and underscores")
        }
        guard let role = Role(rawValue: columns[1]) else {
            throw .badName(columns[1], "is no role, wanted embed or rerank")
        }
        self.role = role
        source = try RepositoryFile(repository: columns[2], path: columns[3])
        byteCount = Int(columns[4])
        guard columns[4] == "-" || (byteCount ?? 0) > 0 else { throw .badName(columns[4], "is no size") }
        digest = SHA256Digest(hex: columns[5])
        guard columns[5] == "-" || digest != nil else { throw .badName(columns[5], "is no SHA-256") }
    }
}
