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
        func vectorsAreThoseOfTheFile(_ options: [String]) throws {
            let wanted = try Tool.run(["embed", "--model", Self.file, text, ""] + options)
            let outcome = try Tool.run(["embed", text, ""] + options)
            #expect(outcome.status == 0)
            #expect(outcome.lines.count == 2)
            #expect(outcome.text == wanted.text)
            #expect(wanted.messages == "")
        }

        @Test func oneLineSaysWhichModelItIs() throws {
            let messages = try Tool.run(["embed", text]).messages
            #expect(messages.hasPrefix("q3: using q3-mini"))
            #expect(messages.contains("q3 pull qwen3-embedding-0.6b-q8_0"))
            #expect(messages.split(separator: "\n").count == 1)
            let named = try Tool.run(["embed", "--model", "q3-mini", text])
            #expect(named.messages == "")
            #expect(try Tool.run(["embed", text]).text == named.text)
        }

        @Test func queriesAreEmbeddedAsTheyAre() throws {
            #expect(try Tool.run(["embed", "--query", text]).text == Tool.run(["embed", text]).text)
            let instructed = try Tool.run(["embed", "--instruct", "Find packages", text])
            #expect(instructed.status == 64)
            #expect(instructed.messages.contains("takes no instructions"))
        }

        @Test func infoAndTokenizeTakeItToo() throws {
            let info = try Tool.run(["info"])
            #expect(info.status == 0)
            for word in ["q3-mini (built in)", "embedding", "hidden 256", "documents and queries as they are"] {
                #expect(info.text.contains(word), "\(word)")
            }
            let wanted = try Tool.run(["info", "--model", Self.file])
            #expect(info.lines.dropFirst() == wanted.lines.dropFirst(), "all but the file's name")
            let tokens = try Tool.run(["tokenize", text])
            #expect(tokens.status == 0)
            #expect(try tokens.text == Tool.run(["tokenize", "--model", Self.file, text]).text)
        }

        /// A file of that name in the folder is a file all the same when it is called by a path.
        @Test func aPathIsAPath() throws {
            let outcome = try Tool.run(["embed", "--model", "./q3-mini", text])
            #expect(outcome.status == 66)
        }

        @Test func itIsNoReranker() throws {
            let missing = try Tool.run(["rerank", "--query", "q", "d"])
            #expect(missing.status == 64)
            #expect(missing.messages.contains("--model"))
            #expect(try Tool.run(["rerank", "--model", "q3-mini", "--query", "q", "d"]).status == 65)
        }
    #else
        @Test(arguments: [["embed", "a"], ["info"], ["tokenize", "a"]])
        func withoutTheTraitAModelMustBeNamed(_ arguments: [String]) throws {
            let outcome = try Tool.run(arguments)
            #expect(outcome.status == 64)
            #expect(outcome.messages.contains("--model is missing"))
        }
    #endif
}
