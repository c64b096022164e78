// The unfinished file of a download: what is published is what was hashed.
import Q3Catalog
import Q3System
import TestSupport
import Testing

@testable import Q3Pull

@Suite struct PartFileTests {
    private let place: TemporaryFolder
    private let part: PartFile

    init() throws {
        place = try TemporaryFolder()
        part = try PartFile(for: "m.gguf", in: PullFolder(ModelFolder(path: place.path), creating: false))
        let bytes: [UInt8] = [1, 2, 3]
        unsafe try bytes.withUnsafeBytes { bytes in unsafe try part.append(bytes) }
    }

    @Test func `a finished part gets its name`() throws {
        try part.publish(as: "m.gguf")
        #expect(try place.names() == ["m.gguf"])
        #expect(try place.read("m.gguf") == [1, 2, 3])
    }

    // Row 33 of the hostile cases: swapped between the hash and the rename.
    @Test func `a part that was swapped is not published`() throws {
        _ = try part.digest
        try place.write("other", [9])
        #expect(unsafe rename(place.file("other"), place.file("m.gguf.part")) == 0)
        #expect(throws: PullError.self) { try part.publish(as: "m.gguf") }
        #expect(try place.names() == [])
    }
}
