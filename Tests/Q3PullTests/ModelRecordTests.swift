// What is kept beside a downloaded file.
import Q3Catalog
import Q3Pull
import Q3System
import TestSupport
import Testing

@Suite struct ModelRecordTests {
    @Test func `a record comes back, and a damaged one is none`() throws {
        let files = try TemporaryFolder()
        let digest = try #require(SHA256Digest(hex: String(repeating: "ab", count: 32)))
        let record = ModelRecord(
            source: try RepositoryFile("o/r/mine.gguf"), revision: "0123", bytes: 1, digest: digest, from: .server)
        try files.write("mine.gguf.json", record.json())
        #expect(ModelRecord(ofModel: files.file("mine.gguf")) == record)
        #expect(ModelRecord(ofModel: files.file("Tiny.gguf")) == nil)
        for bad in ["", "{}", "[", String(repeating: " ", count: 1 << 17)] {
            try files.write("mine.gguf.json", bad.utf8)
            #expect(ModelRecord(ofModel: files.file("mine.gguf")) == nil)
        }
    }
}
