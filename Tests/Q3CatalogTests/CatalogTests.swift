// The list of models, in the program and in files of others.
import Q3Catalog
import Q3Model
import Q3System
import TestSupport
import Testing

@Suite struct CatalogTests {
    private static let digest = String(repeating: "0a", count: 32)

    @Test func `the list is built in`() throws {
        let catalog = try Catalog.current(environment: [:])
        #expect(catalog.entries.count >= 19)
        let entry = try #require(catalog.entry(named: "Qwen3-Embedding-0.6B-Q8_0"))
        #expect(entry.role == .embedding)
        #expect(entry.byteCount == 639_150_592)
        #expect(entry.digest?.hex == "06507c7b42688469c4e7298b0a1e16deff06caf291cf0a5b278c308249c3e439")
        #expect("\(entry.source)" == "Qwen/Qwen3-Embedding-0.6B-GGUF/Qwen3-Embedding-0.6B-Q8_0.gguf")
        #expect(Set(catalog.entries.map(\.source.fileName)).count == catalog.entries.count)
    }

    @Test func `sizes and hashes may be unknown`() throws {
        let catalog = try Catalog("# text\n\nmine rerank me/my-repo a/b.gguf - -\n", path: "list")
        let entry = try #require(catalog.entry(named: "mine"))
        #expect(entry.role == .reranker)
        #expect(entry.byteCount == nil)
        #expect(entry.digest == nil)
        #expect(entry.source.fileName == "b.gguf")
        #expect(catalog.entry(of: entry.source) == entry)
    }

    private static let badLines = [
        "a embed o/r f.gguf -",
        "a embed o/r f.gguf - - more",
        "A embed o/r f.gguf - -",
        "a/b embed o/r f.gguf - -",
        "a both o/r f.gguf - -",
        "a embed or f.gguf - -",
        "a embed o/r/s f.gguf - -",
        "a embed o/r f.bin - -",
        "a embed o/r ../f.gguf - -",
        "a embed o/r f.gguf 0 -",
        "a embed o/r f.gguf -5 -",
        "a embed o/r f.gguf many -",
        "a embed o/r f.gguf - 0123",
        "a embed o/r f.gguf - \(digest)0",
    ]

    @Test(arguments: badLines) func `bad lines are named`(_ line: String) {
        #expect { try Catalog("# first\n\(line)\n", path: "list") } throws: { error in
            "\(error)".hasPrefix("list, line 2: ")
        }
    }

    @Test func `names are unique`() {
        let line = "a embed o/r f.gguf - \(Self.digest)\n"
        #expect(throws: CatalogError.self) { try Catalog(line + line, path: "list") }
    }

    @Test func `a variable names another list`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("list", "mine embed o/r f.gguf 12 \(Self.digest)\n".utf8)
        #expect(try Catalog.current(environment: ["Q3_CATALOG": path]).entries.map(\.name) == ["mine"])
        #expect(throws: CatalogError.unreadable(path: folder.path)) {
            try Catalog.current(environment: ["Q3_CATALOG": folder.path])
        }
        #expect(throws: CatalogError.unreadable(path: folder.file("none"))) {
            try Catalog.current(environment: ["Q3_CATALOG": folder.file("none")])
        }
    }

    // D08
    private static let badNames = [
        "../x", "../../etc/passwd", "/abs", "a/../../b", "a/../b.gguf", "a/b/../c.gguf", "a/b/./c.gguf", "a/b//c.gguf",
        "a/b/%2e.gguf",
        "a/b/c%2Fd.gguf", "a/b/c\0d.gguf", "a/b/CON.gguf", "a/b/nul.gguf", "a/b/-c.gguf", "a/b/.c.gguf", "a/b/c.gguf.",
        "-a/b/c.gguf",
        "a/.b/c.gguf", "a/b/c d.gguf", "a/b/c\\d.gguf", "a/b/ç.gguf", "a/b/c", "a/b", "a/b/", "", "a/b/c.gguf?x",
        "a/b/c.gguf#x",
        "a/b/c:d.gguf", "a/b/\(String(repeating: "x", count: 300)).gguf",
        "\(String(repeating: "x", count: 97))/b/c.gguf",
    ]

    @Test(arguments: badNames) func `names stay in the folder`(_ name: String) {
        #expect(throws: CatalogError.self) { try RepositoryFile(name) }
    }

    @Test func `good names`() throws {
        let file = try RepositoryFile("Owner-1/Repo_2.x/folder/Model.Q8_0.GGUF")
        #expect(file.repository == "Owner-1/Repo_2.x")
        #expect(file.path == "folder/Model.Q8_0.GGUF")
        #expect(file.fileName == "Model.Q8_0.GGUF")
    }

    @Test func `hashes are of 64 digits`() {
        #expect(SHA256Digest(hex: Self.digest.uppercased())?.hex == Self.digest)
        for bad in ["", String(repeating: "a", count: 40), String(repeating: "g", count: 64), Self.digest + "0"] {
            #expect(SHA256Digest(hex: bad) == nil)
        }
    }
}
