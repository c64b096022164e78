// The records target: what a file of texts gives as plain lines and as JSON lines.

import Q3Input
import TestSupport

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

extension FuzzTarget {
    static func readRecords(_ bytes: [UInt8], _ scratch: ScratchFile) throws {
        scratch.replace(with: bytes)
        for lossy in [false, true] {
            let plain = try read(.lines(path: scratch.path), lossy: lossy)
            precondition(plain == lines(of: bytes, lossy: lossy), "plain lines are not the file's")
            for text in try read(.jsonLines(path: scratch.path), lossy: lossy) {
                // A text that was accepted reads back the same when it is written again.
                guard let text else { continue }
                let again = try JSONLine(String(decoding: JSONEncoder().encode(["text": text]), as: UTF8.self)).text(
                    "text")
                precondition(again.utf8.elementsEqual(text.utf8), "another text after a round trip")
            }
        }
    }

    /// The texts of all records in their order; nil for a rejected one.
    private static func read(_ source: InputSource, lossy: Bool) throws -> [String?] {
        var reader = try RecordReader(source, lossy: lossy, parser: .texts)
        var texts: [String?] = []
        var rejectedCount = 0
        while let window = try reader.nextWindow(rejecting: { _, message in
            precondition(isPrintable(message), "the message of a rejected record holds control characters")
            rejectedCount += 1
        }) {
            for record in window.records {
                precondition(record.index >= texts.count, "records out of order")
                texts += repeatElement(nil, count: record.index - texts.count) + [record.content]
            }
        }
        let nils = texts.count { $0 == nil }
        precondition(nils <= rejectedCount, "a record is missing that was not rejected")
        return texts + repeatElement(nil, count: rejectedCount - nils)
    }

    /// The same for plain lines, the short way.
    private static func lines(of bytes: [UInt8], lossy: Bool) -> [String?] {
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        for index in lines.indices where lines[index].last == UInt8(ascii: "\r") { lines[index].removeLast() }
        if lines.first?.starts(with: [0xEF, 0xBB, 0xBF]) == true { lines[0].removeFirst(3) }
        return lines.map { lossy ? String(decoding: $0, as: UTF8.self) : String(validating: $0, as: UTF8.self) }
    }
}
