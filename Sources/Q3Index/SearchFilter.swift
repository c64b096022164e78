// Filters by path and by what is known of a document: `path:docs/**`, `lang=de`, `year!=2024`.

/// A condition on documents.
public struct SearchFilter: Sendable, Equatable {
    enum Subject: Equatable {
        case path, name, title, kind, language
        case metadata(key: String)
    }

    let subject: Subject
    let isNegated: Bool
    /// A pattern for `:`, exact text for `=`.
    let pattern: GlobPattern?
    let value: String

    /// Reads `KEY=VALUE`, `KEY!=VALUE`, `KEY:PATTERN` or `KEY!:PATTERN`. Keys are path, name, title, kind, lang, or one of a
    /// record's own. A pattern of a path matches the whole path, the path within its source, or the end of either from a
    /// folder on. Throws `filter` for anything else.
    public init(_ text: String) throws(IndexError) {
        let utf8 = Array(text.utf8)
        guard let place = utf8.firstIndex(where: { $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: ":") }) else {
            throw .filter(text, problem: "is none; write KEY=VALUE or KEY:PATTERN")
        }
        let isNegated = place > 0 && utf8[place - 1] == UInt8(ascii: "!")
        let key = String(decoding: utf8[..<(isNegated ? place - 1 : place)], as: UTF8.self)
        let value = utf8[(place + 1)...]
        guard !key.isEmpty else { throw .filter(text, problem: "names no key") }
        guard !value.isEmpty else { throw .filter(text, problem: "has no value") }
        subject =
            switch key {
            case "path": .path
            case "name", "id": .name
            case "title": .title
            case "kind": .kind
            case "lang", "language": .language
            default: .metadata(key: key)
            }
        self.isNegated = isNegated
        self.value = String(decoding: value, as: UTF8.self)
        pattern = utf8[place] == UInt8(ascii: ":") ? GlobPattern(value) : nil
    }

    /// Whether a text, or a path in its two forms, is what the filter asks for.
    private func matches(_ texts: [[UInt8]]) -> Bool {
        let found = texts.contains { text in
            guard let pattern else { return text.elementsEqual(value.utf8) }
            return pattern.matches(text[...])
        }
        return found != isNegated
    }

    /// The documents that all filters let through.
    static func documents(_ filters: [SearchFilter], in catalog: Catalog) throws(IndexError) -> Set<Int> {
        var allowed: Set<Int> = []
        let keys = filters.compactMap { if case .metadata(let key) = $0.subject { key } else { nil } }
        // The key is a parameter, so that nothing in it is taken for SQL; quotes make it one member's name.
        let columns = keys.indices.map { ", json_extract(d.metadata, ?\($0 + 1))" }.joined()
        let sql = """
            SELECT d.id, f.path, s.path, s.kind, d.name, d.title, d.kind,
                coalesce(d.language, json_extract(d.metadata, '$.lang'), json_extract(d.metadata, '$.language'))\(columns)
            FROM documents d JOIN files f ON f.id = d.file JOIN sources s ON s.id = f.source
            """
        let members = keys.map { SQLValue.text("$.\"\($0.replacing("\"", with: ""))\"") }
        try catalog.database.run(sql, members) { row in
            var next = 8
            let passes = filters.allSatisfy { filter in
                switch filter.subject {
                case .path:
                    let path = row.bytes(1)
                    guard row.text(3) == IndexSource.Kind.folder.rawValue else { return filter.matches([path]) }
                    return filter.matches([path, row.bytes(2) + [UInt8(ascii: "/")] + path])
                case .name: return filter.matches([row.bytes(4)])
                case .title: return filter.matches([row.bytes(5)])
                case .kind: return filter.matches([row.bytes(6)])
                case .language: return filter.matches([row.bytes(7)])
                case .metadata:
                    defer { next += 1 }
                    return row.isNull(next) ? filter.isNegated : filter.matches([row.bytes(next)])
                }
            }
            if passes { allowed.insert(row.int(0)) }
            return true
        }
        return allowed
    }
}
