// From texts to unit vectors: prompt, tokens, exactly one <|endoftext|>, the model, the cut to its dimensions, unit length.
public import Q3GGUF
public import Q3Model
public import Q3Tokenizer

/// What to do with the texts of one call.
public struct EmbeddingOptions: Sendable, Equatable {
    /// Values to keep of each vector, 1 to the model's; nil keeps all. The model was trained for 32 and up.
    public var dimensions: Int?
    /// Whether a text longer than the context loses its end; otherwise it is an error.
    public var truncates: Bool
    /// Whether `<|im_end|>` and the like inside a text become control tokens, as Hugging Face does by default.
    /// Leave this off for text that others wrote.
    public var parsesSpecialTokens: Bool
    /// What changes the vectors of queries, and of documents where it was made for both; nil for the model's own vectors.
    public var adapter: EmbeddingAdapter?

    /// Options; each has a default.
    public init(
        dimensions: Int? = nil, truncates: Bool = false, parsesSpecialTokens: Bool = false,
        adapter: EmbeddingAdapter? = nil
    ) {
        self.dimensions = dimensions
        self.truncates = truncates
        self.parsesSpecialTokens = parsesSpecialTokens
        self.adapter = adapter
    }
}

/// A Qwen3-Embedding model.
///
///     let embedder = try Embedder(path: "Qwen3-Embedding-0.6B-Q8_0.gguf")
///     let documents = try await embedder.embed(["Beijing is the capital of China.", "Bread and salt."])
///     let query = try await embedder.embed("capital of China", as: .query())
///     print(documents.map { query.dot($0) })
///
/// A text's vector is the same to the bit alone, in any batch, in any order and with any number of threads. An empty
/// text is the lone `<|endoftext|>`, as in the reference.
public final class Embedder: Sendable {
    /// The checkpoint that computes.
    public let model: Qwen3Model
    /// The vocabulary of the file.
    public let tokenizer: Tokenizer
    /// What the file was made for.
    public let role: ModelRole
    /// What precedes texts, from the file where it says so.
    let prompts: EmbeddingPrompts
    /// Whether queries are prefixed with an instruction. Models trained without one take their own prompt, or none as
    /// q3-mini does, whatever the task.
    public var takesInstructions: Bool { prompts.query == nil }
    private let endOfText: Int32

    /// Opens a GGUF file.
    ///
    /// Throws `GGUFError`, `TokenizerError` or `ModelError` for a file that cannot be read or is not a Qwen3 model, and
    /// `EmbeddingError` for a Qwen3 model that gives no embeddings.
    public convenience init(path: String, options: ModelOptions = ModelOptions()) throws {
        try self.init(file: GGUFFile(path: path), options: options)
    }

    /// Uses a file that is open already.
    public init(file: GGUFFile, options: ModelOptions = ModelOptions()) throws {
        role = try ModelRole(of: file, asked: options.role)
        if role.kind == .reranker {
            throw EmbeddingError.rerankerModel(path: file.path, evidence: role.evidence)
        }
        if let pooling = try file.metadata.optionalUInt32(Qwen3Schema.Key.poolingType),
            pooling != Pooling.last.rawValue, pooling != Pooling.none.rawValue || options.role != .embedding
        {
            throw EmbeddingError.unsupportedPooling(type: pooling, name: Pooling.name(of: pooling))
        }
        prompts = try EmbeddingPrompts(of: file.metadata)
        tokenizer = try Tokenizer(metadata: file.metadata)
        guard let endOfText = tokenizer.endOfTextID else { throw EmbeddingError.missingEndOfText }
        self.endOfText = endOfText
        model = try Qwen3Model(file: file, options: options)
        guard tokenizer.vocabularySize <= model.config.vocabularySize else {
            throw EmbeddingError.vocabulary(
                tokenCount: tokenizer.vocabularySize, embeddingCount: model.config.vocabularySize)
        }
    }

    /// Values of a full vector.
    public var dimensions: Int { model.config.hiddenSize }

    /// The values of a vector for a requested number; nil asks for all.
    public func dimensions(requested: Int?) throws(EmbeddingError) -> Int {
        let requested = requested ?? dimensions
        guard (1...dimensions).contains(requested) else {
            throw .dimensions(requested: requested, available: dimensions)
        }
        return requested
    }

    /// Most tokens of a text, with the closing `<|endoftext|>`.
    public var tokenLimit: Int { model.config.contextLength }

    /// The vector of one text. Throws `EmbeddingError` where it has none.
    public func embed(
        _ text: String, as prompt: Prompt = .document, options: EmbeddingOptions = EmbeddingOptions(),
        progress: (@Sendable (Progress) -> Void)? = nil
    ) async throws -> Embedding {
        try await results(for: [text], as: prompt, options: options, progress: progress)[0].get()
    }

    /// The vectors of all texts, in their order.
    ///
    /// Throws `EmbeddingError.text` for the first text that has no vector; `results` gives the others all the same.
    public func embed(
        _ texts: [String], as prompt: Prompt = .document, options: EmbeddingOptions = EmbeddingOptions(),
        progress: (@Sendable (Progress) -> Void)? = nil
    ) async throws -> [Embedding] {
        let results = try await results(for: texts, as: prompt, options: options, progress: progress)
        return try results.enumerated().map { index, result in
            do throws(EmbeddingError) {
                return try result.get()
            } catch {
                throw EmbeddingError.text(index: index, error)
            }
        }
    }

    /// The vector of each text or why it has none, in the order of the texts.
    ///
    /// Throws for what concerns the whole call: dimensions that the model does not have (`EmbeddingError`),
    /// `CancellationError`, or a file that changed underneath (`GGUFError`).
    public func results(
        for texts: [String], as prompt: Prompt = .document, options: EmbeddingOptions = EmbeddingOptions(),
        progress: (@Sendable (Progress) -> Void)? = nil
    ) async throws -> [Result<Embedding, EmbeddingError>] {
        let kept = try dimensions(requested: options.dimensions)
        let adapter = try adapter(of: options, for: prompt, keeping: kept)
        let inputs = texts.map { input(for: prompted($0, as: prompt), options: options) }
        return try await model.results(of: inputs, progress: progress) { _, input, state throws(EmbeddingError) in
            try Embedding(
                hiddenState: state, dimensions: kept, adapter: adapter, tokenCount: input.ids.count,
                isTruncated: input.isTruncated)
        }
    }

    /// The adapter where it changes texts with that prompt; throws what `check` does.
    private func adapter(
        of options: EmbeddingOptions, for prompt: Prompt, keeping kept: Int
    ) throws(EmbeddingError) -> EmbeddingAdapter? {
        guard let adapter = options.adapter, adapter.changes(prompt) else { return nil }
        try check(adapter, keeping: kept)
        return adapter
    }

    /// Throws where an adapter is for longer vectors than this model's, or for shorter ones than are to be kept.
    package func check(_ adapter: EmbeddingAdapter, keeping kept: Int) throws(EmbeddingError) {
        guard adapter.dimensions <= dimensions else {
            throw .dimensions(requested: adapter.dimensions, available: dimensions)
        }
        guard kept <= adapter.dimensions else {
            throw .adapterDimensions(adapter: adapter.dimensions, requested: kept)
        }
    }

    /// The text as this model reads it.
    public func prompted(_ text: String, as prompt: Prompt) -> String {
        switch prompt {
        case .document: prompts.document + text
        case .query(Prompt.defaultTask):
            prompts.query.map { $0 + text } ?? Prompt.query(task: prompts.defaultTask).applied(to: text)
        case .query: prompts.query.map { $0 + text } ?? prompt.applied(to: text)
        }
    }

    /// The ids of a prompted text.
    func input(for text: String, options: EmbeddingOptions) -> Result<ModelInput, EmbeddingError> {
        Result { () throws(EmbeddingError) in
            // To cut a text, no more of it need be read; to refuse one, all of it is counted. With control tokens a
            // text may continue after many <|endoftext|>, which do not count.
            let isCutEarly = options.truncates && !options.parsesSpecialTokens
            let count = isCutEarly ? tokenLimit : .max
            let ids =
                options.parsesSpecialTokens
                ? tokenizer.encode(text, parseSpecial: true, atLeast: count) : ids(ofLetters: text, atLeast: count)
            return try input(for: ids, truncate: options.truncates ? .end : nil)
        }
    }

    /// The ids of a prompted text whose control tokens are letters, without the token that closes it. One `<|endoftext|>` that
    /// is written out at the text's end is that token: llama.cpp had people write it. Everywhere else it is letters.
    package func ids(ofLetters text: String, atLeast count: Int) -> [Int32] {
        guard text.utf8.suffix(Self.writtenEnd.count).elementsEqual(Self.writtenEnd) else {
            return tokenizer.encode(text, atLeast: count)
        }
        return tokenizer.encode(
            String(decoding: text.utf8.dropLast(Self.writtenEnd.count), as: UTF8.self), atLeast: count)
    }

    private static let writtenEnd = Array("<|endoftext|>".utf8)

    /// Which end of a text that is too long is cut off.
    package enum Cut: Sendable {
        case start, end
    }

    /// The given ids closed by exactly one `<|endoftext|>` whatever the file says about adding it: older files do not ask
    /// for it, and a text read with `parsesSpecialTokens` may bring its own. Without `truncate` too many ids are an error;
    /// `limit` is that of the model, or less.
    package func input(for ids: [Int32], truncate: Cut?, limit: Int? = nil) throws(EmbeddingError) -> ModelInput {
        let tokenLimit = limit ?? tokenLimit
        var ids = ids
        while ids.last == endOfText { ids.removeLast() }
        let excess = ids.count - (tokenLimit - 1)
        if excess > 0 {
            switch truncate {
            case .start: ids.removeFirst(excess)
            case .end: ids.removeLast(excess)
            case nil: throw .tooLong(tokenCount: ids.count + 1, limit: tokenLimit)
            }
        }
        ids.append(endOfText)
        return ModelInput(ids: ids, isTruncated: excess > 0)
    }
}
