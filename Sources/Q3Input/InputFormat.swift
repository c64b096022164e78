// In which form a file holds its texts: by an option, else by the name's ending, else by the first bytes.

/// The form of an input.
package enum InputFormat: String, Sendable, CaseIterable {
    /// A text per line.
    case text
    /// A JSON object or string per line.
    case jsonl
    /// A JSON list of objects or strings, or such values one after another.
    case json
    /// Columns with commas between and their names in the first row (RFC 4180).
    case csv
    /// Columns with tabs between.
    case tsv
    /// The whole file is one text.
    case file

    /// Endings of names, without ".gz".
    private static let endings: [String: InputFormat] = [
        "txt": .text, "md": .text, "text": .text, "jsonl": .jsonl, "ndjson": .jsonl, "json": .json, "csv": .csv,
        "tsv": .tsv, "tab": .tsv,
    ]

    /// What a name's ending says, in any case of letters; nil where it says nothing.
    package init?(ending name: String) {
        var parts = name.split(separator: "/").last.map { $0.lowercased().split(separator: ".").dropFirst() } ?? []
        if parts.last == "gz" { parts.removeLast() }
        guard let ending = parts.last, let format = Self.endings[String(ending)] else { return nil }
        self = format
    }

    /// What the first bytes look like: JSON only where a whole value of it stands there, so that a text which begins with a
    /// bracket stays a text.
    package init(firstBytes bytes: [UInt8]) {
        let start = bytes.drop(while: Self.isSpace)
        switch start.first {
        case UInt8(ascii: "{"):
            let line = start.prefix { $0 != UInt8(ascii: "\n") }
            let isWhole = line.endIndex < bytes.endIndex || bytes.count < Self.sniffedByteCount
            var scanner = JSONScanner(Array(line))
            if isWhole, (try? scanner.wholeValue()) != nil {
                self = .jsonl
            } else if Self.beginsAnObject(start) {
                self = isWhole ? .json : .jsonl
            } else {
                self = .text
            }
        case UInt8(ascii: "["):
            let next = start.dropFirst().drop(while: Self.isSpace).first
            self = next == UInt8(ascii: "{") || next == UInt8(ascii: "\"") ? .json : .text
        default: self = .text
        }
    }

    /// How many bytes are looked at.
    package static let sniffedByteCount = 4096

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }

    /// Whether `{` is followed by a quoted key and a colon.
    private static func beginsAnObject(_ bytes: ArraySlice<UInt8>) -> Bool {
        let key = bytes.dropFirst().drop(while: isSpace)
        guard key.first == UInt8(ascii: "\"") else { return false }
        let rest = key.dropFirst().drop { $0 != UInt8(ascii: "\"") }
        return rest.dropFirst().drop(while: isSpace).first == UInt8(ascii: ":")
    }

    /// Files of other formats, by their first bytes.
    private static let foreign: [(magic: [UInt8], format: String, remedy: String)] = [
        (Array("PAR1".utf8), "a Parquet file", "convert it first, as with DuckDB: COPY (FROM 'FILE') TO 'texts.csv'"),
        (Array("%PDF-".utf8), "a PDF", "extract its text first, as with pdftotext"),
        (Array("PK\u{3}\u{4}".utf8), "a ZIP archive (or an Office document)", "extract its texts first"),
        ([0x28, 0xB5, 0x2F, 0xFD], "compressed with Zstandard", "decompress it first: zstd -dc FILE | q3 ..."),
        ([0xFD, 0x37, 0x7A, 0x58, 0x5A], "compressed with xz", "decompress it first: xz -dc FILE | q3 ..."),
        (Array("BZh".utf8) + [], "compressed with bzip2", "decompress it first: bzip2 -dc FILE | q3 ..."),
        (Array("GGUF".utf8), "a GGUF model", "give models with --model"),
        (Array("SQLite format 3".utf8), "an SQLite database", "export a table as CSV first"),
        (Array("ARROW1".utf8), "an Arrow file", "convert it to CSV or JSON lines first"),
        ([0xFF, 0xFE, 0, 0], "UTF-32 text", "convert it first: iconv -f UTF-32 -t UTF-8"),
        ([0, 0, 0xFE, 0xFF], "UTF-32 text", "convert it first: iconv -f UTF-32 -t UTF-8"),
        ([0x93] + Array("NUMPY".utf8), "a NumPy array", "give the texts, of which vectors are made"),
    ]

    /// The format of a file without texts, and what to do with it.
    package static func foreign(_ bytes: [UInt8]) -> (format: String, remedy: String)? {
        if let known = foreign.first(where: { bytes.starts(with: $0.magic) }) {
            guard known.magic != Array("BZh".utf8) || bytes.count > 3 && (0x31...0x39).contains(bytes[3]) else {
                return nil
            }
            return (known.format, known.remedy)
        }
        // A stray NUL is a matter of its record; UTF-16 without a mark and binary files have many.
        guard bytes.count(where: { $0 == 0 }) * 10 > bytes.count else { return nil }
        return ("not text: it has NUL bytes", "convert it to UTF-8 first, as with iconv -f UTF-16LE -t UTF-8")
    }
}
