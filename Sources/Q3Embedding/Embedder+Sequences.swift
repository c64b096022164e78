// Embeds inputs of any length: an asynchronous sequence of texts in, their results in order out, in bounded memory.
public import Q3Model

extension Embedder {
    /// The vector of each text or why it has none, in the order of the texts, while the texts are still coming.
    ///
    ///     for try await result in embedder.embed(url.lines) { index.add(try result.get().vector) }
    ///
    /// Texts are computed in windows of up to 512 texts or 64 KiB while the next window is read, so memory is bounded
    /// however many there are, and a slow sequence gets results for the texts that it gave. Leaving the loop or
    /// cancelling its task ends the reading and the computing.
    ///
    /// The result throws, after the results of all texts before, what `texts` throws, and what `results(for:)` does.
    /// `progress` counts tokens of the texts taken so far.
    public func embed<Texts: AsyncSequence & Sendable>(
        _ texts: Texts, as prompt: Prompt = .document, options: EmbeddingOptions = EmbeddingOptions(),
        progress: (@Sendable (Progress) -> Void)? = nil
    ) -> some AsyncSequence<Result<Embedding, EmbeddingError>, any Error> & Sendable where Texts.Element == String {
        results(for: texts, text: { $0 }, as: prompt, options: options, progress: passing(progress)).map { _, result in
            guard let result else { preconditionFailure("every text has a result") }
            return result
        }
    }

    /// Each item with the result of its text; nil for an item that has none and passes through in its place.
    package func results<Items: AsyncSequence & Sendable>(
        for items: Items, text: @escaping @Sendable (Items.Element) -> String?, as prompt: Prompt = .document,
        options: EmbeddingOptions = EmbeddingOptions(), progress: (@Sendable (Progress, Items.Element) -> Void)? = nil
    ) -> Windows<Items, Result<Embedding, EmbeddingError>?> where Items.Element: Sendable {
        Windows(over: items, progress: progress, text: text, size: \.utf8.count) { [self] texts, _, progress in
            try await results(for: texts, as: prompt, options: options, progress: progress)
        }
    }
}

/// The progress of a public sequence, which needs no items.
private func passing<Item>(_ progress: (@Sendable (Progress) -> Void)?) -> (@Sendable (Progress, Item) -> Void)? {
    guard let progress else { return nil }
    return { value, _ in progress(value) }
}
