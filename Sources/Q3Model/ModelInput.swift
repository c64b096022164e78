// Texts as the model reads them, and what a head makes of their hidden states.

/// The token ids of one text or pair, ready for the model.
package struct ModelInput: Sendable, Equatable {
    package let ids: [Int32]
    /// Whether part of the text was left out to fit the context.
    package let isTruncated: Bool

    package init(ids: [Int32], isTruncated: Bool) {
        self.ids = ids
        self.isTruncated = isTruncated
    }
}

extension Qwen3Model {
    /// What `head` makes of each input's hidden state, [hiddenSize], in the order of the inputs; a failed input keeps its
    /// error, and a failed head fails its own input only. Throws for what concerns the whole call.
    package func results<Output, Fault: Error>(
        of inputs: [Result<ModelInput, Fault>], progress: (@Sendable (Progress) -> Void)?,
        head: (_ index: Int, _ input: ModelInput, _ hiddenState: [Float]) throws(Fault) -> Output
    ) async throws -> [Result<Output, Fault>] {
        let lists = inputs.compactMap { try? $0.get().ids }
        let states = try await lastHiddenStates(of: lists, progress: progress)
        precondition(states.count == lists.count, "one hidden state per input")
        var next = states.startIndex
        return inputs.enumerated().map { index, input in
            Result { () throws(Fault) in
                let input = try input.get()
                defer { next += 1 }
                return try head(index, input, states[next])
            }
        }
    }
}
