// The model as its users see it: token lists in, final hidden states out.

public import Q3GGUF
package import Q3Kernels
import Q3System
import Synchronization

/// How a model computes. Results have the same bits whatever the options are, except for `precision`.
public struct ModelOptions: Sendable {
    /// The max number of threads.
    public static let threadLimit = Team.threadLimit

    /// How activations are rounded before they meet the weights.
    public var precision = Precision.auto
    /// What a file was made for whose metadata does not say; nil goes by its names. A file that says otherwise, by a
    /// pooling type or a classifier, is still refused.
    public var role: ModelRole.Kind?
    /// Threads of the team; nil takes one per processor.
    public var threads: Int?
    /// Max distinct tokens that one pass computes together; a longer text is a pass of its own.
    public var batchTokens = 4096
    /// Whether texts of one batch with a common prefix share its computation. Results have the same bits either way.
    public var sharesPrefixes = true
    /// Max bytes of keys and values to keep between calls for prefixes that come back; 0, the default, keeps none.
    /// A 0.6B model takes 224 KiB for a token, the 4B and 8B 288 KiB. Results have the same bits either way.
    public var prefixCacheBytes = 0
    /// Max bytes of weights to keep packed between passes; 0, the default, keeps none. Texts of few tokens cost mostly reading and
    /// packing the weights, which every pass does again; kept, they take memory as passes use them, beside the mapped file.
    /// `Qwen3Model.packedWeightBytes` says how much all of them take. Results have the same bits either way.
    public var packedWeightBytes = 0

    /// The defaults: `auto`, a thread for each processor, no cache.
    public init() {}
}

/// A Qwen3 checkpoint ready to run.
///
/// A text's hidden state has the same bits alone, in any batch, in any order, with any number of threads and with
/// prefix sharing on or off.
public final class Qwen3Model: Sendable {
    /// The file that the weights are read from.
    public let file: GGUFFile
    /// Sizes and constants.
    public let config: Qwen3Config
    /// What the model was opened with.
    public let options: ModelOptions
    private let layerByteCount: Int
    private let keptByteCount: Int
    private let executor: Confined<Executor>
    private let cacheUse = Mutex(PrefixCacheUse())

    /// Checks the file against what the architecture needs; no weight but the norms is read.
    /// Throws `GGUFError` or `ModelError`.
    public convenience init(file: GGUFFile, options: ModelOptions = ModelOptions()) throws {
        try self.init(file: file, options: options, isa: .best)
    }

    /// With a chosen instruction set, for comparisons.
    package init(file: GGUFFile, options: ModelOptions, isa: ISA) throws {
        let threads = options.threads ?? min(processorCount, ModelOptions.threadLimit)
        guard 1...ModelOptions.threadLimit ~= threads else { throw ModelError.badThreadCount(threads) }
        _ = try InferenceThread.shared()
        let startable = Team.startableThreads(threads)  // besides the inference thread, which the team counts too
        guard startable == threads else { throw ModelError.cannotStartThreads(expected: threads, got: startable) }
        config = try Qwen3Config(file: file)
        var weights = try Qwen3Weights(file: file, config: config, precision: options.precision)
        try weights.keepPanels(limit: options.packedWeightBytes)
        self.file = file
        self.options = options
        layerByteCount = weights.layerByteCount
        keptByteCount = weights.keptByteCount
        executor = Confined(
            Executor(
                config: config, weights: weights, isa: isa, threads: threads, cacheByteLimit: options.prefixCacheBytes))
    }

    /// The hidden state of each list's last token after the final norm, in input order; every row has `hiddenSize`
    /// values.
    ///
    /// Lists are sorted, batched and prefix-shared inside. `progress` gets the tokens finished so far.
    /// A list whose state holds a NaN or an infinity does not change the others.
    /// Throws `CancellationError` between blocks of tokens when the task is cancelled, `ModelError` for an empty list,
    /// an id outside the vocabulary or a list longer than the context, `GGUFError.changed` when the file was written
    /// during the call.
    public func lastHiddenStates(
        of lists: [[Int32]], progress: (@Sendable (Progress) -> Void)? = nil
    ) async throws -> [[Float]] {
        try await lastHiddenStates(of: lists, isUrgent: false, progress: progress)
    }

    /// Urgent lists do not wait for the end of a pass that is running: it stops for them between two blocks of tokens.
    package func lastHiddenStates(
        of lists: [[Int32]], isUrgent: Bool, progress: (@Sendable (Progress) -> Void)?
    ) async throws -> [[Float]] {
        try check(lists)
        var states = [[Float]](repeating: [], count: lists.count)
        let sharing = options.sharesPrefixes
        var progressed = Progress(completed: 0, total: lists.reduce(0) { $0 + $1.count })
        for group in MicroBatches(lists, tokenLimit: options.batchTokens, sharing: sharing).groups {
            let batch = group.map { lists[$0] }
            let (before, size) = (progressed, batch.reduce(0) { $0 + $1.count })
            let rows = try await run(batch, sharing: sharing, isUrgent: isUrgent) { fraction in
                progress?(Progress(completed: before.completed + Int(fraction * Double(size)), total: before.total))
            }
            for (index, row) in zip(group, rows) { states[index] = row }
            progressed.completed += size
            progress?(progressed)
        }
        // One list's NaN reaches others through the rows that they share; alone, each keeps only its own.
        for index in lists.indices where lists.count > 1 && !states[index].allSatisfy(\.isFinite) {
            states[index] = try await run([lists[index]], sharing: sharing, isUrgent: isUrgent) { _ in }[0]
        }
        return states
    }

    /// The residual stream of every token of each list after the first `layerCount` layers, fewer than the model has:
    /// what the layers above are trained on.
    ///
    /// `body` is called on the inference thread with the number of a list and its rows [tokens, hiddenSize], in any
    /// order. Throws what `lastHiddenStates` and `body` throw.
    package func trunkStates(
        of lists: [[Int32]], layerCount: Int, progress: (@Sendable (Progress) -> Void)? = nil,
        _ body: @escaping @Sendable (_ index: Int, _ rows: [Float]) throws -> Void
    ) async throws {
        try check(lists)
        var progressed = Progress(completed: 0, total: lists.reduce(0) { $0 + $1.count })
        for group in MicroBatches(lists, tokenLimit: options.batchTokens, sharing: true).groups {
            try Task.checkCancellation()
            let batch = group.map { lists[$0] }
            let (before, size) = (progressed, batch.reduce(0) { $0 + $1.count })
            try await InferenceThread.shared().run { [self] in
                try file.checkUnchanged()
                try executor.value.runTrunk(batch, layerCount: layerCount) { layersDone in
                    let part = layersDone / Double(max(1, layerCount))
                    progress?(
                        Progress(completed: before.completed + Int(part * Double(size)), total: before.total))
                } body: {
                    try body(group[$0], $1)
                }
                try file.checkUnchanged()
            }
            progressed.completed += size
            progress?(progressed)
        }
    }

    /// One micro-batch on the inference thread.
    private func run(
        _ batch: [[Int32]], sharing: Bool, isUrgent: Bool, progress: @escaping @Sendable (Double) -> Void
    ) async throws -> [[Float]] {
        let cancelled = Flag()
        return try await withTaskCancellationHandler {
            let thread = try InferenceThread.shared()
            return try await thread.run(isUrgent: isUrgent) { [self] in
                try file.checkUnchanged()
                let layerCount = Double(config.layerCount)
                defer { cacheUse.withLock { $0 = executor.value.cacheUse } }
                let states = try executor.value.run(batch, sharing: sharing) { layersDone in
                    if cancelled.isSet { throw CancellationError() }
                    if !isUrgent { thread.letUrgentJobsPass() }
                    progress(layersDone / layerCount)
                }
                try file.checkUnchanged()  // changed while the pass ran: its vectors may be wrong
                return states
            }
        } onCancel: {
            cancelled.set()
        }
    }

    private func check(_ lists: [[Int32]]) throws {
        for (index, list) in lists.enumerated() {
            if list.isEmpty { throw ModelError.emptyInput(index: index) }
            if list.count > config.contextLength {
                throw ModelError.inputTooLong(index: index, tokenCount: list.count, limit: config.contextLength)
            }
            if let token = list.first(where: { !(0..<config.vocabularySize ~= Int($0)) }) {
                throw ModelError.tokenOutOfRange(index: index, token: token, vocabularySize: config.vocabularySize)
            }
        }
    }

    /// Prefix cache statistics as of the last pass that ended.
    public var prefixCacheUse: PrefixCacheUse { cacheUse.withLock { $0 } }

    /// One row of a weight matrix as f32, [hiddenSize]: `token_embd.weight`, `output.weight` or `cls.output.weight`.
    /// Nil without such a tensor. Throws `ModelError` when it has another shape or type, or no such row.
    public func dequantizedRow(_ row: Int, of tensorName: String) throws -> [Float]? {
        guard let tensor = file.tensor(named: tensorName) else { return nil }
        let isRow = tensor.shape.count == 1 && tensorName == Qwen3Schema.Tensor(.classifier).name  // one logit
        guard tensor.shape.count == 2 || isRow, tensor.shape[0] == config.hiddenSize, 0..<tensor.rowCount ~= row,
            row <= Int32.max
        else {
            throw ModelError.badShape(
                tensor: tensorName, got: tensor.shape, expected: [config.hiddenSize, max(row &+ 1, tensor.rowCount)])
        }
        return try Matrix(tensor, in: file, families: Precision.exact.families).dequantizedRow(row)
    }

    /// Bytes of all weights of a file as `precision` packs them: what `ModelOptions.packedWeightBytes` must be to keep them
    /// all. Throws like `init`.
    public static func packedWeightBytes(of file: GGUFFile, precision: Precision) throws -> Int {
        try Qwen3Weights(file: file, config: Qwen3Config(file: file), precision: precision).packedByteCount
    }

    /// What a pass over one text of `tokenCount` tokens takes.
    public func memoryPlan(tokenCount: Int) -> MemoryPlan {
        let rows = max(1, tokenCount)
        let plan = executor.value.plan(rows: rows, keyRows: rows, pooledRows: 1)
        let rotationBytes = Executor.rotatedPositions(for: rows) * config.headDim * MemoryLayout<Float>.stride
        let table = file.tensor(named: Qwen3Schema.Tensor(.tokenEmbedding).name)
        let embeddingRows = (table?.rowByteCount ?? 0) * min(rows, config.vocabularySize)
        return MemoryPlan(
            tokenCount: rows, weightBytes: layerByteCount + embeddingRows, packedWeightBytes: keptByteCount,
            residualBytes: plan.residualByteCount,
            keyValueBytes: plan.keyValueByteCount,
            scratchBytes: plan.byteCount - plan.residualByteCount - plan.keyValueByteCount + rotationBytes)
    }

    /// Runs `lists` as one batch and returns what `body` makes of every node of every layer and block, in order.
    package func trace<Value: Sendable>(
        _ lists: [[Int32]], _ body: @escaping @Sendable (NodeTrace) -> Value
    ) async throws -> [Value] {
        try check(lists)
        let sorted = lists.sorted { $0.lexicographicallyPrecedes($1) }
        return try await InferenceThread.shared().run { [self] in
            var values: [Value] = []
            _ = try executor.value.run(
                sorted, sharing: options.sharesPrefixes, trace: { values.append(body($0)) }, checkpoint: { _ in })
            return values
        }
    }
}

/// A value that only the inference thread changes; planning reads what never changes.
@safe private struct Confined<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}

/// A switch that is set once.
private final class Flag: Sendable {
    private let value = Atomic(false)
    var isSet: Bool { value.load(ordering: .relaxed) }
    func set() { value.store(true, ordering: .relaxed) }
}
