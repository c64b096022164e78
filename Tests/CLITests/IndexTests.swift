// q3 index and q3 search --index as a shell sees them: what goes in, how hits look, and the exit status for scripts.
#if Index
import Q3System
import TestSupport
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

@testable import q3

@Suite struct IndexTests {
    private struct Hit: Decodable {
        let score: Float
        let path: String
        let id: String?
        let lines: [Int]
        let bytes: [Int]
        let text: String
        let relevance: Float?
    }

    private let folder: TemporaryFolder
    private var index: String { folder.file("notes.q3i") }
    private let model = Fixture.path("tiny-embed-Q8_0.gguf")

    init() throws {
        folder = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder.file("docs"), withIntermediateDirectories: true)
        try create()
    }

    private func create() throws {
        let made = try Tool.run(["index", "create", index, "--model", model])
        #expect(made.status == 0, "\(made.messages)")
    }

    private func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(filePath: folder.file("docs/\(name)")))
    }

    @discardableResult private func add(_ options: [String] = []) throws -> Outcome {
        let added = try Tool.run(["index", "add", index, folder.file("docs")] + options)
        #expect(added.status == 0, "\(added.messages)")
        return added
    }

    private func hits(_ query: String, _ options: [String] = []) throws -> [Hit] {
        let found = try Tool.run(["search", query, "--index", index, "--format", "jsonl"] + options)
        #expect(found.status == 0, "\(found.messages)")
        return try found.lines.map { try JSONDecoder().decode(Hit.self, from: Data($0.utf8)) }
    }

    @Test func `rows of a table are documents`() throws {
        let table =
            "id,title,text,lang,year\r\n7,Keys,\"We rotate \"\"signing\"\" keys,\nevery month.\",en,2024\r\n8,Brot,Brot wird gebacken.,de,2023\r\n"
        try write("notes.csv", table)
        try write("notes.tsv", "name\tcolor\nsky\tblue\ngrass\tgreen\n")
        try add()
        let key = try #require(try hits("signing keys", ["--mode", "words"]).first)
        #expect(key.id == "7" && key.text == "We rotate \"signing\" keys,\nevery month.")
        #expect(key.lines == [2, 2])
        let bytes = Array(table.utf8)[key.bytes[0]..<key.bytes[1]]
        #expect(String(decoding: bytes, as: UTF8.self).hasPrefix("7,Keys,"))
        #expect(try hits("anything", ["--where", "lang=de"]).map(\.id) == ["8"])
        #expect(try hits("anything", ["--where", "year=2024"]).map(\.id) == ["7"])
        // Without a column of this name all columns are the text.
        #expect(try hits("grass", ["--mode", "words"]).map(\.text) == ["name: grass\ncolor: green"])
    }

    @Test func `a table that is broken leaves the rest`() throws {
        try write("bad.csv", "a,a\n1,2\n")
        try write("short.csv", "text,lang\nonly one cell\nwhole,en\n")
        try write("fine.txt", "A text about whales.")
        let added = try add(["--verbose"])
        #expect(added.messages.contains("two columns \"a\""))
        #expect(added.messages.contains("1 cells in a table of 2 columns"))
        #expect(try hits("whales", ["--mode", "words"]).count == 1)
        #expect(try hits("whole", ["--mode", "words"]).count == 1)
        let updated = try Tool.run(["index", "update", index])
        #expect(updated.text.contains("3 unchanged"))
    }

    @Test func `a pipe may hold a table`() throws {
        let piped = try Tool.run(
            ["index", "add", index, "-", "--format", "csv", "--name", "tickets"],
            input: Array("id,text\n5,The printer is on fire\n".utf8))
        #expect(piped.status == 0, "\(piped.messages)")
        let hit = try #require(try hits("printer", ["--mode", "words"]).first)
        #expect(hit.path == "tickets" && hit.id == "5")
    }

    @Test func `the exit status tells whether anything was found`() throws {
        try write("a.txt", "A text about whales.")
        try add()
        #expect(try Tool.run(["search", "whales", "--index", index]).status == 0)
        let none = try Tool.run(["search", "zebras", "--index", index, "--mode", "words"])
        #expect(none.status == 1 && none.output.isEmpty && none.messages.isEmpty)
        #expect(try Tool.run(["search", "x", "--index", folder.file("other.q3i")]).status > 1)
        #expect(try Tool.run(["search", "x", "--index", index, "--where", "bad"]).status > 1)
    }

    @Test func `people see a place that opens and four digits`() throws {
        try write("a.txt", "one\n\nA text about whales.\n")
        try add()
        let shell = try Tool.shell(
            "cd '\(folder.file("docs"))' && \"$Q3\" search whales --index ../notes.q3i --mode vectors")
        let cells = try #require(shell.lines.first).split(separator: "\t").map(String.init)
        #expect(cells[1] == "a.txt:1")
        #expect(try #require(cells[0].wholeMatch(of: /-?\d\.\d{4}/)).output.count >= 6)
        let exact = try #require(try hits("whales", ["--mode", "vectors"]).first)
        #expect(Float(cells[0]).map { abs($0 - exact.score) <= 0.00005 } == true)
        #expect(exact.path.hasPrefix("/"))
    }

    @Test func `a path is the way from here, or whole`() {
        for (path, here, shown) in [
            ("/home/me/notes/a.md", "/home/me/notes", "a.md"),
            ("/home/me/notes/sub/a.md", "/home/me", "notes/sub/a.md"),
            ("/home/me/notes/a.md", "/home/me/src/q3", "../../notes/a.md"), ("/a.md", "/home/me/src", "/a.md"),
            ("/home/me/a.md", "/", "home/me/a.md"), ("stdin", "/home", "stdin"),
            ("/home/me2/a.md", "/home/me", "../me2/a.md"), ("/ö/ü.md", "/ö", "ü.md"),
        ] {
            #expect(IndexHitWriter.path(path, from: here) == shown)
        }
    }

    @Test func `names cannot write to the terminal`() throws {
        try write("evil\u{1B}[2J\u{7}.txt", "whales \u{1B}]0;owned\u{7} here")
        try add(["--verbose"])
        let found = try Tool.run(["search", "whales", "--index", index])
        #expect(found.status == 0)
        #expect(!found.output.contains(0x1B) && !found.output.contains(7))
    }

    @Test func `a budget reads as many candidates as fit, exactly`() throws {
        let reranker = Fixture.path("tiny-rerank-Q8_0.gguf")
        for number in 0..<24 {
            try write("\(number).txt", "Whale \(number) " + String(repeating: "swims far \(number) ", count: 20))
        }
        try add()
        let options = ["--reranker", reranker, "--candidates", "24", "--top-n", "24"]
        let whole = try hits("a whale", options)
        #expect(whole.count == 24 && whole.allSatisfy { $0.relevance != nil })
        let scores = Dictionary(uniqueKeysWithValues: whole.map { ($0.path, $0.relevance) })
        let none = try Tool.run(
            ["search", "a whale", "--index", index, "--format", "jsonl"] + options + ["--rerank-budget", "0s"])
        #expect(none.messages.contains("reranked 0 of 24 candidates"))
        #expect(try hits("a whale", ["--top-n", "24"]).map(\.path) == (try decoded(none)).map(\.path))
        for budget in ["20ms", "200ms", "60s"] {
            let some = try Tool.run(
                ["search", "a whale", "--index", index, "--format", "jsonl"] + options
                    + ["--rerank-budget", budget])
            let read = try decoded(some).filter { $0.relevance != nil }
            #expect(some.messages.contains("reranked \(read.count) of 24 candidates"))
            for hit in read { #expect(hit.relevance == scores[hit.path]) }
            if budget == "60s" { #expect(read.count == 24) }
        }
    }

    private func decoded(_ outcome: Outcome) throws -> [Hit] {
        try outcome.lines.map { try JSONDecoder().decode(Hit.self, from: Data($0.utf8)) }
    }

    @Test func `watching takes up what changes until it is interrupted`() throws {
        try write("a.txt", "A text about whales.")
        try add()
        let (out, err) = (folder.file("out"), folder.file("err"))
        let process = try Tool.start(
            ["index", "update", index, "--watch", "--interval", "0.2"], input: "/dev/null", output: out,
            messages: err)
        func said() -> String { (try? String(contentsOfFile: out, encoding: .utf8)) ?? "" }
        try Tool.until { said().contains("1 unchanged") }
        try write("b.txt", "A text about zebras.")
        try Tool.until { said().contains("1 added") }
        #expect(try hits("zebras", ["--mode", "words"]).count == 1)
        try FileManager.default.removeItem(atPath: folder.file("docs/a.txt"))
        try Tool.until { said().contains("1 removed") }
        // A look without changes says nothing, and others may write between two looks.
        let before = said()
        #expect(try Tool.run(["index", "compact", index]).status == 0)
        usleep(600_000)
        #expect(said() == before)
        kill(process, SIGINT)
        let status = Tool.wait(for: process)
        #expect(status == 130 || status == 0)
        let audit = try Tool.run(["index", "audit", index])
        #expect(audit.status == 0, "\(audit.messages)")
    }
}
#endif
