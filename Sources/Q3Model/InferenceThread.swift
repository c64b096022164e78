// The one thread that enters the team.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Runs jobs one after another on a thread of its own, first come, first served.
///
/// libomp keeps a separate team for every thread that enters a parallel region and never frees it, so all computing of
/// the process goes through here; it also keeps long jobs off Swift's cooperative pool.
@safe final class InferenceThread: @unchecked Sendable {
    static let shared = InferenceThread()

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let filled = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var jobs: [@Sendable () -> Void] = []

    private init() {
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
        precondition(created == 0, "the system cannot start one more thread")
    }

    private func work() -> Never {
        while true {
            unsafe pthread_mutex_lock(mutex)
            while jobs.isEmpty { unsafe pthread_cond_wait(filled, mutex) }
            let job = jobs.removeFirst()
            unsafe pthread_mutex_unlock(mutex)
            job()
        }
    }

    /// Runs `job` on the thread and returns what it returns or throws.
    func run<Result: Sendable>(_ job: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            submit { continuation.resume(with: Swift.Result { try job() }) }
        }
    }

    private func submit(_ job: @escaping @Sendable () -> Void) {
        unsafe pthread_mutex_lock(mutex)
        jobs.append(job)
        unsafe pthread_cond_signal(filled)
        unsafe pthread_mutex_unlock(mutex)
    }
}
