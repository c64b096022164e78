// Parts of the tool whose corners no run of it reaches: lines across chunks, JSON text, headers, the progress line.
import Q3Input
import Q3System
import TestSupport
import Testing

@testable import q3

@Suite struct PartsTests {
    private func lines(_ bytes: [UInt8]) throws -> [[UInt8]] {
        let folder = try TemporaryFolder()
        let reader = try RecordSplitter(path: folder.write("in", bytes))
        var lines: [[UInt8]] = []
        while let line = try reader.next() {
            if case .bytes(let bytes) = line.content { lines.append(bytes) }
        }
        #expect(reader.byteOffset == bytes.count)
        return lines
    }

    /// Lines that end before, at and after the end of a chunk.
    @Test(arguments: [0, 1, (1 << 17) - 2, (1 << 17) - 1, 1 << 17, (1 << 17) + 1, (1 << 18) + 5])
    func `lines cross chunks`(_ length: Int) throws {
        let long = [UInt8](repeating: UInt8(ascii: "x"), count: length)
        #expect(try lines(long + [10] + Array("y".utf8)) == [long, Array("y".utf8)])
        #expect(try lines(long + [13, 10]) == [long])
        #expect(try lines(long + [10, 10]) == [long, []])
    }

    @Test func `empty files have no line`() throws {
        #expect(try lines([]) == [])
    }

    private static let strings: [(text: String, json: String)] = [
        ("a", "\"a\""), ("\"\\/", "\"\\\"\\\\/\""), ("\n\r\t\u{0}\u{1F}", "\"\\n\\r\\t\\u0000\\u001f\""),
        ("é👍", "\"é👍\""),
    ]

    @Test(arguments: strings) func `strings are escaped`(_ test: (text: String, json: String)) {
        #expect(JSONText.quoted(test.text) == test.json)
    }

    @Test func `headers keep their length`() {
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

    @Test(arguments: times) func `times are short`(_ test: (seconds: Double, text: String)) {
        #expect(RunProgress.time(test.seconds) == test.text)
    }

    @Test func `progress names rate and time left, in a bar where the size is known`() {
        let line = RunProgress.line(records: 10, tokens: 5000, elapsed: .seconds(20), fraction: 0.25, width: 80)
        #expect(line == "[######------------------]  25 %  10 done, 250 tokens/s, 1:00 left")
        #expect(
            RunProgress.line(records: 0, tokens: 500, elapsed: .seconds(2), fraction: 0.05, width: 40)
                == "[-----]   5 %  250 tokens/s, 0:38 left")
        for width in 20..<120 {
            let line = RunProgress.line(records: 99, tokens: 9, elapsed: .seconds(9), fraction: 1, width: width)
            #expect(line.count < max(width, 45))
        }
        #expect(
            RunProgress.line(records: 1, tokens: 10, elapsed: .seconds(4), fraction: nil, width: 80)
                == "1 done, 2 tokens/s")
    }

    private static let cuts: [(text: String, width: Int, cut: String)] = [
        ("short", 10, "short"), ("a few words here", 10, "a few…"), ("averyverylongword", 10, "averyvery…"),
        ("a verylongword", 10, "a verylon…"), ("北京是中国的首都", 10, "北京是中…"), ("ab 北京", 7, "ab 北京"), ("👍👍👍", 5, "👍👍…"),
    ]

    @Test(arguments: cuts) func `texts are cut between words to the columns that there are`(
        _ test: (text: String, width: Int, cut: String)
    ) {
        #expect(ResultLines.cut(test.text, to: test.width) == test.cut)
    }

    @Test func `ranked texts fit the terminal and are coloured only where asked`() {
        let rows = (1...12).map { index in
            RankedText(
                score: 1 / Float(index), label: "id-\(index)", text: String(repeating: "some \n words ", count: index))
        }
        let lines = ResultLines(width: 40, hasColor: false, digits: 3).text(rows).split(separator: "\n")
        #expect(lines[0] == " 1  1.000  id-1   some words")
        #expect(lines.allSatisfy { $0.count <= 40 })
        #expect(ResultLines(width: 40, hasColor: true, digits: 3).text(rows).contains("\u{1B}[32m1.000\u{1B}[0m"))
        #expect(ResultLines(width: nil, hasColor: true, digits: 3).text([rows[0]]) == "1.0\tid-1\tsome words\n")
    }
}
