// A priority queue of pairs by rank, then position, that is nearly a plain list when many pairs have the same rank.

/// A binary heap of runs instead of pairs. A run is a list of pairs of one rank in ascending order of position. BPE
/// visits the pairs of one rank from left to right, so what it inserts for another rank in that time is mostly one run
/// too, and the millions of pairs of a long piece are some thousands of runs, of repetitive text a few dozen.
struct RankQueue {
    private struct Pair {
        let position: Int32
        /// The next pair of the run, or of the unused pairs; -1 at the end.
        var next: Int32 = -1
    }

    private struct Run {
        /// `rank << 32 | position` of the first pair: the order of the heap.
        var key: UInt64
        var first: Int32
    }

    /// The last pair of the run that the next pair of the rank may be appended to; -1 if there is none.
    private struct OpenRun {
        var rank: UInt32 = 0
        var last: Int32 = -1
    }

    private var pairs: [Pair] = []
    private var firstUnused: Int32 = -1
    private var heap: [Run] = []
    /// By the low bits of the rank; a rank that finds its place taken begins a new run.
    private var openRuns: [OpenRun]

    /// - Parameter capacity: About how many pairs the queue will hold at a time.
    init(capacity: Int) {
        var openRunCount = 64
        while openRunCount < min(capacity / 4, 1 << 16) { openRunCount *= 2 }
        openRuns = [OpenRun](repeating: OpenRun(), count: openRunCount)
        pairs.reserveCapacity(capacity)
    }

    mutating func insert(rank: UInt32, position: Int32) {
        let pair = newPair(position)
        let open = Int(rank) & (openRuns.count - 1)
        let last = openRuns[open].last
        if last >= 0, openRuns[open].rank == rank, pairs[Int(last)].position < position {
            pairs[Int(last)].next = pair
            openRuns[open].last = pair
            return
        }
        openRuns[open] = OpenRun(rank: rank, last: pair)
        heap.append(Run(key: UInt64(rank) << 32 | UInt64(position), first: pair))
        siftUp()
    }

    /// Removes the pair of the lowest rank, of those the leftmost.
    mutating func popFirst() -> (rank: UInt32, position: Int32)? {
        guard let run = heap.first else { return nil }
        let rank = UInt32(run.key >> 32)
        let next = pairs[Int(run.first)].next
        pairs[Int(run.first)].next = firstUnused
        firstUnused = run.first
        if next >= 0 {
            heap[0] = Run(key: UInt64(rank) << 32 | UInt64(pairs[Int(next)].position), first: next)
        } else {
            let open = Int(rank) & (openRuns.count - 1)
            if openRuns[open].last == run.first { openRuns[open].last = -1 }
            let last = heap.removeLast()
            if !heap.isEmpty { heap[0] = last }
        }
        siftDown()
        return (rank, Int32(truncatingIfNeeded: run.key))
    }

    private mutating func newPair(_ position: Int32) -> Int32 {
        guard firstUnused >= 0 else {
            pairs.append(Pair(position: position))
            return Int32(pairs.count - 1)
        }
        let index = firstUnused
        firstUnused = pairs[Int(index)].next
        pairs[Int(index)] = Pair(position: position)
        return index
    }

    private mutating func siftUp() {
        var child = heap.count - 1
        while child > 0, heap[child].key < heap[(child - 1) / 2].key {
            countSteps()
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private mutating func siftDown() {
        var parent = 0
        while true {
            let child = 2 * parent + 1
            var least = parent
            if child < heap.count, heap[child].key < heap[least].key { least = child }
            if child + 1 < heap.count, heap[child + 1].key < heap[least].key { least = child + 1 }
            countSteps()
            guard least != parent else { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
