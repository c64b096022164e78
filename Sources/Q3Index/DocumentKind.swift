// What a file holds, by its name, and which language that is.

/// How a document is cut.
enum DocumentKind: String, Sendable {
    case text, markdown, code, html, pdf
    /// One of many in a file of records.
    case record

    /// The kind and the language that a file's name tells; nil for a name that tells nothing, such as `README`.
    static func of(fileName: [UInt8]) -> (kind: DocumentKind, language: String?)? {
        let name = String(decoding: fileName, as: UTF8.self).lowercased()
        if let language = byName[name] { return (.code, language) }
        guard let dot = name.lastIndex(of: "."), dot > name.startIndex else { return nil }
        let ending = String(name[name.index(after: dot)...])
        if let kind = byEnding[ending] { return (kind, nil) }
        return languages[ending].map { (.code, $0) }
    }

    private static let byEnding: [String: DocumentKind] = [
        "txt": .text, "text": .text, "rst": .text, "adoc": .text, "org": .text, "tex": .text, "log": .text,
        "srt": .text,
        "md": .markdown, "markdown": .markdown, "mdown": .markdown, "mkd": .markdown, "mdx": .markdown,
        "qmd": .markdown,
        "html": .html, "htm": .html, "xhtml": .html, "pdf": .pdf,
    ]

    private static let byName: [String: String] = [
        "makefile": "make", "gnumakefile": "make", "dockerfile": "docker", "cmakelists.txt": "cmake",
        "rakefile": "ruby",
        "gemfile": "ruby", "jenkinsfile": "groovy",
    ]

    private static let languages: [String: String] = [
        "swift": "swift", "c": "c", "h": "c", "inc": "c", "cc": "cpp", "cpp": "cpp", "cxx": "cpp", "hpp": "cpp",
        "hh": "cpp",
        "m": "objc", "mm": "objc", "py": "python", "pyi": "python", "rs": "rust", "go": "go", "java": "java",
        "kt": "kotlin",
        "kts": "kotlin", "scala": "scala", "js": "javascript", "mjs": "javascript", "cjs": "javascript",
        "jsx": "javascript", "ts": "typescript", "tsx": "typescript", "rb": "ruby", "php": "php", "pl": "perl",
        "pm": "perl",
        "sh": "shell", "bash": "shell", "zsh": "shell", "fish": "shell", "lua": "lua", "r": "r", "jl": "julia",
        "hs": "haskell",
        "ml": "ocaml", "mli": "ocaml", "ex": "elixir", "exs": "elixir", "erl": "erlang", "clj": "clojure", "el": "lisp",
        "lisp": "lisp", "scm": "scheme", "cs": "csharp", "fs": "fsharp", "vb": "vb", "dart": "dart", "zig": "zig",
        "nim": "nim",
        "d": "d", "pas": "pascal", "f90": "fortran", "f": "fortran", "asm": "asm", "s": "asm", "sql": "sql",
        "css": "css",
        "scss": "css", "less": "css", "vue": "vue", "svelte": "svelte", "proto": "proto", "thrift": "thrift",
        "graphql": "graphql",
        "tf": "terraform", "nix": "nix", "cmake": "cmake", "mk": "make", "gradle": "groovy", "groovy": "groovy",
        "toml": "toml",
        "yaml": "yaml", "yml": "yaml", "ini": "ini", "cfg": "ini", "conf": "ini", "xml": "xml", "json": "json",
        "awk": "awk",
        "ps1": "powershell", "bat": "batch", "vim": "vim", "tcl": "tcl", "v": "verilog", "vhd": "vhdl", "cu": "cuda",
    ]
}

/// A document as the catalog keeps it, without its text.
struct SourceDocument: Sendable, Equatable {
    /// The record's id; nil for a document that is a file.
    var name: String?
    var title: String
    var kind: DocumentKind
    var language: String?
    /// A JSON object of texts and numbers to filter by.
    var metadata: String?
}
