// What Ctrl-C does: the record being written is finished, unfinished output files are removed, the process ends.
import Q3System
import Synchronization

/// The main thread waits for SIGINT, SIGTERM, SIGHUP and SIGQUIT, because a thread may do what a handler must not: wait until no
/// record is half written, and delete files. The work is done by other threads.
enum Interruption {
    /// The unfinished output files, locked while output is written.
    private static let unfinishedFiles = Mutex<Set<String>>([])

    /// What to say when an interruption leaves something unfinished.
    private static let lastWords = Mutex<String?>(nil)

    /// Sets the message that an interruption ends with; nil for none.
    static func sayWhenInterrupted(_ message: String?) {
        lastWords.withLock { $0 = message }
    }

    /// Must run before any other thread exists, since threads inherit the set of blocked signals.
    static func blockSignals() {
        signal(SIGPIPE, SIG_IGN)  // a closed pipe is an error of write instead
        var signals = awaited
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    /// Ends the process when a page of a mapped file is gone: the file was cut after the last look at its size. The handler
    /// may do nothing but two system calls.
    static func endWhenPagesAreLost() {
        signal(SIGBUS) { _ in
            let message: StaticString =
                "q3: error: a file that q3 reads was cut; use --no-mmap where others write to the model\n"
            _ = unsafe write(2, message.utf8Start, message.utf8CodeUnitCount)
            _exit(ExitStatus.inputOutput.rawValue)
        }
    }

    /// What the first signal does instead of ending the process: a server finishes its requests.
    private static let gracefulEnd = Mutex<(@Sendable () -> Void)?>(nil)

    /// Makes the first signal call `end`; a second one ends the process at once.
    static func onFirstSignal(_ end: @escaping @Sendable () -> Void) {
        gracefulEnd.withLock { $0 = end }
    }

    /// Waits until a signal asks for the end, and ends the process once no output is being written; after a second, in
    /// which nobody read the output, anyway.
    static func waitForSignal() -> Never {
        var signals = awaited
        var received: CInt = 0
        while true {
            while unsafe sigwait(&signals, &received) != 0 {}
            let end = gracefulEnd.withLock { end in
                defer { end = nil }
                return end
            }
            guard let end else { break }
            end()
        }
        let status = 128 + received  // as shells have it
        for _ in 0..<100 {
            // The lock is kept to the end, so that no thread makes another file.
            unfinishedFiles.withLockIfAvailable { paths in
                for path in paths { unsafe unlink(path) }
                if Terminal.isInteractive(2) { Terminal.redraw("") }
                if let message = lastWords.withLock({ $0 }) { Terminal.say(message) }
                _exit(status)
            }
            usleep(10_000)
        }
        sayLastWordsAtOnce()
        _exit(status)
    }

    /// Never waits: stderr may be the pipe that the output is stuck in.
    private static func sayLastWordsAtOnce() {
        var request = pollfd(fd: 2, events: Int16(POLLOUT), revents: 0)
        guard unsafe poll(&request, 1, 0) > 0 else { return }
        if let message = lastWords.withLockIfAvailable({ $0 }) ?? nil { Terminal.say(message) }
    }

    /// Runs `body` while no signal ends the process. The body is given the paths of the unfinished files.
    static func deferred<R, E: Error>(
        _ body: (inout sending Set<String>) throws(E) -> sending R
    ) throws(E) -> sending R {
        try unfinishedFiles.withLock(body)
    }

    private static var awaited: sigset_t {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGINT)
        unsafe sigaddset(&signals, SIGTERM)
        unsafe sigaddset(&signals, SIGHUP)
        unsafe sigaddset(&signals, SIGQUIT)
        return signals
    }
}
