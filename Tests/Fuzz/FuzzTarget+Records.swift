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
            let plain = try read(scratch.path, as: .text, lossy: lossy)
            // What is not text at all is refused as a whole.
            precondition(
                plain == nil || isDecoded(bytes) || plain == lines(of: bytes, lossy: lossy),
                "plain lines are not the file's")
            for format in InputFormat.allCases where format != .text {
                for text in try read(scratch.path, as: format, lossy: lossy) ?? [] {
                    // A text that was accepted reads back the same when it is written again.
                    guard let text else { continue }
                    let again = try Fields(json: String(decoding: JSONEncoder().encode(["text": text]), as: UTF8.self))
                        .text("text")
                    precondition(again.utf8.elementsEqual(text.utf8), "another text after a round trip")
                }
            }
        }
    }

    /// The texts of all records in their order, nil for a rejected one; nil for an input that is refused as a whole.
    private static func read(_ path: String, as format: InputFormat, lossy: Bool) throws -> [String?]? {
        var options = ReadingOptions()
        options.format = format
        options.isLossy = lossy
        var texts: [String?] = []
        do throws(InputError) {
            let reader = try RecordReader(.files([path]), options: options, parser: .documents(column: nil))
            while let record = try reader.next() {
                precondition(record.index == texts.count, "records out of order")
                if case .failure(let error) = record.content {
                    precondition(
                        isPrintable(error.message), "the message of a rejected record holds control characters")
                }
                texts.append(try? record.content.get())
            }
        } catch {
            if case .cannotOpen = error { throw error }
            return nil
        }
        return texts
    }

    /// Whether a file is gzip or UTF-16, whose lines are not those of its bytes.
    private static func isDecoded(_ bytes: [UInt8]) -> Bool {
        [[0x1F, 0x8B], [0xFF, 0xFE], [0xFE, 0xFF]].contains { bytes.starts(with: $0) }
    }

    /// The same for plain lines, the short way.
    private static func lines(of bytes: [UInt8], lossy: Bool) -> [String?] {
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        for index in lines.indices where lines[index].last == UInt8(ascii: "\r") { lines[index].removeLast() }
        if bytes == [0xEF, 0xBB, 0xBF] { return [] }
        if lines.first?.starts(with: [0xEF, 0xBB, 0xBF]) == true { lines[0].removeFirst(3) }
        return lines.map { lossy ? String(decoding: $0, as: UTF8.self) : String(validating: $0, as: UTF8.self) }
    }
}
