// What a search finds, in which order, and what it makes of hostile queries.
import Q3Embedding
import Testing

@testable import Q3Index

@Suite struct SearchTests {
    @Test(arguments: SearchMode.allCases) func `each mode finds what was asked for`(mode: SearchMode) async throws {
        let folder = try IndexedFolder(IndexedFolder.notes)
        try await folder.create()
        let hit = try #require(try await folder.search("rotate the signing keys", mode: mode).first)
        #expect(hit.path.hasSuffix("docs/keys.md"))
        #expect(hit.lines == 1...7)
        #expect(hit.title == "Keys")
        #expect(hit.snippet.marks.count >= 4)
        let scalars = Array(hit.snippet.text.unicodeScalars)
        #expect(hit.snippet.marks.contains { String(String.UnicodeScalarView(scalars[$0])) == "signing" })
    }

    @Test(arguments: [
        "\"", "a\" OR \"b", "NEAR(keys signing)", "text:keys", "keys*", "^keys", "keys AND", "(", "-keys",
        "{text}:keys", "'; DROP",
        "\0keys", "", "   ", "…", String(repeating: "keys ", count: 5000),
    ])
    func `a query is text, never syntax`(query: String) async throws {
        let folder = try IndexedFolder(IndexedFolder.notes)
        try await folder.create()
        for mode in SearchMode.allCases { _ = try await folder.search(query, mode: mode) }
        if query.contains("keys") {
            #expect(try await folder.search(query, mode: .words).first?.path.hasSuffix("keys.md") == true)
        }
    }

    @Test(arguments: [
        ("首都", ["首都"]), ("北京的首都在哪里", ["首都", "北京"]), ("都", ["都"]), ("linux", ["Linux"]), ("サーバ", ["サーバ"]),
        ("速", ["速"]), ("도서관", ["도서관"]),
    ])
    func `words are found in scripts without spaces`(query: String, marked: [String]) async throws {
        let folder = try IndexedFolder([
            "zh.txt": "中国的首都是北京，使用Linux系统。", "ja.txt": "高速なウェブサーバです。", "ko.txt": "도서관에서 책을 읽었다.",
            "en.txt": "Nothing of the kind.",
        ])
        try await folder.create()
        let hits = try await folder.search(query, mode: .words)
        #expect(hits.count == 1)
        let snippet = try #require(hits.first?.snippet)
        let scalars = Array(snippet.text.unicodeScalars)
        let found = snippet.marks.map { String(String.UnicodeScalarView(scalars[$0])) }
        #expect(marked.allSatisfy { word in found.contains { $0.contains(word) } }, "\(found)")
        #expect(zip(snippet.marks, snippet.marks.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound })
        #expect(try await folder.search("鲸鱼", mode: .words).isEmpty)
    }

    @Test func `filters let through what they say`() async throws {
        let folder = try IndexedFolder(IndexedFolder.notes)
        try await folder.create()
        func paths(_ filters: String...) async throws -> Set<String> {
            Set(
                try await folder.search("anything", filters: filters).map {
                    String($0.path.dropFirst(folder.documents.count + 1))
                })
        }
        #expect(try await paths("path:sub/**") == ["sub/food.txt", "sub/code.swift"])
        #expect(try await paths("path:**/*.md") == ["keys.md"])
        #expect(try await paths("path!:sub/**") == ["keys.md"])
        #expect(try await paths("lang=swift") == ["sub/code.swift"])
        #expect(try await paths("kind=text", "path:sub/*") == ["sub/food.txt"])
        #expect(try await paths("title=Keys") == ["keys.md"])
        #expect(try await paths("nothing=here").isEmpty)
        for bad in ["", "path", "=x", "path:", "lang="] {
            #expect(throws: IndexError.self) { try SearchFilter(bad) }
        }
    }

    @Test func `vectors are exact and equal to the embedder's`() async throws {
        let folder = try IndexedFolder(IndexedFolder.notes)
        try await folder.create()
        let embedder = IndexedFolder.model.embedder
        for hit in try await folder.search("cooking", mode: .vectors) {
            let vectors = try await embedder.embed(["cooking", "\(hit.context)\n\n\(hit.text)"])
            #expect(hit.similarity == Similarity.dot(vectors[0].vector, vectors[1].vector))
            #expect(hit.score == hit.similarity)
        }
    }

    @Test func `a chunk with every word of the query once has all that words count`() async throws {
        var files = ["it.txt": "amber bronze copper denim ebony flint garnet"]
        for number in 10..<60 { files["\(number).txt"] = "some words that are no colours number\(number)" }
        let folder = try IndexedFolder(files)
        try await folder.create()
        let all = try await folder.search("amber copper ebony", mode: .vectors, count: 100)
        let hit = try #require(try await folder.search("amber copper ebony").first)
        #expect(hit.path.hasSuffix("it.txt"))
        let floor = try #require(all.last?.similarity)
        let nearness = Fusion.nearness(try #require(hit.similarity), floor: floor)
        #expect(abs(hit.score - nearness - Fusion.wordWeight) < 0.05)
        // A third of the words, which are as rare as the others.
        let part = try #require(try await folder.search("amber violet indigo").first { $0.path.hasSuffix("it.txt") })
        let share = part.score - Fusion.nearness(try #require(part.similarity), floor: floor)
        #expect(share < Fusion.wordWeight / 20)
    }

    @Test func `a chunk that has only the query's common words does not lead`() async throws {
        var files = ["far.txt": "How do the rivers of the north freeze in winter, and how do the boats go on?"]
        files["near.txt"] = "Bread is baked from flour."
        for number in 0..<40 { files["\(number).txt"] = "The \(number)th note, on how things do \(number % 7) more." }
        let folder = try IndexedFolder(files)
        try await folder.create()
        let index = try SearchIndex(path: folder.path)
        let near = try #require(try await folder.search("Bread", mode: .words).first)
        let vector = try #require(try await index.vectors(ofChunks: [near.id]).first)
        let hits = try await index.search(SearchQuery("how do the loaves get crisp outside"), vector: vector).hits
        #expect(hits.first?.path.hasSuffix("near.txt") == true)
    }

    @Test func `groups give each document once`() async throws {
        let text = (0..<20).map { "Paragraph \($0) about keys and " + String(repeating: "locks ", count: 30) }
        let folder = try IndexedFolder(["a.txt": text.joined(separator: "\n\n"), "b.txt": "A text about keys."])
        try await folder.create(options: IndexOptions(chunkTokens: 50))
        let index = try SearchIndex(path: folder.path)
        let query = SearchQuery("keys", groupsByDocument: true)
        let hits = try await index.search(query, with: IndexedFolder.model.embedder).hits
        #expect(hits.count == 2)
        #expect(Set(hits.map(\.document)).count == 2)
    }

    @Test func `a reader sees what a writer commits`() async throws {
        let folder = try IndexedFolder(IndexedFolder.notes)
        try await folder.create()
        let index = try SearchIndex(path: folder.path)
        let embedder = IndexedFolder.model.embedder
        let before = try await index.search(SearchQuery("telescopes and stars"), with: embedder)
        try folder.write("new.txt", "Telescopes show stars and galaxies.")
        _ = try await folder.update()
        let after = try await index.search(SearchQuery("telescopes and stars"), with: embedder)
        #expect(before.candidates.count + 1 == after.candidates.count)
        #expect(after.hits[0].path.hasSuffix("new.txt"))
        try folder.remove("keys.md")
        _ = try await folder.update()
        _ = try await folder.writer().compact()
        let compacted = try await index.search(SearchQuery("telescopes and stars"), with: embedder)
        // The score is another, since words are rarer or less rare among fewer chunks.
        #expect(compacted.hits[0].id == after.hits[0].id)
        #expect(compacted.hits[0].text == after.hits[0].text)
        #expect(compacted.hits[0].similarity == after.hits[0].similarity)
        #expect(compacted.candidates.allSatisfy { !$0.path.hasSuffix("keys.md") })
    }
}
