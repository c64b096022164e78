// Parts of the tool whose corners no run of it reaches: lines across chunks, JSON text, headers, the progress line.
import Q3Input
import TestSupport
import Testing

@testable import q3

@Suite struct PartsTests {
    private func lines(_ bytes: [UInt8]) throws -> [[UInt8]] {
        let folder = try TemporaryFolder()
        let reader = try LineReader(path: folder.write("in", bytes))
        var lines: [[UInt8]] = []
        while let line = try reader.next() {
            if case .bytes(let bytes) = line.content { lines.append(bytes) }
        }
        #expect(reader.byteOffset == bytes.count)
        return lines
    }

    /// Lines that end before, at and behind the end of a chunk.
    @Test(arguments: [0, 1, (1 << 17) - 2, (1 << 17) - 1, 1 << 17, (1 << 17) + 1, (1 << 18) + 5])
    func linesCrossChunks(_ length: Int) throws {
        let long = [UInt8](repeating: UInt8(ascii: "x"), count: length)
        #expect(try lines(long + [10] + Array("y".utf8)) == [long, Array("y".utf8)])
        #expect(try lines(long + [13, 10]) == [long])
        #expect(try lines(long + [10, 10]) == [long, []])
    }

    @Test func emptyFilesHaveNoLine() throws {
        #expect(try lines([]) == [])
    }

    private static let strings: [(text: String, json: String)] = [
        ("a", "\"a\""), ("\"\\/", "\"\\\"\\\\/\""), ("\n\r\t\u{0}\u{1F}", "\"\\n\\r\\t\\u0000\\u001f\""),
        ("é👍", "\"é👍\""),
    ]

    @Test(arguments: strings) func stringsAreEscaped(_ test: (text: String, json: String)) {
        #expect(JSONText.quoted(test.text) == test.json)
    }

    @Test func headersKeepTheirLength() {
        for count in [0, 9, 1_000_000, Int.max] {
            let header = NPY.header(type: "<f4", rowCount: count, columnCount: 4096)
            #expect(header.count == 128)
            #expect(header.last == 10)
        }
    }

    private static let times: [(seconds: Double, text: String)] = [
        (0, "0:00"), (-1, "0:00"), (41.2, "0:42"), (60, "1:00"), (725, "12:05"), (10919, "3:01:59"),
        (.infinity, "1000:00:00"),
    ]

    @Test(arguments: times) func timesAreShort(_ test: (seconds: Double, text: String)) {
        #expect(RunProgress.time(test.seconds) == test.text)
    }

    @Test func progressNamesRateAndTimeLeft() {
        let line = RunProgress.line(records: 10, tokens: 5000, elapsed: .seconds(20), fraction: 0.25)
        #expect(line == "10 done, 5000 tokens, 250 tokens/s, 25 %, 1:00 left")
        #expect(
            RunProgress.line(records: 1, tokens: 10, elapsed: .seconds(4), fraction: nil)
                == "1 done, 10 tokens, 2 tokens/s")
    }
}
