// Which lists of which requests are computed together next.
#if Server
import Q3Model

/// The token lists of one request that are still to be computed, in lexicographic order so that neighbours share.
struct PendingLists {
    let lists: [[Int32]]
    /// Tokens of each list after the prefix that it shares with the one before it, 1 at least.
    let costs: [Int]
    /// Indices of `lists` in the order to compute them.
    private(set) var waiting: ArraySlice<Int>

    init(_ lists: [[Int32]]) {
        self.lists = lists
        costs = lists.newTokenCounts.map { max(1, $0) }
        waiting = Array(lists.indices)[...]
    }

    var tokenCount: Int { waiting.reduce(0) { $0 + costs[$1] } }

    /// Takes the first lists whose tokens fit `room`, or the first one at any size where `alone`.
    mutating func take(room: Int, alone: Bool) -> (indices: [Int], tokenCount: Int) {
        var taken: [Int] = []
        var size = 0
        while let index = waiting.first {
            let cost = taken.isEmpty ? lists[index].count : costs[index]
            guard size + cost <= room || (alone && taken.isEmpty) else { break }
            taken.append(index)
            size += cost
            waiting.removeFirst()
        }
        return (taken, size)
    }

    /// Puts lists back in front, to be computed again.
    mutating func putBack(_ indices: [Int]) {
        waiting = (indices + waiting)[...]
    }
}

enum BatchPlan {
    /// Fills a batch of about `tokenLimit` tokens from requests in the order they wait.
    ///
    /// Each gets an equal share first, so that a small request that came after a large one is in the next batch; what
    /// is left over goes to the first. A list that is longer than the limit runs, alone, when its request is first and
    /// where `takesLong` allows it. Returns the list indices of each request.
    static func pick(
        from requests: inout [PendingLists], tokenLimit: Int, takesLong: Bool = true
    ) -> [(indices: [Int], tokenCount: Int)] {
        var picked = requests.map { _ in (indices: [Int](), tokenCount: 0) }
        var room = tokenLimit
        let share = max(1, tokenLimit / max(1, requests.count))
        for limit in [share, tokenLimit] {
            for index in requests.indices where room > 0 {
                let isFirst = room == tokenLimit
                let part = requests[index].take(
                    room: min(limit, room), alone: isFirst && limit == tokenLimit && takesLong)
                picked[index].indices += part.indices
                picked[index].tokenCount += part.tokenCount
                room -= part.tokenCount
            }
        }
        return picked
    }
}
#endif
