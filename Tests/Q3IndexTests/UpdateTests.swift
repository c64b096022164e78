// What an update takes up: new, changed, renamed and missing files, and nothing else.
import Q3Index
import Testing

@Suite struct UpdateTests {
    @Test func `a second update embeds nothing`() async throws {
        let folder = try IndexedFolder(IndexedFolder.notes)
        let first = try await folder.create()
        #expect(first.added == 3)
        #expect(first.embeddedChunks >= 3)
        let second = try await folder.update()
        #expect(second.unchanged == 3)
        #expect(second.embeddedChunks == 0)
        #expect(second.added + second.changed + second.removed + second.renamed == 0)
    }

    @Test func `only chunks whose words changed are embedded`() async throws {
        let paragraphs = (0..<12).map {
            "Paragraph number \($0) is about " + String(repeating: "topic \($0) ", count: 40)
        }
        let folder = try IndexedFolder(["long.txt": paragraphs.joined(separator: "\n\n")])
        let first = try await folder.create(options: IndexOptions(chunkTokens: 100))
        try folder.write(
            "long.txt", (paragraphs.dropLast() + ["The end is another one."]).joined(separator: "\n\n"))
        let second = try await folder.update()
        #expect(second.changed == 1)
        #expect(first.embeddedChunks > 10)
        #expect((1...2).contains(second.embeddedChunks))
        #expect(try await folder.audit().isSound)
        #expect(try await folder.search("The end is another one", mode: .words)[0].text.contains("another one"))
    }

    @Test func `a file that moved keeps its vectors`() async throws {
        let folder = try IndexedFolder(IndexedFolder.notes)
        try await folder.create()
        try folder.move("keys.md", to: "sub/keys.md")
        let report = try await folder.update()
        #expect(report.renamed == 1)
        #expect(report.embeddedChunks == 0)
        #expect(report.removed == 0)
        #expect(try await folder.search("signing keys")[0].path.hasSuffix("/sub/keys.md"))
    }

    @Test func `a name in the context is embedded anew`() async throws {
        let folder = try IndexedFolder(IndexedFolder.notes)
        try await folder.create()
        try folder.move("sub/food.txt", to: "sub/meals.txt")
        let report = try await folder.update()
        #expect(report.added == 1)
        #expect(report.removed == 1)
        #expect(report.embeddedChunks == 1)
        #expect(try await folder.search("soup with onions")[0].context == "meals.txt")
    }

    @Test func `what is gone is not found`() async throws {
        let folder = try IndexedFolder(IndexedFolder.notes)
        try await folder.create()
        try folder.remove("sub/food.txt")
        #expect(try await folder.update().removed == 1)
        #expect(try await folder.search("soup onions", mode: .words).isEmpty)
        #expect(try await folder.search("soup onions").allSatisfy { !$0.path.hasSuffix("food.txt") })
        let status = try await SearchIndex(path: folder.path).status()
        #expect(status.deadVectors == 1)
        #expect(status.files == 2)
    }

    @Test func `equal texts share a vector until both are gone`() async throws {
        let folder = try IndexedFolder(["a/same.txt": "One and the same text.", "b/same.txt": "One and the same text."])
        let report = try await folder.create()
        #expect(report.embeddedChunks == 1)
        #expect(report.reusedChunks == 1)
        try folder.remove("a/same.txt")
        _ = try await folder.update()
        #expect(try await folder.search("the same text").count == 1)
        #expect(try await SearchIndex(path: folder.path).status().deadVectors == 0)
        try folder.remove("b/same.txt")
        _ = try await folder.update()
        #expect(try await SearchIndex(path: folder.path).status().deadVectors == 1)
        #expect(try await folder.search("the same text").isEmpty)
    }

    @Test func `ignored, hidden, binary and foreign files are left out`() async throws {
        let folder = try IndexedFolder(IndexedFolder.notes)
        try folder.write(".gitignore", "*.log\nbuild/\n/top.txt\n")
        try folder.write("sub/.q3ignore", "!kept.log\nsecret*\n")
        for name in ["a.log", "build/x.txt", "top.txt", "sub/kept.log", "sub/top.txt", "sub/secret.txt", ".hidden.txt"]
        {
            try folder.write(name, "Something in \(name).")
        }
        try folder.write("picture.png", bytes: [0x89, 0x50, 0x4E, 0x47, 0, 0, 1])
        try folder.write("latin.txt", bytes: [0x47, 0x72, 0xFC, 0xDF, 0x65])
        let report = try await folder.create()
        #expect(report.skipped.map(\.path).sorted() == ["latin.txt", "picture.png"])
        #expect(report.skipped.map(\.reason).sorted() == ["binary", "not UTF-8 at byte 2"])
        let names = Set(try await folder.search("Something", mode: .words).map { $0.context })
        #expect(names == ["kept.log", "top.txt"])
        // They are not read again until they change.
        #expect(try await folder.update().unchanged == report.added)
    }

    @Test func `symbolic links lead nowhere`() async throws {
        let folder = try IndexedFolder(IndexedFolder.notes)
        try folder.link("loop", to: ".")
        try folder.link("sub/up", to: "..")
        let report = try await folder.create()
        #expect(report.added == 3)
        #expect(report.skipped.map(\.reason) == ["a symbolic link", "a symbolic link"])
    }

    @Test func `a source that is not there is left as it is`() async throws {
        let folder = try IndexedFolder(IndexedFolder.notes)
        try await folder.create()
        try folder.hideDocuments()
        let report = try await folder.update()
        #expect(report.removed == 0)
        #expect(report.skipped.count == 1)
        #expect(try await folder.search("signing keys").count >= 3)
        #expect(try await folder.writer().remove(path: folder.documents).removed == 3)
        #expect(try await folder.search("signing keys").isEmpty)
    }

    @Test func `records of a stream are replaced as a whole`() async throws {
        let folder = try IndexedFolder()
        let writer = try IndexWriter.create(folder.path, model: IndexedFolder.model)
        func records(_ texts: [String]) -> RecordSource {
            var next = 0
            return { _ in
                guard next < texts.count else { return nil }
                defer { next += 1 }
                return IndexRecord(
                    id: "id\(next)", text: texts[next], metadata: "{\"lang\":\"en\",\"n\":\(next)}", line: next + 1,
                    bytes: next * 10..<next * 10 + 9)
            }
        }
        #expect(
            try await writer.replaceStream("pipe", records: records(["one apple", "two pears"])).embeddedChunks == 2)
        let second = try await writer.replaceStream("pipe", records: records(["two pears", "three plums"]))
        #expect(second.embeddedChunks == 1)
        #expect(second.reusedChunks == 1)
        #expect(try await folder.search("apple", mode: .words).isEmpty)
        let hit = try #require(try await folder.search("plums", filters: ["n=1"]).first)
        #expect(hit.name == "id1")
        #expect(hit.lines == 2...2)
        #expect(hit.path == "pipe")
    }
}
