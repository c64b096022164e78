// Vectors of an evaluation's texts, with its progress.
import Q3Embedding
import Q3Eval
import Q3Input

/// Embeds texts window by window; the first that has no vector ends the command.
struct TextVectors {
    private static let windowTextCount = 512

    let dimensions: Int
    private(set) var truncatedCount = 0

    private let embedder: Embedder
    private let options: EmbeddingOptions
    private let progress: RunProgress
    /// Texts of the whole evaluation.
    private let textCount: Int
    private var doneCount = 0

    init(_ arguments: EvalArguments, embedder: Embedder, progress: RunProgress, textCount: Int) throws {
        self.embedder = embedder
        self.progress = progress
        self.textCount = textCount
        dimensions = try embedder.dimensions(requested: arguments.dimensions)
        options = EmbeddingOptions(dimensions: dimensions, truncates: arguments.truncate)
    }

    /// Vectors of all texts. `place` names the text of that index where it is wrong.
    mutating func vectors(
        of texts: [String], as instruction: TaskInstruction?, place: (Int) -> String
    ) async throws -> Vectors {
        var vectors = Vectors(dimensions: dimensions, capacity: texts.count)
        for start in stride(from: 0, to: texts.count, by: Self.windowTextCount) {
            let window = texts[start..<min(start + Self.windowTextCount, texts.count)]
            try await append(Array(window), as: instruction, to: &vectors) { place(start + $0) }
        }
        return vectors
    }

    /// Adds the vectors of a window of texts.
    mutating func append(
        _ texts: [String], as instruction: TaskInstruction?, to vectors: inout Vectors, place: (Int) -> String
    ) async throws {
        let total = Double(max(textCount, 1))
        let span = Double(doneCount) / total...Double(doneCount + texts.count) / total
        let results = try await embedder.results(
            for: texts, as: instruction.map { .query(task: $0.text) } ?? .document, options: options,
            progress: { [progress] in progress.show($0, in: span) })
        var tokenCount = 0
        for (index, result) in results.enumerated() {
            switch result {
            case .success(let embedding):
                vectors.append(embedding.vector)
                tokenCount += embedding.tokenCount
                if embedding.isTruncated { truncatedCount += 1 }
            case .failure(let error): throw Failure(error.exitStatus, "\(place(index)): \(error)")
            }
        }
        doneCount += texts.count
        progress.finishWindow(records: texts.count, tokens: tokenCount)
    }
}
