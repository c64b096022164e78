// The contract that the heads are written against; bodies follow.
public import Q3GGUF

/// The sizes and constants of one Qwen3 checkpoint, read from the file's metadata.
public struct Qwen3Config: Sendable, Equatable {
    public let layerCount: Int
    public let hiddenSize: Int
    public let heads: Int
    public let kvHeads: Int
    public let headDim: Int
    public let ffnSize: Int
    /// Rows of `token_embd.weight`.
    public let vocabularySize: Int
    /// Positions the checkpoint was made for, in tokens.
    public let contextLength: Int
    public let ropeTheta: Float
    public let rmsNormEpsilon: Float
}

public enum Precision: String, Sendable, CaseIterable { case fast, exact }

public struct ModelOptions: Sendable {
    public var precision: Precision = .fast
    /// Threads of the team; nil takes one per core.
    public var threads: Int? = nil
    /// Most distinct tokens that one pass computes together.
    public var batchTokens: Int = 4096
    /// Whether texts of one batch that begin alike share that work.
    public var sharesPrefixes: Bool = true
    public init() {}
}

/// Bytes that a pass over a given number of tokens needs, announced before it runs.
public struct MemoryPlan: Sendable {
    public let tokenCount: Int
    /// Bytes of the file that a pass touches (mapped, shared with other processes).
    public let weightBytes: Int
    public let residualBytes: Int
    public let keyValueBytes: Int
    public let scratchBytes: Int
    public var totalBytes: Int { weightBytes + residualBytes + keyValueBytes + scratchBytes }
}

/// A Qwen3 checkpoint ready to run.
public final class Qwen3Model: Sendable {
    public let file: GGUFFile
    public let config: Qwen3Config
    public let options: ModelOptions

    public init(file: GGUFFile, options: ModelOptions = ModelOptions()) throws {
        fatalError("not written yet")
    }

    /// The hidden state of each list's last token after the final norm, in input order; every row has `hiddenSize` values.
    ///
    /// Lists are batched, sorted and prefix-shared inside. `progress` gets the count of input tokens finished so far.
    /// Throws `CancellationError` between layers when the task is cancelled, `ModelError` for an id outside the
    /// vocabulary, an empty list or a list longer than the context.
    public func lastHiddenStates(
        of tokenLists: [[Int32]], progress: (@Sendable (_ tokensDone: Int) -> Void)? = nil
    ) async throws -> [[Float]] {
        fatalError("not written yet")
    }

    /// One row of a weight matrix as f32 (`token_embd.weight`, `output.weight`, `cls.output.weight`), [hiddenSize]; nil without such a tensor.
    public func dequantizedRow(_ row: Int, of tensorName: String) throws -> [Float]? { fatalError("not written yet") }

    /// What a pass over one text of `tokenCount` tokens takes.
    public func memoryPlan(tokenCount: Int) -> MemoryPlan { fatalError("not written yet") }
}
