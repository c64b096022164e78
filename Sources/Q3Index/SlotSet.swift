// What the threads of a scan share, and sets of slots.
import Q3Embedding
import Synchronization

/// What the threads of a scan share: which item comes next, and what was found.
final class ScanResults: Sendable {
    private let kept: Mutex<TopK>
    private let next = Atomic(0)

    /// The next item, counted from 0.
    func nextItem() -> Int { next.add(1, ordering: .relaxed).oldValue }

    init(count: Int) { kept = Mutex(TopK(count)) }

    func add(_ best: TopK) {
        kept.withLock { kept in
            for hit in best.hits { kept.insert(hit.score, at: hit.index) }
        }
    }

    /// The best of all slots, best first.
    var hits: [TopK.Hit] { kept.withLock { $0.hits } }
}

/// A set of slots, a bit for each.
struct SlotSet: Sendable {
    let count: Int
    private var words: [UInt64]

    init(count: Int) {
        self.count = count
        words = [UInt64](repeating: 0, count: (count + 63) / 64)
    }

    /// Slots beyond the count are ignored: a damaged catalog may name them.
    mutating func insert(_ slot: Int) {
        guard (0..<count).contains(slot) else { return }
        words[slot >> 6] |= 1 << UInt64(slot & 63)
    }

    func contains(_ slot: Int) -> Bool {
        (0..<count).contains(slot) && words[slot >> 6] >> UInt64(slot & 63) & 1 == 1
    }
}
