// The built-in model as a library: what it is, and that it finds what it was made to find.
import Q3Embedding
import Q3GGUF
import Q3Mini
import Testing

@Suite struct MiniTests {
    @Test func `is a small embedding model`() throws {
        let embedder = try Embedder.mini()
        #expect(embedder.dimensions == 256)
        #expect(embedder.tokenLimit == 512)
        #expect(!embedder.takesInstructions)
        #expect(try Mini.file().byteCount <= 10_000_000)
        #expect(try Mini.file().path == "q3-mini (built in)")
    }

    @Test func `queries need no instruction`() async throws {
        let embedder = try Embedder.mini()
        let text = ["an interpreter for a small language"]
        #expect(try await embedder.embed(text) == embedder.embed(text, as: .query(task: "Find packages")))
    }

    @Test(arguments: [64, 128, 256]) func `finds what fits`(dimensions: Int) async throws {
        let embedder = try Embedder.mini()
        let options = EmbeddingOptions(dimensions: dimensions)
        let documents = try await embedder.embed(
            [
                "Reads mail over IMAP and POP3, filters it into folders and shows it in a window.",
                "Turns photographs taken by telescopes into pictures of stars and galaxies.",
                "A library that compresses data without loss, with bindings for several languages.",
                "Plays chess against you, analyses games and keeps a book of openings.",
            ], options: options)
        let queries = try await embedder.embed(
            ["e-mail client", "astronomy image processing", "lossless compression", "chess engine"], options: options)
        for (index, query) in queries.enumerated() {
            let scores = documents.map { Similarity.dot(query.vector, $0.vector) }
            #expect(scores.firstIndex(of: scores.max() ?? 0) == index, "\(scores)")
        }
    }

    /// Questions and answers share no word that says anything.
    @Test func `general questions find their answers in other words`() async throws {
        let embedder = try Embedder.mini()
        let answers = try await embedder.embed([
            "Leaves use light to turn carbon dioxide and water into sugar.",
            "Whoever takes another's property without permission commits this crime.",
            "Drink some water, rest in a dark room or take a painkiller such as ibuprofen.",
            "Prices go up, and the same sum buys less each year.",
            "The Italian city has canals in place of streets.",
        ])
        let questions = try await embedder.embed([
            "how do plants make their food", "what is theft", "what should I do about a headache", "what is inflation",
            "why is Venice special",
        ])
        for (index, question) in questions.enumerated() {
            let scores = answers.map { Similarity.dot(question.vector, $0.vector) }
            #expect(scores.firstIndex(of: scores.max() ?? 0) == index, "\(scores)")
        }
    }
}
