// The tokens of the fixture's texts, as Hugging Face tokenizers has them.

import Q3GGUF
import Testing

@testable import Q3Tokenizer

@Suite struct GoldenTests {
    let tokenizer: Tokenizer
    let texts: [GoldenText]

    init() throws {
        tokenizer = try Fixture.tokenizer.get()
        texts = try Fixture.lines("tokenizer.jsonl")
        try #require(texts.count > 600)
    }

    @Test func `Text read literally has the reference's ids`() {
        for golden in texts {
            #expect(tokenizer.encode(golden.text) == golden.ids, "\(golden.group): \(golden.text.debugDescription)")
        }
    }

    @Test func `Text with added tokens has the reference's ids`() {
        #expect(texts.count { $0.special != nil } > 60)
        for golden in texts {
            let ids = tokenizer.encode(golden.text, parseSpecial: true)
            #expect(ids == golden.special ?? golden.ids, "\(golden.group): \(golden.text.debugDescription)")
        }
    }

    @Test func `Text is cut into the reference's pieces`() {
        for golden in texts {
            let bytes = normalized(golden.text)
            var preTokenizer = PreTokenizer(bytes.span)
            var lengths: [Int] = []
            while let piece = preTokenizer.next() { lengths.append(piece.count) }
            #expect(lengths == golden.pieces, "\(golden.group): \(golden.text.debugDescription)")
        }
    }

    @Test func `Decoding gives the text in NFC`() throws {
        for golden in texts {
            let decoded = try tokenizer.decodeBytes(tokenizer.encode(golden.text))
            #expect(decoded == normalized(golden.text), "\(golden.group): \(golden.text.debugDescription)")
            if let special = golden.special {
                // Normalised between the added tokens only, so compared in a form that forgets where.
                #expect(try tokenizer.decode(special) == golden.text)
            }
        }
    }

    @Test func `Encoding again, with all tokens met before, gives the same ids`() {
        let first = texts.map { tokenizer.encode($0.text) }
        #expect(texts.map { tokenizer.encode($0.text) } == first)
    }

    struct Run: Decodable {
        let lead: String
        let unit: String
        let count: Int
        /// Groups of ids and how often each repeats.
        let ids: [Int32]

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            lead = try container.decode(String.self, forKey: .lead)
            unit = try container.decode(String.self, forKey: .unit)
            count = try container.decode(Int.self, forKey: .count)
            var runs = try container.nestedUnkeyedContainer(forKey: .runs)
            var ids: [Int32] = []
            while !runs.isAtEnd {
                var run = try runs.nestedUnkeyedContainer()
                let group = try run.decode([Int32].self)
                for _ in 0..<(try run.decode(Int.self)) { ids += group }
            }
            self.ids = ids
        }

        private enum Key: CodingKey { case lead, unit, count, runs }
    }

    @Test func `Long runs of one unit have the reference's ids`() throws {
        let runs: [Run] = try Fixture.lines("tokenizer-runs.jsonl")
        #expect(runs.count == 16)
        for run in runs {
            let ids = tokenizer.encode(run.lead + String(repeating: run.unit, count: run.count))
            #expect(ids == run.ids, "\(run.unit.debugDescription) × \(run.count)")
        }
    }

    @Test func `Eight tasks at once get the same ids`() async throws {
        let (tokenizer, texts) = (try freshTokenizer(), texts)
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 {
                group.addTask { texts.allSatisfy { tokenizer.encode($0.text) == $0.ids } }
            }
            for await isEqual in group { #expect(isEqual) }
        }
    }

    private func freshTokenizer() throws -> Tokenizer {
        try Tokenizer(metadata: GGUFFile(path: Fixture.path("tokenizer.gguf")).metadata)
    }

    private func normalized(_ text: String) -> [UInt8] {
        normalize(text)?.bytes ?? Array(text.utf8)
    }
}
