// Vectors of texts in memory, with progress; the first text that has none ends the command.
import Q3Embedding
import Q3Input
import Q3Linear

/// Vectors of all texts, in their order. `each` gets every vector when it is there.
func listVectors(
    of texts: [String], as prompt: Prompt, with embedder: Embedder, options: EmbeddingOptions,
    each: @Sendable ([Float]) throws -> Void = { _ in }
) async throws -> VectorMatrix {
    let progress = RunProgress()
    let source = RecordStream(try RecordReader<String>(.arguments(texts), parser: .documents(column: nil)))
    var builder = try VectorMatrixBuilder(
        dimensions: try embedder.dimensions(requested: options.dimensions), capacity: texts.count)
    let results = embedder.results(
        for: source, text: { try? $0.content.get() }, as: prompt, options: options,
        progress: { progress.show($0, upTo: $1.fraction) })
    var rejections = Rejections(strict: true)
    for try await (record, result) in results {
        guard let embedding = try rejections.output(of: record, result) else { continue }
        progress.count(tokens: embedding.tokenCount, fraction: record.fraction)
        try builder.append(embedding.vector)
        try each(embedding.vector)
    }
    progress.finish()
    return builder.finish()
}
