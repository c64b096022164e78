// Many independent pieces of work on the threads that compute.

internal import CShims

package enum Parallel {
    /// Runs `body` with 0..<count, each once, on at most `threads` threads, which are numbered from 0.
    ///
    /// Returns when all are done. Call it on few threads of a process, best on one: libomp keeps a team of threads for
    /// every thread that called it, and never frees it.
    package static func forEach(count: Int, threads: Int, _ body: @Sendable (_ item: Int, _ thread: Int) -> Void) {
        typealias Body = @Sendable (Int, Int) -> Void
        withoutActuallyEscaping(body) { body in
            unsafe withUnsafePointer(to: body) { pointer in
                unsafe q3_parallel(
                    UInt32(threads), count,
                    { context, item, thread in
                        unsafe context?.assumingMemoryBound(to: Body.self).pointee(item, Int(thread))
                    }, UnsafeMutableRawPointer(mutating: pointer))
            }
        }
    }
}
