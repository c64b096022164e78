// A priority queue of pairs by rank, then position, that is nearly a plain list when many pairs have the same rank.

/// A binary heap of runs instead of pairs. A run is a list of pairs of one rank in ascending order of position. Repetitive
/// text, the only kind of which pieces of megabytes are made, has few ranks and visits each from left to right, so its
/// millions of pairs are a few dozen runs. Text of any other kind costs what a heap of pairs costs.
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
        /// Number of the run, which `openRuns` remembers.
        let serial: Int
    }

    /// The run that the next pair of a rank may be appended to, and its last pair.
    private struct OpenRun {
        var rank = UInt64.max
        var serial = -1
        var last: Int32 = -1
    }

    private var pairs: [Pair] = []
    private var firstUnused: Int32 = -1
    private var heap: [Run] = []
    private var runCount = 0
    /// By the low bits of the rank; a rank that finds its place taken begins a new run.
    private var openRuns = [OpenRun](repeating: OpenRun(), count: 256)

    mutating func insert(rank: UInt64, position: Int) {
        let pair = newPair(Pair(position: Int32(position)))
        let open = Int(rank) & (openRuns.count - 1)
        if openRuns[open].rank == rank, pairs[Int(openRuns[open].last)].position < Int32(position) {
            pairs[Int(openRuns[open].last)].next = pair
            openRuns[open].last = pair
            return
        }
        openRuns[open] = OpenRun(rank: rank, serial: runCount, last: pair)
        heap.append(Run(key: rank << 32 | UInt64(position), first: pair, serial: runCount))
        runCount += 1
        siftUp()
    }

    /// Removes the pair of the lowest rank, of those the leftmost.
    mutating func popFirst() -> (rank: UInt64, position: Int)? {
        guard let run = heap.first else { return nil }
        let rank = run.key >> 32
        let following = pairs[Int(run.first)].next
        pairs[Int(run.first)].next = firstUnused
        firstUnused = run.first
        if following >= 0 {
            heap[0].first = following
            heap[0].key = rank << 32 | UInt64(pairs[Int(following)].position)
        } else {
            let open = Int(rank) & (openRuns.count - 1)
            if openRuns[open].serial == run.serial { openRuns[open] = OpenRun() }
            let last = heap.removeLast()
            if !heap.isEmpty { heap[0] = last }
        }
        siftDown()
        return (rank, Int(run.key & 0xFFFF_FFFF))
    }

    private mutating func newPair(_ pair: Pair) -> Int32 {
        guard firstUnused >= 0 else {
            pairs.append(pair)
            return Int32(pairs.count - 1)
        }
        let index = firstUnused
        firstUnused = pairs[Int(index)].next
        pairs[Int(index)] = pair
        return index
    }

    private mutating func siftUp() {
        var child = heap.count - 1
        while child > 0, heap[child].key < heap[(child - 1) / 2].key {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private mutating func siftDown() {
        var parent = 0
        while true {
            var least = parent
            for child in (2 * parent + 1)...(2 * parent + 2) where child < heap.count && heap[child].key < heap[least].key {
                least = child
            }
            guard least != parent else { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
