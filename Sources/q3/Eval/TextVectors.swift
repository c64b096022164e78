// Vectors of an evaluation's texts, with its progress.
import Q3Embedding
import Q3Eval
import Q3Input
import Q3Model

/// Embeds texts; the first that has no vector ends the command.
struct TextVectors {
    let dimensions: Int
    private(set) var truncatedCount = 0

    private let embedder: Embedder
    private let options: EmbeddingOptions
    private let progress: RunProgress
    /// Texts of the whole evaluation.
    private let textCount: Int
    private var doneCount = 0
    private var tokenCount = 0

    /// `queries` is what the texts are embedded as that an adapter of queries changes.
    init(
        _ arguments: EvalArguments, embedder: Embedder, progress: RunProgress, textCount: Int,
        queries: TaskInstruction?
    ) throws {
        self.embedder = embedder
        self.progress = progress
        self.textCount = textCount
        dimensions = try embedder.dimensions(requested: arguments.dimensions)
        let adapter = try arguments.adapter(for: embedder, queries: Self.prompt(queries))
        if let adapter { try embedder.check(adapter, keeping: dimensions) }
        options = EmbeddingOptions(dimensions: dimensions, truncates: arguments.truncate, adapter: adapter)
    }

    private static func prompt(_ instruction: TaskInstruction?) -> Prompt {
        instruction.map { .query(task: $0.text) } ?? .document
    }

    /// Vectors of all texts. `place` names the text of that index where it is wrong.
    mutating func vectors(
        of texts: [String], as instruction: TaskInstruction?, place: (Int) -> String
    ) async throws -> Vectors {
        var vectors = Vectors(dimensions: dimensions, capacity: texts.count)
        let list = List(texts.enumerated().map { (index: $0.offset, text: $0.element) })
        for try await (item, result) in results(for: list, text: \.text, index: \.index, as: instruction) {
            vectors.append(try vector(result, place: { place(item.index) }))
        }
        return vectors
    }

    /// Vectors of all records, in their order; `body` gets each text.
    mutating func vectors(
        of records: sending RecordReader<String>, as instruction: TaskInstruction?, capacity: Int,
        _ body: (String) -> Void
    ) async throws -> Vectors {
        var vectors = Vectors(dimensions: dimensions, capacity: capacity)
        let stream = RecordStream(records)
        for try await (record, result) in results(
            for: stream, text: { try? $0.content.get() }, index: \.index, as: instruction
        ) {
            body(try EvalData.content(of: record))
            vectors.append(try vector(result, place: { record.name }))
        }
        return vectors
    }

    private func results<Items: AsyncSequence & Sendable>(
        for items: Items, text: @escaping @Sendable (Items.Element) -> String?,
        index: @escaping @Sendable (Items.Element) -> Int, as instruction: TaskInstruction?
    ) -> Windows<Items, Result<Embedding, EmbeddingError>?> where Items.Element: Sendable {
        let (total, doneCount, tokenCount) = (Double(max(textCount, 1)), doneCount, tokenCount)
        return embedder.results(
            for: items, text: text, as: Self.prompt(instruction), options: options,
            progress: { [progress] value, last in
                progress.show(
                    Progress(completed: tokenCount + value.completed, total: tokenCount + value.total),
                    upTo: Double(doneCount + index(last) + 1) / total)
            })
    }

    private mutating func vector(
        _ result: Result<Embedding, EmbeddingError>?, place: () -> String
    ) throws -> [Float] {
        switch result {
        case .success(let embedding):
            if embedding.isTruncated { truncatedCount += 1 }
            doneCount += 1
            tokenCount += embedding.tokenCount
            progress.count(tokens: embedding.tokenCount, fraction: Double(doneCount) / Double(max(textCount, 1)))
            return embedding.vector
        case .failure(let error):
            let failure = Failure(error)
            throw Failure(failure.status, "\(place()): \(failure.message ?? "")")
        case nil: preconditionFailure("every text has a result")
        }
    }
}

/// A list as an asynchronous sequence.
private struct List<Element: Sendable>: AsyncSequence, Sendable {
    let elements: [Element]

    init(_ elements: [Element]) { self.elements = elements }

    struct Iterator: AsyncIteratorProtocol {
        var elements: IndexingIterator<[Element]>
        mutating func next() async -> Element? { elements.next() }
    }

    func makeAsyncIterator() -> Iterator { Iterator(elements: elements.makeIterator()) }
}

extension EvalArguments {
    /// Vectors of lists of texts, with progress on stderr and a note in the report. `places` name texts that are wrong.
    func vectors(
        of lists: [(texts: [String], places: [String])], as task: TaskInstruction, noting report: inout EvalReport
    ) async throws -> [Vectors] {
        let embedder = try openEmbedder()
        let progress = RunProgress()
        let instruction = try instruction(task, for: embedder)
        var texts = try TextVectors(
            self, embedder: embedder, progress: progress, textCount: lists.reduce(0) { $0 + $1.texts.count },
            queries: instruction)
        var vectors: [Vectors] = []
        for list in lists {
            vectors.append(try await texts.vectors(of: list.texts, as: instruction) { list.places[$0] })
        }
        progress.finish()
        report.note(texts, as: instruction)
        return vectors
    }
}
