// Counts the steps of the tokenizer's loops, so that a test can hold their number against the length of a text.

#if DEBUG
import Synchronization

enum StepCount {
    /// Steps of all threads since the process began.
    static let total = Atomic(0)
}
#endif

/// Counts steps of a loop; in a release build nothing is counted and nothing is left of the call.
@inline(__always)
func countSteps(_ count: Int = 1) {
    #if DEBUG
    StepCount.total.add(count, ordering: .relaxed)
    #endif
}
