// From a query and documents to scores: prompt, model, the two rows of the head.
public import Q3GGUF
public import Q3Model
public import Q3Tokenizer

/// What to do with the pairs of one call.
public struct RerankOptions: Sendable, Equatable {
    /// The prompt around query and document.
    public var style: PromptStyle
    /// What counts as relevant, in a sentence; nil takes the style's default.
    public var instruction: String?
    /// Whether a document too long for the context loses its end; otherwise it is an error.
    public var truncates: Bool

    /// Options; each has a default.
    public init(style: PromptStyle = .model, instruction: String? = nil, truncates: Bool = false) {
        self.style = style
        self.instruction = instruction
        self.truncates = truncates
    }
}

/// A document to score for a query.
public struct RerankPair: Sendable, Equatable {
    /// What is looked for.
    public var query: String
    /// What may answer it.
    public var document: String
    /// This pair's own instruction; nil takes the call's.
    public var instruction: String?

    /// A pair, with an instruction of its own if there is one.
    public init(query: String, document: String, instruction: String? = nil) {
        self.query = query
        self.document = document
        self.instruction = instruction
    }
}

/// How well one document answers its query.
public struct RerankScore: Sendable, Equatable {
    /// Position of the document in the list that was given.
    public let index: Int
    /// Probability of yes against no, 0...1. Saturates near both ends; `margin` does not.
    public let score: Float
    /// Logit of yes minus logit of no, or the one logit of a model that has only that.
    public let margin: Float
    /// Tokens of the whole prompt.
    public let tokenCount: Int
    /// Whether the end of the document was cut off to fit the context.
    public let isTruncated: Bool

    /// The score with `count` added to its index.
    func moved(by count: Int) -> RerankScore {
        RerankScore(
            index: index + count, score: score, margin: margin, tokenCount: tokenCount, isTruncated: isTruncated)
    }
}

/// A Qwen3-Reranker model, from any of the three kinds of file: converted with a classifier, or a causal language model
/// with or without an output matrix of its own.
///
///     let reranker = try Reranker(path: "qwen3-reranker-0.6b-q8_0.gguf")
///     let scores = try await reranker.rerank("capital of China", documents: ["Beijing.", "Bread and salt."])
///     print(scores[0].index, scores[0].score)
///
/// Texts cannot change the prompt: whatever looks like a control token in them is read as plain letters.
public final class Reranker: Sendable {
    /// The checkpoint that computes.
    public let model: Qwen3Model
    /// The vocabulary of the file.
    public let tokenizer: Tokenizer
    /// Where the answer is read from.
    public var headSource: RerankHeadSource { head.source }
    private let head: RerankHead
    /// What the file was made for.
    public let role: ModelRole
    private let modelPrompt: Result<RerankPrompt, RerankError>
    private let cardPrompt: RerankPrompt
    private let evalPrompt: RerankPrompt

    /// Opens a GGUF file.
    ///
    /// Throws `GGUFError`, `TokenizerError` or `ModelError` for a file that cannot be read or is not a Qwen3 model, and
    /// `RerankError` for a Qwen3 model that gives no scores.
    public convenience init(path: String, options: ModelOptions = ModelOptions()) throws {
        try self.init(file: GGUFFile(path: path), options: options)
    }

    /// Uses a file that is open already.
    public init(file: GGUFFile, options: ModelOptions = ModelOptions()) throws {
        role = try ModelRole(of: file, asked: options.role)
        if role.kind == .embedding {
            throw RerankError.embeddingModel(path: file.path, evidence: role.evidence)
        }
        let tokenizer = try Tokenizer(metadata: file.metadata)
        self.tokenizer = tokenizer
        cardPrompt = try RerankPrompt(style: .card, tokenizer: tokenizer)
        evalPrompt = try RerankPrompt(style: .eval, tokenizer: tokenizer)
        let card = cardPrompt
        modelPrompt =
            try Self.ownTemplate(of: file)?.flatMap { template in
                Result { () throws(RerankError) in
                    try RerankPrompt(
                        template, defaultInstruction: PromptStyle.model.defaultInstruction, tokenizer: tokenizer)
                }
            } ?? .success(card)
        model = try Qwen3Model(file: file, options: options)
        guard tokenizer.vocabularySize <= model.config.vocabularySize else {
            throw RerankError.vocabulary(
                tokenCount: tokenizer.vocabularySize, embeddingCount: model.config.vocabularySize)
        }
        head = try RerankHead(model: model, tokenizer: tokenizer)
    }

    /// The prompt that a file carries, or why it cannot be used; nil where it carries none.
    package static func ownTemplate(of file: GGUFFile) throws(GGUFError) -> Result<RerankTemplate, RerankError>? {
        try file.metadata.optionalString(Qwen3Schema.Key.rerankTemplate).map { text in
            Result { () throws(RerankError) in try RerankTemplate(text) }
        }
    }

    /// Most tokens of a whole prompt.
    public var tokenLimit: Int { model.config.contextLength }

    /// Scores of all documents for one query, best first; equal scores keep the order of the documents.
    ///
    /// Throws `RerankError.pair` for the first document that has no score; `results` gives the others all the same.
    public func rerank(
        _ query: String, documents: [String], options: RerankOptions = RerankOptions(),
        progress: (@Sendable (Progress) -> Void)? = nil
    ) async throws -> [RerankScore] {
        let pairs = documents.map { RerankPair(query: query, document: $0) }
        return try await score(pairs, options: options, progress: progress).sorted { $0.margin > $1.margin }
    }

    /// Scores of all pairs, in their order.
    ///
    /// Throws `RerankError.pair` for the first pair that has no score; `results` gives the others all the same.
    public func score(
        _ pairs: [RerankPair], options: RerankOptions = RerankOptions(),
        progress: (@Sendable (Progress) -> Void)? = nil
    ) async throws -> [RerankScore] {
        try await results(for: pairs, options: options, progress: progress).enumerated().map { index, result in
            do throws(RerankError) {
                return try result.get()
            } catch {
                throw RerankError.pair(index: index, error)
            }
        }
    }

    /// The score of each pair or why it has none, in the order of the pairs.
    ///
    /// Throws for what concerns the whole call: `CancellationError`, or a file that changed underneath (`GGUFError`).
    public func results(
        for pairs: [RerankPair], options: RerankOptions = RerankOptions(),
        progress: (@Sendable (Progress) -> Void)? = nil
    ) async throws -> [Result<RerankScore, RerankError>] {
        let inputs = pairs.map { pair in
            Result { () throws(RerankError) in try input(for: pair, options: options) }
        }
        return try await model.results(of: inputs, progress: progress) { index, input, state throws(RerankError) in
            try score(of: state, for: input, index: index)
        }
    }

    /// The ids that the model reads for a pair.
    public func tokenIDs(for pair: RerankPair, options: RerankOptions = RerankOptions()) throws(RerankError) -> [Int32]
    {
        try input(for: pair, options: options).ids
    }

    /// What the head reads from the hidden state of a prompt's last token.
    package func score(
        of hiddenState: [Float], for input: ModelInput, index: Int
    ) throws(RerankError) -> RerankScore {
        let margin = try head.margin(hiddenState)
        return RerankScore(
            index: index, score: probability(ofMargin: margin), margin: margin, tokenCount: input.ids.count,
            isTruncated: input.isTruncated)
    }

    /// What a hidden state is multiplied with for the margin: the row for yes less the row for no [hiddenSize].
    package var headDifference: [Double] { zip(head.yes, head.no).map { Double($0) - Double($1) } }

    /// The prompt of a pair, of at most `limit` tokens where the model takes more.
    package func input(
        for pair: RerankPair, options: RerankOptions, limit: Int? = nil
    ) throws(RerankError) -> ModelInput {
        let prompt =
            switch options.style {
            case .model: try modelPrompt.get()
            case .card: cardPrompt
            case .eval: evalPrompt
            }
        var pair = pair
        pair.instruction = pair.instruction ?? options.instruction
        return try prompt.input(
            for: pair, tokenizer: tokenizer, limit: min(limit ?? .max, tokenLimit), truncates: options.truncates)
    }
}
