// From texts to unit vectors: prompt, tokens, exactly one <|endoftext|>, the model, the cut and the length.
public import Q3GGUF
public import Q3Model
public import Q3Tokenizer

/// What to do with the texts of one call.
public struct EmbeddingOptions: Sendable, Equatable {
    /// Values to keep of each vector, 1 to the model's; nil keeps all. The model was trained for 32 and up.
    public var dimensions: Int?
    /// Whether a text longer than the context loses its end; otherwise it is an error.
    public var truncate: Bool
    /// Whether `<|im_end|>` and the like inside a text become control tokens, as Hugging Face does by default.
    /// Leave this off for text that somebody else wrote.
    public var parseSpecial: Bool

    public init(dimensions: Int? = nil, truncate: Bool = false, parseSpecial: Bool = false) {
        self.dimensions = dimensions
        self.truncate = truncate
        self.parseSpecial = parseSpecial
    }
}

/// A Qwen3-Embedding model.
///
///     let embedder = try Embedder(path: "Qwen3-Embedding-0.6B-Q8_0.gguf")
///     let documents = try await embedder.embed(["Beijing is the capital of China."])
///     let queries = try await embedder.embed(["capital of China"], as: .query())
///     print(Similarity.dot(queries[0].vector, documents[0].vector))
///
/// A text's vector is the same to the bit alone, in any batch, in any order and with any number of threads. An empty
/// text is the lone `<|endoftext|>`, as in the reference.
public final class Embedder: Sendable {
    public let model: Qwen3Model
    public let tokenizer: Tokenizer
    /// What the file was made for.
    public let role: ModelRole
    /// Whether queries are dressed with an instruction: q3-mini and others that were trained without take them as they are.
    public let takesInstructions: Bool
    private let endOfText: Int32

    /// Opens a GGUF file.
    ///
    /// Throws `GGUFError`, `TokenizerError` or `ModelError` for a file that cannot be read or is no Qwen3 model, and
    /// `EmbeddingError` for a Qwen3 model that gives no embeddings.
    public convenience init(path: String, options: ModelOptions = ModelOptions()) throws {
        try self.init(file: GGUFFile(path: path), options: options)
    }

    /// Uses a file that is open already.
    public init(file: GGUFFile, options: ModelOptions = ModelOptions()) throws {
        role = try ModelRole(of: file)
        if role.kind == .reranker {
            throw EmbeddingError.rerankerModel(path: file.path, evidence: role.evidence)
        }
        if let pooling = try file.metadata.optionalUInt32("qwen3.pooling_type"), pooling != PoolingType.last {
            throw EmbeddingError.unsupportedPooling(type: pooling, name: PoolingType.names[pooling] ?? "unknown")
        }
        takesInstructions = try Prompt.isUsed(by: file.metadata)
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

    /// Values of a vector when so many are asked for; nil asks for all.
    public func dimensions(requested: Int?) throws(EmbeddingError) -> Int {
        let requested = requested ?? dimensions
        guard (1...dimensions).contains(requested) else {
            throw .dimensions(requested: requested, available: dimensions)
        }
        return requested
    }

    /// Most tokens of a text, with the closing `<|endoftext|>`.
    public var tokenLimit: Int { model.config.contextLength }

    /// The vectors of all texts, in their order.
    ///
    /// Throws `EmbeddingError.text` for the first text that has no vector; `results` gives the others all the same.
    public func embed(
        _ texts: [String], as prompt: Prompt = .document, options: EmbeddingOptions = EmbeddingOptions()
    ) async throws -> [Embedding] {
        try await results(for: texts, as: prompt, options: options).enumerated().map { index, result in
            do throws(EmbeddingError) {
                return try result.get()
            } catch {
                throw EmbeddingError.text(index: index, error)
            }
        }
    }

    /// The vector of each text or why it has none, in the order of the texts.
    ///
    /// `progress` gets the counts of tokens read so far and of all. Throws for what concerns the whole call: dimensions that the
    /// model does not have, `CancellationError`, or a file that changed underneath.
    public func results(
        for texts: [String], as prompt: Prompt = .document, options: EmbeddingOptions = EmbeddingOptions(),
        progress: (@Sendable (_ tokensDone: Int, _ tokenCount: Int) -> Void)? = nil
    ) async throws -> [Result<Embedding, EmbeddingError>] {
        let kept = try dimensions(requested: options.dimensions)
        let inputs = texts.map { input(for: prompted($0, as: prompt), options: options) }
        let lists = inputs.compactMap { try? $0.get().ids }
        let tokenCount = lists.reduce(0) { $0 + $1.count }
        var states = try await model.lastHiddenStates(of: lists) { progress?($0, tokenCount) }
        precondition(states.count == lists.count, "one hidden state per text")
        // One text's NaN reaches others through the rows that they share; alone, each keeps what is its own.
        for index in lists.indices where lists.count > 1 && !states[index].allSatisfy(\.isFinite) {
            states[index] = try await model.lastHiddenStates(of: [lists[index]])[0]
        }
        var next = states.startIndex
        return inputs.map { result in
            Result { () throws(EmbeddingError) in
                let input = try result.get()
                defer { next += 1 }
                return try Embedding(
                    hiddenState: states[next], dimensions: kept, tokenCount: input.ids.count,
                    truncated: input.truncated)
            }
        }
    }

    /// The text as this model reads it.
    public func prompted(_ text: String, as prompt: Prompt) -> String {
        takesInstructions ? prompt.applied(to: text) : text
    }

    package struct Input: Sendable {
        package let ids: [Int32]
        package let truncated: Bool
    }

    /// The ids of a prompted text.
    func input(for text: String, options: EmbeddingOptions) -> Result<Input, EmbeddingError> {
        Result { () throws(EmbeddingError) in
            // To cut a text, no more of it need be read; to refuse one, all of it is counted. With control tokens a text may
            // go on behind many <|endoftext|>, which do not count.
            let isCutEarly = options.truncate && !options.parseSpecial
            let ids = tokenizer.encode(
                text, parseSpecial: options.parseSpecial, atLeast: isCutEarly ? tokenLimit : .max)
            return try input(for: ids, truncate: options.truncate ? .end : nil)
        }
    }

    /// Which end of a text that is too long is lost.
    package enum Cut: Sendable {
        case start, end
    }

    /// The given ids closed by exactly one `<|endoftext|>` whatever the file says about adding it: older files do not ask
    /// for it, and a text read with `parseSpecial` may bring its own. Without `truncate` too many ids are an error.
    package func input(for ids: [Int32], truncate: Cut?) throws(EmbeddingError) -> Input {
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
        return Input(ids: ids, truncated: excess > 0)
    }
}
