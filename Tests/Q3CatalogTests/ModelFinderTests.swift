// What a name given to --model leads to.
import Q3Catalog
import Q3System
import TestSupport
import Testing

@Suite struct ModelFinderTests {
    private let files: TemporaryFolder
    private let environment: [String: String]

    init() throws {
        files = try TemporaryFolder()
        try files.write("list", "tiny-embed embed o/r Tiny.gguf - -\ntiny-rerank rerank o/r Other.gguf - -\n".utf8)
        try files.write("Tiny.gguf", [1])
        try files.write("mine.gguf", [1])
        environment = ["Q3_MODELS": files.path, "Q3_CATALOG": files.file("list")]
    }

    @Test func `names of the list and of the folder`() throws {
        for (name, file) in [
            ("tiny-embed", "Tiny.gguf"), ("Tiny-Embed", "Tiny.gguf"), ("Tiny.gguf", "Tiny.gguf"), ("mine", "mine.gguf"),
            ("mine.gguf", "mine.gguf"),
        ] {
            #expect(try ModelFinder.path(of: name, environment: environment) == files.file(file))
        }
    }

    @Test func `paths need no environment`() throws {
        for path in ["./tiny-embed", "/nonexistent.gguf", "a/b"] {
            #expect(try ModelFinder.path(of: path, environment: [:]) == path)
        }
    }

    @Test func `what is not there yet`() {
        #expect(throws: CatalogError.notPulled(name: "tiny-rerank", path: files.file("Other.gguf"))) {
            try ModelFinder.path(of: "tiny-rerank", environment: environment)
        }
        #expect("\(CatalogError.notPulled(name: "a", path: "b"))".contains("q3 pull a"))
    }

    @Test(arguments: [
        ("tiny", ["tiny-embed", "tiny-rerank", "Tiny.gguf"]), ("tiny-embde", ["tiny-embed"]), ("quite-another", []),
    ])
    func `unknown names have near ones`(_ name: String, _ near: [String]) {
        #expect { try ModelFinder.path(of: name, environment: environment) } throws: { error in
            guard case CatalogError.unknownModel(name, let found, files.path) = error else { return false }
            return Set(found).isSuperset(of: near) && found.isEmpty == near.isEmpty
                && "\(error)".contains("q3 pull NAME")
        }
    }

    @Test(arguments: ["", ".", "..", ".hidden"]) func `odd names are unknown`(_ name: String) throws {
        try files.write(".hidden.gguf", [1])
        #expect(throws: CatalogError.self) { try ModelFinder.path(of: name, environment: environment) }
    }

    @Test func `where the folder is`() throws {
        #expect(try ModelFolder(environment: ["Q3_MODELS": "m", "HOME": "/h"]).path == "m")
        #expect(try ModelFolder(environment: ["XDG_CACHE_HOME": "/c", "HOME": "/h"]).path == "/c/q3/models")
        #expect(
            try ModelFolder(environment: ["XDG_CACHE_HOME": "c", "Q3_MODELS": "", "HOME": "/h"]).path
                == "/h/.cache/q3/models")
        #expect(throws: CatalogError.noFolder) { try ModelFolder(environment: [:]) }
        #expect(ModelFolder(path: files.path).fileNames() == ["Tiny.gguf", "mine.gguf"])
        #expect(ModelFolder(path: files.file("none")).fileNames().isEmpty)
    }
}
