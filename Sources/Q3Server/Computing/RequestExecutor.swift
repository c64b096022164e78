// The threads on which requests are read, tokenized and answered.
#if Server
import NIOCore
import NIOPosix

/// Keeps long bodies and answers off Swift's own threads, on which the server watches connections, deadlines and
/// probes.
///
/// Tasks take turns wherever they suspend, in the order in which they are ready.
final class RequestExecutor: TaskExecutor {
    static let shared = RequestExecutor(threadCount: NIOSingletons.blockingPoolThreadCountSuggestion)

    private let pool: NIOThreadPool

    private init(threadCount: Int) {
        pool = NIOThreadPool(numberOfThreads: threadCount)
        pool.start()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        pool.submit { [self] _ in unsafe job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
}
#endif
