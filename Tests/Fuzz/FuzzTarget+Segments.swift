// The segments target: a file of an index's vectors.

#if Index
import Q3Index
import Q3Kernels
import TestSupport

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension FuzzTarget {
    /// An input is a byte of flags, the rows that the catalog has (u16), how much shorter than the file it believes it to be
    /// (u8), and the file. With the first flag the headers get their checksums, which no mutation would find.
    static func readSegment(_ bytes: [UInt8], _ scratch: ScratchFile) throws {
        guard bytes.count >= 4 else { return }
        var file = Array(bytes[4...])
        if bytes[0] & 1 != 0 { seal(&file) }
        let folder = scratch.folder
        try FileManager.default.createDirectory(
            atPath: folder.file("vectors"), withIntermediateDirectories: true)
        try Data(file).write(to: URL(filePath: folder.file("vectors/000001.seg")))
        let rows = Int(bytes[1]) | Int(bytes[2]) << 8
        do throws(IndexError) {
            let contents = try SegmentCheck.read(
                folder: folder.file(""), rows: rows, byteCount: max(0, file.count - Int(bytes[3])),
                dimensions: 32, fingerprint: 0x0123_4567_89AB_CDEF)
            precondition(contents.rows == rows, "rows that the catalog does not have")
        } catch {
            precondition(isPrintable("\(error)"), "the message of an error holds control characters")
        }
    }

    /// Puts its checksum at the end of everything that begins as a header does.
    private static func seal(_ file: inout [UInt8]) {
        for start in stride(from: 0, to: file.count - 63, by: 64)
        where file[start..<start + 5].elementsEqual("Q3VEC".utf8) {
            let sum = CRC32C.checksum(of: Array(file[start..<start + 60]))
            for index in 0..<4 { file[start + 60 + index] = UInt8(truncatingIfNeeded: sum >> (8 * UInt32(index))) }
        }
    }
}
#endif
