// Where documents are cut, what stands before each chunk, and that nothing is lost.
import Q3Embedding
import Q3Mini
import TestSupport
import Testing

@testable import Q3Index

@Suite struct ChunkerTests {
    private func chunks(_ text: String, _ kind: DocumentKind, limit: Int = 60, title: String = "file") throws -> [Chunk]
    {
        Chunker(tokenizer: IndexedFolder.model.embedder.tokenizer, limit: limit)
            .chunks(of: Array(text.utf8), kind: kind, context: "Notes", fallbackTitle: title).chunks
    }

    @Test func `Markdown is cut at headings, which stand before what is below them`() throws {
        let long = String(repeating: "Some words about this and that. ", count: 12)
        let text =
            "# Manual\n\nIntro.\n\n## Keys\n\n\(long)\n\n### Rotation\n\n\(long)\n\n```sh\n# no heading\n```\n\n## Locks\n\n\(long)\n"
        let chunks = try chunks(text, .markdown)
        #expect(chunks[0].context == "Notes > Manual")
        #expect(chunks.contains { $0.context == "Notes > Manual > Keys" })
        #expect(
            chunks.contains { $0.context == "Notes > Manual > Keys > Rotation" && $0.text.contains("# no heading") })
        #expect(chunks.last?.context == "Notes > Manual > Locks")
        #expect(!chunks.contains { $0.context.contains("no heading") })
        for chunk in chunks { #expect(chunk.tokenCount <= 60) }
    }

    @Test func `front matter and underlined headings count`() throws {
        #expect(try chunks("---\ntitle: \"A Title\"\nx: y\n---\n\nText.\n", .markdown)[0].context == "Notes > A Title")
        #expect(try chunks("Top\n===\n\nText.\n", .markdown)[0].context == "Notes > Top")
    }

    @Test func `code is cut at functions, under the names of what is around them`() throws {
        let body = (0..<12).map { "        let value\($0) = compute(\($0), with: \"a string\")\n" }.joined()
        let text = """
            import Foundation

            /// A thing.
            struct Thing {
                let name: String

                /// First.
                func first() {
            \(body)    }

                /// Second.
                func second() {
            \(body)    }
            }

            func other() {
            \(body)}
            """
        let chunks = try chunks(text, .code, limit: 150, title: "Thing.swift")
        #expect(
            chunks.contains { $0.context.hasSuffix("Thing.swift > struct Thing") && $0.text.hasPrefix("/// Second.") })
        #expect(chunks.contains { $0.text.hasPrefix("func other()") && $0.context == "Notes > Thing.swift" })
    }

    @Test func `HTML is text under headings`() throws {
        let html = """
            <!DOCTYPE html><html><head><title>A &amp; B</title><style>p { color: red }</style></head><body>
            <h1>Start</h1><p>One  <b>bold</b>\nword &#252;ber &lt;all&gt;.</p><script>alert("<p>no</p>")</script>
            <h2>Next</h2><ul><li>first</li><li>second</li></ul><!-- <p>hidden</p> --><p>1 < 2 &unknown; & done</p></body></html>
            """
        let chunks = try chunks(html, .html, limit: 200)
        #expect(chunks.count == 1)
        #expect(chunks[0].context == "Notes > A & B")
        let text = chunks[0].text
        #expect(text.contains("One bold word über <all>."))
        #expect(text.contains("first\nsecond"))
        #expect(text.contains("1 < 2 &unknown; & done"))
        #expect(!text.contains("alert") && !text.contains("hidden") && !text.contains("color"))
    }

    /// Every byte that is no blank is in exactly one chunk, and the chunk's text is what its range says.
    @Test(arguments: [DocumentKind.text, .markdown, .code], [16, 40, 120])
    func `ranges cover the document once`(kind: DocumentKind, limit: Int) throws {
        var random = SeededGenerator(seed: UInt64(limit))
        let words = [
            "alpha", "béta", "漢字", "{", "}", "  func x() {", "# Head", "\n", "\n\n", "...", "🙂🙂🙂🙂", "end.", "\t",
            "```\n",
        ]
        for _ in 0..<40 {
            let text = (0..<200).map { _ in
                words[Int(random.next() % UInt64(words.count))] + [" ", "", "\n"][Int(random.next() % 3)]
            }
            .joined()
            let bytes = Array(text.utf8)
            var end = 0
            for chunk in try chunks(text, kind, limit: limit) {
                #expect(chunk.bytes.lowerBound >= end)
                #expect(
                    bytes[end..<chunk.bytes.lowerBound].allSatisfy {
                        $0 <= 0x20 || $0 == UInt8(ascii: "`") || $0 == UInt8(ascii: "-")
                    })
                let line = bytes[..<chunk.bytes.lowerBound].count { $0 == 0x0A } + 1
                #expect(chunk.lines.lowerBound == line)
                // Blank space between sections may be written another way.
                let own = bytes[chunk.bytes].filter { $0 > 0x20 }
                #expect(chunk.text.utf8.filter { $0 > 0x20 } == own)
                end = chunk.bytes.upperBound
            }
            #expect(bytes[end...].allSatisfy { $0 <= 0x20 })
        }
    }

    @Test func `a line without an end is cut at whole characters`() throws {
        for text in [
            String(repeating: "漢", count: 3000), String(repeating: "a", count: 5000),
            String(repeating: "🙂", count: 999),
        ] {
            let chunks = try chunks(text, .text, limit: 50)
            #expect(chunks.map(\.text).joined() == text)
            #expect(chunks.count > 5)
        }
    }

    @Test func `nothing gives nothing`() throws {
        for text in ["", "\n\n \n", "\t"] {
            for kind in [DocumentKind.text, .markdown, .code, .html] { #expect(try chunks(text, kind).isEmpty) }
        }
    }
}
