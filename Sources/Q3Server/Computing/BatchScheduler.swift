// Requests in, batches through the model, results back to those who still wait.
#if Server
import Q3Model
import Synchronization

/// What a request got and how long it took.
struct ComputedStates: Sendable {
    /// The hidden state of each list's last token, in the order of the lists.
    var states: [[Float]]
    /// From the request's arrival to its first batch.
    var queued: Duration
    /// From there to its last.
    var computed: Duration
}

/// Puts the token lists of all requests into batches of bounded size: one batch at a time, and a
/// small one between the blocks of a long text.
///
/// Batching changes only the waiting: a list's state has the same bits in any batch.
actor BatchScheduler {
    struct Limits: Sendable {
        var batchTokens: Int
        var queuedTokens: Int
    }

    /// A batch has about as many tokens as take this long, since a new request waits for the running batch.
    private static let batchSeconds = 1.0
    /// Smaller batches would compute noticeably slower.
    private static let leastBatchTokens = 256

    private struct Job {
        let id: UInt64
        let model: Qwen3Model
        var pending: PendingLists
        /// Position of each list in the request.
        let order: [Int]
        var states: [[Float]]
        var missing: Int
        let arrival: ContinuousClock.Instant
        let deadline: ContinuousClock.Instant
        var firstBatch: ContinuousClock.Instant?
        let continuation: CheckedContinuation<ComputedStates, any Error>
    }

    private struct Part {
        let job: UInt64
        let indices: [Int]
        let tokenCount: Int
    }

    private enum Lane: CaseIterable {
        case main, express
    }

    private struct Batch {
        let parts: [Part]
        let lists: [[Int32]]
        let task: Task<Void, Never>
        let layersDone: Progress
        var abandonedTokens = 0
        var tokenCount: Int { parts.reduce(0) { $0 + $1.tokenCount } }
    }

    private final class Progress: Sendable {
        private let fraction = Mutex(0.0)
        var value: Double { fraction.withLock { $0 } }
        func set(_ value: Double) { fraction.withLock { $0 = value } }
    }

    private let limits: Limits
    private let metrics: ServerMetrics
    private var jobs: [Job] = []
    /// The batch that is computed, and the small one that may run in the middle of it when it is one long text.
    private var running: [Lane: Batch] = [:]
    private var isWatching = false
    private var nextID: UInt64 = 0
    /// Tokens per second of the last batches.
    private var rate: Double?

    init(limits: Limits, metrics: ServerMetrics) {
        self.limits = limits
        self.metrics = metrics
    }

    /// The final hidden states of the lists' last tokens.
    ///
    /// Throws `APIError.overloaded` when too much waits already, `APIError.deadline` when the deadline passes first, and
    /// `CancellationError` when the task is cancelled; both stop computing what no other request needs.
    func states(
        of lists: [[Int32]], model: Qwen3Model, deadline: ContinuousClock.Instant
    ) async throws -> ComputedStates {
        guard !lists.isEmpty else { return ComputedStates(states: [], queued: .zero, computed: .zero) }
        try admit(lists)
        guard deadline > .now else { throw Self.late }
        nextID += 1
        let id = nextID
        watchDeadlines()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let order = lists.indices.sorted { lists[$0].lexicographicallyPrecedes(lists[$1]) }
                jobs.append(
                    Job(
                        id: id, model: model, pending: PendingLists(order.map { lists[$0] }), order: order,
                        states: Array(repeating: [], count: lists.count), missing: lists.count, arrival: .now,
                        deadline: deadline,
                        continuation: continuation))
                startBatch()
            }
        } onCancel: {
            Task { await self.remove(id, throwing: CancellationError()) }
        }
    }

    var waitingRequests: Int { jobs.count }

    /// Batches in the model: one, and a second beside a long text.
    var runningBatches: Int { running.count }

    private func admit(_ lists: [[Int32]]) throws(APIError) {
        let waiting = jobs.reduce(0) { $0 + $1.pending.tokenCount }
        let arriving = lists.reduce(0) { $0 + $1.count }
        guard !jobs.isEmpty, waiting + arriving > limits.queuedTokens else { return }
        let seconds = Double(waiting) / max(rate ?? 100, 1)
        throw APIError(
            .overloaded(retryAfter: Int(min(max(seconds.rounded(.up), 1), 60))),
            "Model is overloaded: \(waiting) tokens wait already; come back later")
    }

    /// Ends a request early. A batch that runs for it goes on only if finishing it is cheaper than computing the
    /// other lists again.
    private func remove(_ id: UInt64, throwing error: any Error) {
        guard let index = jobs.firstIndex(where: { $0.id == id }) else { return }
        let job = jobs.remove(at: index)
        job.continuation.resume(throwing: error)
        metrics.cancelled()
        measureQueue()
        for (lane, batch) in running {
            let abandoned = batch.parts.filter { $0.job == id }.reduce(0) { $0 + $1.tokenCount }
            running[lane]?.abandonedTokens += abandoned
            let share = Double(batch.abandonedTokens + abandoned) / Double(max(1, batch.tokenCount))
            if abandoned > 0, share > batch.layersDone.value { batch.task.cancel() }
        }
    }

    private static let late = APIError(.deadline, "the request was not computed within its time limit")

    /// Looks for passed deadlines as long as requests wait. A sleep for each request would outlast it: cancelling one does
    /// not remove it from the system's queue.
    private func watchDeadlines() {
        guard !isWatching else { return }
        isWatching = true
        Task {
            repeat {
                try? await Task.sleep(for: .milliseconds(100))
                let now = ContinuousClock.now
                for job in jobs where job.deadline <= now { remove(job.id, throwing: Self.late) }
            } while !jobs.isEmpty
            isWatching = false
        }
    }

    private func startBatch() {
        measureQueue()
        if running[.main] == nil { startBatch(in: .main) }
        // A long text cannot be split; requests that arrive while it runs are computed between its blocks.
        if let main = running[.main], main.lists.count == 1, main.tokenCount > batchTokens, running[.express] == nil {
            startBatch(in: .express)
        }
    }

    private func startBatch(in lane: Lane) {
        guard let model = jobs.first(where: { !$0.pending.waiting.isEmpty })?.model else { return }
        let chosen = jobs.indices.filter { jobs[$0].model === model }
        var pending = chosen.map { jobs[$0].pending }
        let picked = BatchPlan.pick(from: &pending, tokenLimit: batchTokens, takesLong: lane == .main)
        var parts: [Part] = []
        var lists: [[Int32]] = []
        for (place, index) in chosen.enumerated() where !picked[place].indices.isEmpty {
            jobs[index].pending = pending[place]
            jobs[index].firstBatch = jobs[index].firstBatch ?? .now
            parts.append(
                Part(job: jobs[index].id, indices: picked[place].indices, tokenCount: picked[place].tokenCount))
            lists += picked[place].indices.map { pending[place].lists[$0] }
        }
        guard !parts.isEmpty else { return }
        // Requests that still have lists waiting go after the others.
        let unfinished = Set(parts.map(\.job))
        jobs = jobs.filter { !unfinished.contains($0.id) } + jobs.filter { unfinished.contains($0.id) }
        let progress = Progress()
        let tokenCount = parts.reduce(0) { $0 + $1.tokenCount }
        metrics.batch(size: lists.count, tokens: tokenCount)
        let work = lists
        let task = Task.detached(priority: .high) {
            let start = ContinuousClock.now
            let result: Result<[[Float]], any Error>
            do {
                result = .success(
                    try await model.lastHiddenStates(of: work, isUrgent: lane == .express) {
                        progress.set($0.fraction)
                    })
            } catch {
                result = .failure(error)
            }
            await self.finish(lane, result, seconds: (ContinuousClock.now - start) / .seconds(1))
        }
        running[lane] = Batch(parts: parts, lists: lists, task: task, layersDone: progress)
    }

    private func finish(_ lane: Lane, _ result: Result<[[Float]], any Error>, seconds: Double) {
        guard let done = running.removeValue(forKey: lane) else { return }
        switch result {
        case .success(let states):
            if lane == .main { measure(tokens: done.tokenCount, seconds: seconds) }
            var next = 0
            for part in done.parts {
                let rows = states[next..<next + part.indices.count]
                next += part.indices.count
                deliver(rows, to: part)
            }
        case .failure(is CancellationError):
            for part in done.parts.reversed() {
                guard let index = jobs.firstIndex(where: { $0.id == part.job }) else { continue }
                jobs[index].pending.putBack(part.indices)
                jobs.insert(jobs.remove(at: index), at: 0)
            }
        case .failure(let error):
            for part in done.parts { fail(part.job, error) }
        }
        startBatch()
    }

    private func deliver(_ rows: ArraySlice<[Float]>, to part: Part) {
        guard let index = jobs.firstIndex(where: { $0.id == part.job }) else { return }
        for (list, row) in zip(part.indices, rows) { jobs[index].states[jobs[index].order[list]] = row }
        jobs[index].missing -= part.indices.count
        guard jobs[index].missing == 0 else { return }
        let job = jobs.remove(at: index)
        let now = ContinuousClock.now
        let start = job.firstBatch ?? now
        job.continuation.resume(
            returning: ComputedStates(states: job.states, queued: start - job.arrival, computed: now - start))
    }

    private func fail(_ id: UInt64, _ error: any Error) {
        guard let index = jobs.firstIndex(where: { $0.id == id }) else { return }
        jobs.remove(at: index).continuation.resume(throwing: error)
    }

    private var batchTokens: Int {
        let timely = Int((rate ?? 512) * Self.batchSeconds)
        return min(limits.batchTokens, max(Self.leastBatchTokens, timely))
    }

    private func measure(tokens: Int, seconds: Double) {
        guard seconds > 0 else { return }
        let latest = Double(tokens) / seconds
        rate = rate.map { 0.8 * $0 + 0.2 * latest } ?? latest
        metrics.computed(tokens: tokens, seconds: seconds)
    }

    private func measureQueue() {
        metrics.queue(requests: jobs.count, tokens: jobs.reduce(0) { $0 + $1.pending.tokenCount })
    }
}
#endif
