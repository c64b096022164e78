// Remembers which tokens their own bytes encode to.

import Synchronization

/// A bit for each token, set once BPE has been seen to make that token of its bytes. Nearly all tokens of a trained
/// vocabulary are so, and a piece of text that is one then needs no merging; nearly all are not all, so each is
/// tried first.
///
/// The result of encoding does not depend on what is remembered, only its speed, so the bits need no order among
/// threads.
final class KnownTokens: Sendable {
    /// Bits by token id; tokens above are merged each time. Qwen3 has 151,669.
    private let words = InlineArray<4096, Atomic<UInt64>> { _ in Atomic(0) }

    @inline(__always)
    func contains(_ id: Int32) -> Bool {
        let index = Int(id >> 6)
        return index < words.count && words[index].load(ordering: .relaxed) >> UInt64(id & 63) & 1 != 0
    }

    func insert(_ id: Int32) {
        let index = Int(id >> 6)
        if index < words.count { words[index].bitwiseOr(1 << UInt64(id & 63), ordering: .relaxed) }
    }
}
