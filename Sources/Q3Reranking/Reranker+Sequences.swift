// Scores inputs of any length: an asynchronous sequence of pairs in, their results in order out, in bounded memory.
public import Q3Model

extension Reranker {
    /// The score of each pair or why it has none, in the order of the pairs, while the pairs are still coming. A score's
    /// `index` is the pair's position in the sequence.
    ///
    /// Pairs are computed in windows of up to 512 pairs or 64 KiB while the next window is read, so memory is bounded
    /// however many there are. Leaving the loop or cancelling its task ends the reading and the computing.
    ///
    /// The result throws, after the results of all pairs before, what `pairs` throws, and what `results(for:)` does.
    /// `progress` counts tokens of the pairs taken so far.
    public func score<Pairs: AsyncSequence & Sendable>(
        _ pairs: Pairs, options: RerankOptions = RerankOptions(), progress: (@Sendable (Progress) -> Void)? = nil
    ) -> some AsyncSequence<Result<RerankScore, RerankError>, any Error> & Sendable
    where Pairs.Element == RerankPair {
        results(for: pairs, pair: { $0 }, options: options, progress: passing(progress)).map { _, result in
            guard let result else { preconditionFailure("every pair has a result") }
            return result
        }
    }

    /// Each item with the result of its pair; nil for an item that has none and passes through in its place.
    package func results<Items: AsyncSequence & Sendable>(
        for items: Items, pair: @escaping @Sendable (Items.Element) -> RerankPair?,
        options: RerankOptions = RerankOptions(), progress: (@Sendable (Progress, Items.Element) -> Void)? = nil
    ) -> Windows<Items, Result<RerankScore, RerankError>?> where Items.Element: Sendable {
        Windows(
            over: items, progress: progress, text: pair, size: { $0.query.utf8.count + $0.document.utf8.count }
        ) { [self] pairs, before, progress in
            try await results(for: pairs, options: options, progress: progress).map { result in
                result.map { $0.moved(by: before) }
            }
        }
    }
}

/// The progress of a public sequence, which needs no items.
private func passing<Item>(_ progress: (@Sendable (Progress) -> Void)?) -> (@Sendable (Progress, Item) -> Void)? {
    guard let progress else { return nil }
    return { value, _ in progress(value) }
}
