// Keys and values of prefixes that come back in call after call: an instruction, a query with its candidates.

import Q3Kernels

/// Prefix cache statistics.
public struct PrefixCacheUse: Sendable, Equatable {
    /// Token lists that were looked up.
    public internal(set) var lookups = 0
    /// Lookups that found a prefix.
    public internal(set) var hits = 0
    /// Tokens that did not have to be computed.
    public internal(set) var reusedTokens = 0
    /// Bytes held now.
    public internal(set) var byteCount = 0
}

/// A bounded store of all layers' keys and values for token prefixes, least recently used out first.
///
/// It learns by itself: a prefix that a list shares with another list of its batch, or with one of the last lists seen,
/// is kept. Kept rows are the bits that computing them again would give, so results do not depend on it. Belongs to the
/// inference thread.
final class PrefixCache {
    /// Shorter prefixes cost less than looking them up is worth; longer ones are documents, not instructions.
    static let lengths = 16...1024
    private static let recentCount = 16

    /// The keys and values of one prefix.
    final class Entry {
        let tokens: [Int32]
        private let width: Int
        private let arena: Arena
        private let place: ArenaLayout.Place
        fileprivate var lastUse = 0

        init?(tokens: [Int32], layerCount: Int, width: Int) {
            var layout = ArenaLayout()
            place = layout.reserveFloats(2 * layerCount * tokens.count, width)
            guard let arena = Arena(byteCount: layout.byteCount) else { return nil }
            self.tokens = tokens
            self.width = width
            self.arena = arena
        }

        var byteCount: Int { arena.byteCount }

        /// A layer's keys and its values, [tokens, width] each.
        func context(layer: Int) -> [FloatMatrix] {
            let all = arena.matrix(place, rows: place.byteCount / (width * MemoryLayout<Float>.stride), cols: width)
            return [2 * layer, 2 * layer + 1].map { all.rows($0 * tokens.count..<($0 + 1) * tokens.count) }
        }
    }

    private let byteLimit: Int
    private let layerCount: Int
    private let width: Int
    private var entries: [Entry] = []
    private var recent: [[Int32]] = []
    private var clock = 0
    private(set) var use = PrefixCacheUse()

    init(byteLimit: Int, layerCount: Int, width: Int) {
        self.byteLimit = byteLimit
        self.layerCount = layerCount
        self.width = width
    }

    /// The entry that shares the longest prefix with `list`, and how much of it can be used: at least the last token
    /// must be computed.
    func match(_ list: [Int32]) -> (entry: Entry, length: Int)? {
        clock += 1
        var best: (entry: Entry, length: Int)?
        for entry in entries {
            let shared = entry.tokens[...].commonPrefixLength(with: list[...])
            let length = min(shared, list.count - 1)
            if Self.lengths ~= length, length > best?.length ?? 0 { best = (entry, length) }
        }
        best?.entry.lastUse = clock
        use.lookups += 1
        if let best {
            use.hits += 1
            use.reusedTokens += best.length
        }
        return best
    }

    /// New entries for prefixes that the sorted `lists` share with each other or with recent ones, to be filled while
    /// the lists run.
    func entriesToFill(for lists: [[Int32]]) -> [Entry] {
        var expected: [[Int32]] = []
        for (index, list) in lists.enumerated() {
            let others = index > 0 ? recent + [lists[index - 1]] : recent
            let shared = others.map { min(list[...].commonPrefixLength(with: $0[...]), list.count - 1) }.max() ?? 0
            let length = min(shared, Self.lengths.upperBound)
            guard Self.lengths ~= length else { continue }
            let prefix = Array(list[..<length])
            let known = entries.map(\.tokens) + expected
            if !known.contains(where: { $0[...].commonPrefixLength(with: prefix[...]) == length }) {
                expected.append(prefix)
            }
        }
        recent = (lists.prefix(Self.recentCount).map { Array($0.prefix(Self.lengths.upperBound + 1)) } + recent)
        recent.removeLast(max(0, recent.count - Self.recentCount))
        let rowBytes = 2 * layerCount * width * MemoryLayout<Float>.stride
        return expected.filter { $0.count * rowBytes <= byteLimit / 4 }
            .compactMap { Entry(tokens: $0, layerCount: layerCount, width: width) }
    }

    /// Keeps filled entries and drops the least recently used beyond the limit.
    func keep(_ filled: [Entry]) {
        for entry in filled {
            entry.lastUse = clock
            entries.append(entry)
        }
        entries.sort { $0.lastUse > $1.lastUse }
        var byteCount = 0
        entries = Array(
            entries.prefix { entry in
                byteCount += entry.byteCount
                return byteCount <= byteLimit
            })
        use.byteCount = entries.reduce(0) { $0 + $1.byteCount }
    }
}
