// The one thread that enters the team.

import Q3System
import Synchronization

/// Runs jobs one after another on a thread of its own, first come, first served.
///
/// libomp keeps a separate team for every thread that enters a parallel region and never frees it, so all computing of
/// the process goes through here; it also keeps long jobs off Swift's cooperative pool.
@safe package final class InferenceThread: @unchecked Sendable {
    private static let one = Mutex<InferenceThread?>(nil)

    /// The thread of the process, started when it is first needed. Throws `cannotStartThreads`.
    package static func shared() throws(ModelError) -> InferenceThread {
        try one.withLock { thread throws(ModelError) in
            if let thread { return thread }
            let started = try InferenceThread()
            thread = started
            return started
        }
    }

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let filled = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var jobs: [@Sendable () -> Void] = []
    /// Short jobs that need not wait for the end of a long one.
    private var urgentJobs: [@Sendable () -> Void] = []
    /// Whether a long job has stopped for urgent ones. Belongs to the thread.
    private var isInterrupted = false

    private init() throws(ModelError) {
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(filled, nil)
        #if canImport(Darwin)
        var thread: pthread_t?
        #else
        var thread = pthread_t()
        #endif
        let created = unsafe pthread_create(
            &thread, nil,
            { context in
                #if canImport(Darwin)
                let context: UnsafeMutableRawPointer? = unsafe context
                #endif
                unsafe Unmanaged<InferenceThread>.fromOpaque(context!).takeUnretainedValue().work()
            }, Unmanaged.passUnretained(self).toOpaque())
        guard created == 0 else { throw .cannotStartThreads(expected: 1, got: 0) }
    }

    private func work() -> Never {
        while true {
            unsafe pthread_mutex_lock(mutex)
            while jobs.isEmpty && urgentJobs.isEmpty { unsafe pthread_cond_wait(filled, mutex) }
            let job = urgentJobs.isEmpty ? jobs.removeFirst() : urgentJobs.removeFirst()
            unsafe pthread_mutex_unlock(mutex)
            job()
        }
    }

    /// Runs the urgent jobs that wait, in the middle of another one, which calls this on the thread where it can be
    /// stopped.
    func letUrgentJobsPass() {
        guard !isInterrupted else { return }
        isInterrupted = true
        defer { isInterrupted = false }
        while let job = nextUrgentJob() { job() }
    }

    /// Whether an urgent job waits.
    var hasUrgentJobs: Bool {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return !urgentJobs.isEmpty
    }

    private func nextUrgentJob() -> (@Sendable () -> Void)? {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return urgentJobs.isEmpty ? nil : urgentJobs.removeFirst()
    }

    /// Runs `job` on the thread and returns what it returns or throws. Urgent jobs come before all others, and in the
    /// middle of those that let them pass.
    package func run<Result: Sendable>(
        isUrgent: Bool = false, _ job: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            submit(isUrgent: isUrgent) { continuation.resume(with: Swift.Result { try job() }) }
        }
    }

    private func submit(isUrgent: Bool, _ job: @escaping @Sendable () -> Void) {
        unsafe pthread_mutex_lock(mutex)
        if isUrgent { urgentJobs.append(job) } else { jobs.append(job) }
        unsafe pthread_cond_signal(filled)
        unsafe pthread_mutex_unlock(mutex)
    }
}
