// Commands without --model: the built-in model's vectors, and one line that says so.
import TestSupport
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

@Suite struct BuiltInModelTests {
    #if Mini
    private static let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Sources/CMini/q3-mini.gguf").path
    private let text = "a text-based address book"

    @Test(arguments: [[], ["--dimensions", "64"], ["--precision", "exact"], ["--no-mmap"]])
    func `vectors are those of the file`(_ options: [String]) throws {
        let expected = try Tool.run(["embed", "--model", Self.file, text, ""] + options)
        let outcome = try Tool.run(["embed", text, ""] + options)
        #expect(outcome.status == 0)
        #expect(outcome.lines.count == 2)
        #expect(outcome.text == expected.text)
        #expect(expected.messages == "")
    }

    @Test func `one line a day says which model it is`() throws {
        let folder = try TemporaryFolder()
        let run = "XDG_CACHE_HOME='\(folder.path)' $Q3 embed '\(text)'"
        let messages = try Tool.shell(run).messages
        #expect(messages.hasPrefix("q3: using q3-mini"))
        #expect(messages.contains("q3 pull qwen3-embedding-0.6b"))
        #expect(messages.split(separator: "\n").count == 1)
        #expect(try Tool.shell(run).messages == "")
        _ = try Tool.shell("touch -d '2 days ago' '\(folder.file("q3/said-q3-mini"))'")
        #expect(try Tool.shell(run).messages == messages)
        let named = try Tool.run(["embed", "--model", "q3-mini", text])
        #expect(named.messages == "")
        #expect(try Tool.run(["embed", text]).text == named.text)
    }

    @Test func `queries are embedded as they are`() throws {
        #expect(try Tool.run(["embed", "--query", text]).text == Tool.run(["embed", text]).text)
        let instructed = try Tool.run(["embed", "--instruct", "Find packages", text])
        #expect(instructed.status == 64)
        #expect(instructed.messages.contains("takes no instructions"))
    }

    @Test func `info and tokenize take it too`() throws {
        let info = try Tool.run(["info"])
        #expect(info.status == 0)
        for word in ["q3-mini (built in)", "embedding", "hidden 256", "documents and queries as they are"] {
            #expect(info.text.contains(word), "\(word)")
        }
        let expected = try Tool.run(["info", "--model", Self.file])
        #expect(info.lines.dropFirst() == expected.lines.dropFirst(), "all but the file's name")
        let tokens = try Tool.run(["tokenize", text])
        #expect(tokens.status == 0)
        #expect(try tokens.text == Tool.run(["tokenize", "--model", Self.file, text]).text)
    }

    /// A file of that name in the folder is a file all the same when it is called by a path.
    @Test func `a path is a path`() throws {
        let outcome = try Tool.run(["embed", "--model", "./q3-mini", text])
        #expect(outcome.status == 66)
    }

    @Test func `it is not a reranker`() throws {
        let missing = try Tool.run(["rerank", "--query", "q", "d"])
        #expect(missing.status == 64)
        #expect(missing.messages.contains("--model"))
        #expect(try Tool.run(["rerank", "--model", "q3-mini", "--query", "q", "d"]).status == 65)
    }
    #else
    @Test(arguments: [["embed", "a"], ["info"], ["tokenize", "a"]])
    func `without the trait a model must be named`(_ arguments: [String]) throws {
        let outcome = try Tool.run(arguments)
        #expect(outcome.status == 64)
        #expect(outcome.messages.contains("--model is missing"))
    }
    #endif
}
