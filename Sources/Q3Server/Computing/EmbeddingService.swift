// From the texts of a request to vectors: prompt, tokens, computation, length.
#if Server
import Q3Embedding
import Q3Model
import Q3Tokenizer

struct EmbeddingService: Sendable {
    let models: ModelRegistry
    let computation: Computation
    let options: ServerOptions
    let notices: Notices

    /// Texts to embed, and how.
    struct Work {
        var model: String?
        var items: [TextOrTokens]
        /// The field that the texts came in, for messages.
        var field = "input"
        var prompt: TextPrompt?
        var dimensions: Int?
        /// The name of an adapter of the model.
        var adapter: String?
        /// Which end of a text that is too long is lost; nil makes it an error.
        var cut: Embedder.Cut?
        /// Max tokens of a text, where the request allows fewer than the model.
        var tokenLimit: Int?
        var norm = VectorNorm.unitLength
        /// Whether an empty text has a vector, which is that of the lone `<|endoftext|>`.
        var allowsEmpty = false
        /// What metrics count it as.
        var kind = ServerMetrics.Work.embed
    }

    struct Vectors: Sendable {
        let served: ServedModel
        let vectors: [[Float]]
        let timing: Timing
    }

    /// A vector for each text, or the error of the first that has none.
    func embed(_ work: Work, for request: APIRequest) async throws(APIError) -> Vectors {
        let (served, embedder) = try models.embedder(work.model)
        let kept: Int
        do { kept = try embedder.dimensions(requested: work.dimensions) } catch { throw APIError(error) }
        if case .query(_?) = work.prompt, !embedder.takesInstructions {
            throw .invalid("instruction", "model \(served.name) takes no instructions; leave the instruction out")
        }
        var work = work
        let adapter = try adapter(for: &work, of: served, embedder: embedder, keeping: kept)
        var (job, inputs) = try await tokenize(work, of: served, embedder: embedder, for: request)
        let states = try await computation.states(of: inputs.map(\.ids), model: served.model, for: &job)
        var vectors: [[Float]] = []
        for (index, state) in states.enumerated() {
            do {
                // Also finds values that are not numbers where the vector is not scaled to unit length.
                let unit = try Embedding.vector(of: state, dimensions: kept, adapter: adapter)
                // What an adapter makes has unit length only.
                vectors.append(
                    work.norm.applied(to: adapter == nil ? Array(state.prefix(kept)) : unit, unit: unit))
            } catch {
                throw APIError(error, at: "\(work.field)[\(index)]")
            }
        }
        return Vectors(served: served, vectors: vectors, timing: job.timing)
    }

    /// The adapter that changes these texts, by its name in the request or in that of the model. Texts that come without a
    /// prompt are queries for it.
    private func adapter(
        for work: inout Work, of served: ServedModel, embedder: Embedder, keeping kept: Int
    ) throws(APIError) -> EmbeddingAdapter? {
        var chosen = served.adapter
        if let name = work.adapter {
            // Names are compared by their bytes, as those of models.
            guard let named = served.adapters.first(where: { $0.name.utf8.elementsEqual(name.utf8) }) else {
                let names = served.adapters.map { "\"\($0.name)\"" }.joined(separator: ", ")
                throw .invalid(
                    "adapter",
                    "model \(served.name) has no adapter \"\(name.prefix(100))\"; "
                        + (names.isEmpty ? "q3 serve --adapter NAME=FILE serves adapters" : "there are \(names)"))
            }
            chosen = named
            if work.prompt == nil {
                work.prompt = .query(task: embedder.takesInstructions ? named.adapter.instruction : nil)
            }
        }
        guard let adapter = chosen?.adapter else { return nil }
        if adapter.scope == .queries, work.prompt ?? served.prompt ?? options.defaultPrompt == .document {
            // Under the name NAME:ADAPTER, clients send documents too.
            if work.adapter == nil { return nil }
            throw .invalid("adapter", "the adapter changes queries alone, and these texts are documents; leave it out")
        }
        do { try embedder.check(adapter, keeping: kept) } catch { throw APIError(error) }
        return adapter
    }

    /// The final hidden state of every token, not normalized: [texts][tokens][hiddenSize].
    ///
    /// Each prefix of a text is computed as a text of its own. All prefixes share their rows, so nothing is computed twice.
    func embedTokens(_ work: Work, for request: APIRequest) async throws(APIError) -> (
        states: [[[Float]]], timing: Timing
    ) {
        let (served, embedder) = try models.embedder(work.model)
        guard work.adapter == nil else {
            throw .invalid("adapter", "an adapter changes vectors of texts, and not the states of tokens; leave it out")
        }
        var (job, inputs) = try await tokenize(work, of: served, embedder: embedder, for: request)
        for (index, input) in inputs.enumerated() where input.ids.count > Self.tokenStatesLimit {
            throw .tooLong(input.ids.count, limit: Self.tokenStatesLimit, param: "\(work.field)[\(index)]")
        }
        let prefixes = inputs.flatMap { input in (1...input.ids.count).map { Array(input.ids.prefix($0)) } }
        let states = try await computation.states(of: prefixes, model: served.model, for: &job)
        var rest = states[...]
        return (
            inputs.map { input in
                defer { rest = rest.dropFirst(input.ids.count) }
                return Array(rest.prefix(input.ids.count))
            }, job.timing
        )
    }

    /// Tokens of a text whose tokens' states are all asked for: its prefixes hold as many ids as the square of its
    /// length.
    private static let tokenStatesLimit = 4096

    private func tokenize(
        _ work: Work, of served: ServedModel, embedder: Embedder, for request: APIRequest
    ) async throws(APIError) -> (Computation.Job, [ModelInput]) {
        var job = try computation.job(work.kind, for: request, field: work.field, itemCount: work.items.count)
        let prompt = work.prompt ?? served.prompt ?? options.defaultPrompt
        let limit = min(work.tokenLimit ?? .max, embedder.tokenLimit)
        let inputs = try await computation.tokenize(&job) { index, room in
            let ids = try ids(
                of: work.items[index], prompt: prompt, work: work, embedder: embedder,
                // To cut a text at its end, no more of it need be read.
                atLeast: work.cut == .end ? limit : max(room, limit) + 1)
            return try embedder.input(for: ids, truncate: work.cut, limit: limit)
        }
        job.timing.characters = work.items.reduce(0) { $0 + $1.characterCount }
        return (job, inputs)
    }

    private func ids(
        of item: TextOrTokens, prompt: TextPrompt, work: Work, embedder: Embedder, atLeast count: Int
    ) throws -> [Int32] {
        switch item {
        case .text(let text):
            guard work.allowsEmpty || !text.isEmpty else {
                throw APIError(.empty, "`\(work.field)` cannot be empty")
            }
            return embedder.ids(ofLetters: prompt.applied(to: text, for: embedder), atLeast: count)
        case .tokens(let tokens):
            guard options.takesTokenIDs else {
                throw APIError(.invalid, "this server takes texts only; token ids may be those of another model")
            }
            notices.say(
                "token ids came in place of text; a client that counts tokens for OpenAI's models sends ids of another "
                    + "vocabulary, which mean other words here: in LangChain set check_embedding_ctx_length=False")
            guard !tokens.isEmpty else { throw APIError(.empty, "`\(work.field)` cannot be empty") }
            let size = embedder.tokenizer.vocabularySize
            if let place = tokens.firstIndex(where: { !(0..<size).contains(Int($0)) }) {
                throw APIError(
                    .invalid, "token id \(tokens[place]) at place \(place) is outside the vocabulary of \(size)")
            }
            let before = prompt.applied(to: "", for: embedder)
            return before.isEmpty ? tokens : embedder.tokenizer.encode(before) + tokens
        }
    }
}
#endif
