// Many independent pieces of work on the threads that compute.

internal import CShims

public enum Parallel {
    /// Runs `body` with 0..<count, each once, on at most `threads` threads, which are numbered from 0.
    public static func forEach(count: Int, threads: Int, _ body: (_ item: Int, _ thread: Int) -> Void) {
        typealias Body = (Int, Int) -> Void
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
