// An index that is damaged, foreign, newer, locked or not one at all: what is said, and what is mended.
import CSQLite
import Q3Embedding
import Q3Index
import TestSupport
import Testing

@Suite struct DamageTests {
    @Test func `a fresh index is sound`() async throws {
        let folder = try IndexedFolder(IndexedFolder.notes)
        try await folder.create()
        let report = try await folder.audit()
        #expect(report.findings == [])
        #expect(report.agreed == report.chunks)
        #expect(report.recomputed == report.chunks)
        #expect(report.blocks >= 1)
    }

    /// Within the scales, the int8 rows, the f32 rows, the checksums, and both headers.
    @Test(arguments: [3, 70, 130, 200, 1000, 2000, 3500, -8])
    func `one changed byte is found and mended`(offset: Int) async throws {
        let folder = try IndexedFolder(IndexedFolder.notes)
        try await folder.create()
        let before = try await folder.search("signing keys", mode: .vectors)
        let size = try folder.scratch.read("test.q3i/vectors/000001.seg").count
        let place = offset >= 0 ? offset : size - 64
        try folder.flip(folder.segment, at: place)
        let report = try await folder.audit()
        #expect(!report.isSound)
        let named = report.findings.contains { finding in
            switch finding {
            case .block(let path, _, _): path.hasSuffix("000001.seg")
            case .segment(let message): message.contains("000001.seg")
            default: false
            }
        }
        #expect(named)
        let mended = try await folder.writer().repair(report)
        #expect(mended.left.isEmpty)
        #expect(mended.embeddedChunks == report.chunks)
        #expect(try await folder.audit().findings == [])
        #expect(try await folder.search("signing keys", mode: .vectors) == before)
    }

    @Test func `every byte of a segment is covered by some check`() async throws {
        let folder = try IndexedFolder(["a.txt": "A single short text."])
        try await folder.create(options: IndexOptions(dimensions: 32))
        let size = try folder.scratch.read("test.q3i/vectors/000001.seg").count
        for offset in stride(from: 0, to: size, by: 1) {
            try folder.flip(folder.segment, at: offset)
            let report = try await SearchIndex(path: folder.path).audit(sample: 0, with: IndexedFolder.model)
            // The list of checksums ends with zeros that nothing reads.
            if report.isSound { #expect(offset >= size - 60, "byte \(offset) of \(size)") }
            try folder.flip(folder.segment, at: offset)
        }
    }

    @Test func `a segment that is too short is named`() async throws {
        let folder = try IndexedFolder(IndexedFolder.notes)
        try await folder.create()
        let bytes = try folder.scratch.read("test.q3i/vectors/000001.seg")
        for count in [0, 1, 63, 64, 100, bytes.count - 1] {
            try folder.scratch.write("test.q3i/vectors/000001.seg", bytes.prefix(count))
            do {
                _ = try await folder.search("keys")
                Issue.record("\(count) bytes were enough")
            } catch let error as IndexError {
                guard case .segment(let path, _, _) = error else { throw error }
                #expect(path.hasSuffix("000001.seg"))
            }
        }
    }

    @Test func `what follows the committed part is ignored and overwritten`() async throws {
        let folder = try IndexedFolder(IndexedFolder.notes)
        try await folder.create()
        let bytes = try folder.scratch.read("test.q3i/vectors/000001.seg")
        try folder.scratch.write("test.q3i/vectors/000001.seg", bytes + [UInt8](repeating: 0xAB, count: 777))
        #expect(try await folder.audit().findings == [])
        try folder.write("more.txt", "One more text.")
        _ = try await folder.update()
        #expect(try await folder.audit().findings == [])
    }

    @Test func `a foreign vector and an altered text are told apart and mended`() async throws {
        let folder = try IndexedFolder(IndexedFolder.notes)
        try await folder.create()
        try folder.sql(
            "UPDATE chunks SET slot = (slot + 1) % 3 WHERE id = 1; UPDATE chunks SET text = 'Forged.' WHERE id = 2")
        let report = try await folder.audit()
        #expect(report.findings.contains { if case .foreignVector(1, _, _) = $0 { true } else { false } })
        #expect(report.findings.contains { if case .alteredText(2, _) = $0 { true } else { false } })
        let writer = try folder.writer()
        #expect(try await writer.repair(report).files == 1)
        _ = try await writer.update()
        #expect(try await folder.audit().findings == [])
    }

    @Test func `another model is refused, and both are named`() async throws {
        let folder = try IndexedFolder(IndexedFolder.notes)
        try await folder.create()
        let other = try NamedEmbedder(Embedder(file: Fixture.model("tiny-embed-Q8_0")), name: "tiny-embed")
        #expect {
            try SearchIndex(path: folder.path).check(other)
        } throws: { error in
            "\(error)".contains("q3-mini (fingerprint ") && "\(error)".contains("tiny-embed (fingerprint ")
        }
        try folder.write("new.txt", "Something new.")
        let writer = try IndexWriter.open(folder.path) { other }
        await #expect(throws: IndexError.self) { try await writer.update() }
    }

    @Test func `a newer format is refused`() async throws {
        let folder = try IndexedFolder(IndexedFolder.notes)
        try await folder.create()
        try folder.sql("PRAGMA user_version = 7")
        #expect(throws: IndexError.newer(path: folder.path, version: 7, known: 1)) {
            try SearchIndex(path: folder.path)
        }
        #expect(throws: IndexError.newer(path: folder.path, version: 7, known: 1)) { try folder.writer() }
    }

    @Test func `what is no index is said to be none`() throws {
        let folder = try IndexedFolder()
        #expect(throws: IndexError.absent(path: folder.path)) { try SearchIndex(path: folder.path) }
        #expect(throws: IndexError.notAnIndex(path: folder.documents)) { try SearchIndex(path: folder.documents) }
        try folder.write("catalog.sqlite", "This is not a database, but a text that is long enough to be one.")
        #expect(throws: IndexError.notAnIndex(path: folder.documents)) { try SearchIndex(path: folder.documents) }
    }

    @Test func `a second writer is told who the first is`() async throws {
        let folder = try IndexedFolder(IndexedFolder.notes)
        let first = try IndexWriter.create(folder.path, model: IndexedFolder.model, holder: "q3 index create")
        #expect {
            try folder.writer(waiting: .milliseconds(50))
        } throws: { error in
            guard case .locked(_, let holder) = error as? IndexError else { return false }
            return holder.contains("q3 index create") && holder.contains("process ")
        }
        _ = try await first.add(path: folder.documents)
        #expect(try await folder.search("keys").count > 0)
    }

    @Test func `an index is not made over something else`() throws {
        let folder = try IndexedFolder()
        #expect(throws: IndexError.exists(path: folder.documents)) {
            try IndexWriter.create(folder.documents, model: IndexedFolder.model)
        }
        #expect(throws: IndexError.chunkTokens(5000, allowed: 16...440)) {
            try IndexWriter.create(folder.path, model: IndexedFolder.model, options: IndexOptions(chunkTokens: 5000))
        }
        #expect(throws: EmbeddingError.self) {
            try IndexWriter.create(folder.path, model: IndexedFolder.model, options: IndexOptions(dimensions: 4096))
        }
        #expect(try folder.scratch.names() == ["docs"])
    }
}

extension IndexedFolder {
    /// Runs SQL on the catalog, as somebody else might.
    func sql(_ text: String) throws {
        var handle: OpaquePointer?
        #expect(unsafe sqlite3_open("\(path)/catalog.sqlite", &handle) == SQLITE_OK)
        defer { unsafe sqlite3_close(handle) }
        #expect(unsafe sqlite3_exec(handle, text, nil, nil, nil) == SQLITE_OK)
    }
}
