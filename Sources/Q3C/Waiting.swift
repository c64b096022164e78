// From a C call that blocks to a Swift task, and how others watch and cancel it.
import CQ3
import Q3System
import Synchronization

/// A switch and a count that several threads share.
final class Ticket: Sendable {
    private struct State {
        var isCancelled = false
        var tasks: [Int: Task<Void, Never>] = [:]
        var next = 0
        var completed: Int64 = 0
        var total: Int64 = 0
    }

    private let state = Mutex(State())

    var isCancelled: Bool { state.withLock(\.isCancelled) }

    var progress: (completed: Int64, total: Int64) { state.withLock { ($0.completed, $0.total) } }

    func report(completed: Int64, total: Int64) {
        state.withLock {
            $0.completed = completed
            $0.total = total
        }
    }

    func cancel() {
        let tasks = state.withLock { state in
            state.isCancelled = true
            return Array(state.tasks.values)
        }
        for task in tasks { task.cancel() }
    }

    /// Cancels the task when the ticket is cancelled, at once if it is already.
    fileprivate func attach(_ task: Task<Void, Never>) -> Int {
        let (key, isCancelled) = state.withLock { state in
            state.next += 1
            state.tasks[state.next] = task
            return (state.next, state.isCancelled)
        }
        if isCancelled { task.cancel() }
        return key
    }

    fileprivate func detach(_ key: Int) { state.withLock { _ = $0.tasks.removeValue(forKey: key) } }
}

/// Runs `body` as a task and blocks the calling thread, which is not one of Swift's, until it is done.
func waiting<Result: Sendable>(
    _ ticket: Ticket?, _ body: @escaping @Sendable () async throws -> Result
) throws -> Result {
    // A task that is cancelled as it begins may have a short text done before it looks.
    if ticket?.isCancelled == true { throw CancellationError() }
    let outcome = Outcome<Result>()
    let task = Task.detached {
        do {
            outcome.finish(.success(try await body()))
        } catch {
            outcome.finish(.failure(error))
        }
    }
    let key = ticket?.attach(task)
    defer { if let key { ticket?.detach(key) } }
    return try outcome.wait().get()
}

/// A result that one thread waits for.
@safe private final class Outcome<Value: Sendable>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let finished = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var result: Result<Value, any Error>?

    init() {
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(finished, nil)
    }

    deinit {
        unsafe pthread_cond_destroy(finished)
        unsafe pthread_mutex_destroy(mutex)
        unsafe finished.deallocate()
        unsafe mutex.deallocate()
    }

    func finish(_ result: Result<Value, any Error>) {
        unsafe pthread_mutex_lock(mutex)
        self.result = result
        unsafe pthread_cond_signal(finished)
        unsafe pthread_mutex_unlock(mutex)
    }

    func wait() -> Result<Value, any Error> {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while true {
            if let result { return result }
            unsafe pthread_cond_wait(finished, mutex)
        }
    }
}

@c @implementation
public func q3_ticket_create() -> OpaquePointer? {
    guard (try? Process.claim()) != nil else { return nil }
    return unsafe tickets.add(Ticket())
}

@c @implementation
public func q3_ticket_cancel(_ ticket: OpaquePointer?) {
    guard (try? Process.check()) != nil else { return }
    unsafe tickets[ticket]?.cancel()
}

@c @implementation
public func q3_ticket_progress(
    _ ticket: OpaquePointer?, _ completed: UnsafeMutablePointer<Int64>?, _ total: UnsafeMutablePointer<Int64>?
) {
    guard (try? Process.check()) != nil else { return }
    let progress = unsafe tickets[ticket]?.progress ?? (completed: 0, total: 0)
    unsafe completed?.pointee = progress.completed
    unsafe total?.pointee = progress.total
}

@c @implementation
public func q3_ticket_close(_ ticket: OpaquePointer?) {
    guard (try? Process.check()) != nil else { return }
    unsafe tickets.remove(ticket)
}
