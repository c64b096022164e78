// How work is cut into items, and how much of the threads' time that leaves idle: by count, without a clock.

internal import CShims

package enum WorkShare {
    /// Items of products with matrices of `outputs` rows together, all of equal size.
    package static func productItems(outputs: Int, tokens: Int, threads: Int) -> Int {
        q3_product_items(outputs / Matrix.rowMultiple, tokens, UInt32(threads))
    }

    /// Items of an operation on single rows.
    package static func rowItems(tokens: Int, threads: Int) -> Int { q3_row_items(tokens, UInt32(threads)) }

    /// The share of the threads' time in which some have nothing left to take, when items of these costs are handed out in
    /// order, each to the thread that is free first.
    package static func idle(costs: [Int], threads: Int) -> Double {
        var busy = [Int](repeating: 0, count: threads)
        for cost in costs {
            let first = busy.indices.min { busy[$0] < busy[$1] }!
            busy[first] += cost
        }
        let end = busy.max()!
        return end == 0 ? 0 : 1 - Double(costs.reduce(0, +)) / Double(end * threads)
    }

    /// What attention items of one text cost, the longest first: blocks of keys times tokens, for each K/V head.
    package static func attentionCosts(tokens: Int, queryTokens: Int, kvHeads: Int) -> [Int] {
        stride(from: 0, to: tokens, by: queryTokens).reversed().flatMap { first in
            let last = min(first + queryTokens, tokens)
            let block = Int(Q3_KEY_BLOCK)
            return Array(repeating: ((last - 1) / block + 1) * (last - first), count: kvHeads)
        }
    }

    /// The most tokens of an attention item that leave at most 10 % of the threads' time idle; few, down to 8, where none
    /// do. Fewer tokens turn keys about more often, so two threads get whole items.
    package static func queryTokens(tokens: Int, group: Int, kvHeads: Int, threads: Int) -> Int {
        var count = Team.queryTokens(group: group)
        while count >= 2 * Int(Q3_TOKEN_GROUP),
            idle(costs: attentionCosts(tokens: tokens, queryTokens: count, kvHeads: kvHeads), threads: threads) > 0.1
        { count /= 2 }
        return count
    }
}
