// How many multiply-adds each node of the graph does in one pass.
import Q3Model

/// The work of a pass over token lists that share their common beginnings.
struct PassWork {
    private let config: Qwen3Config
    /// Rows that the layers compute, and rows of the last layer behind its keys and values.
    private let distinct: Int
    private let pooled: Int
    /// Keys that all distinct tokens, or the pooled ones, attend to.
    private let keys: Int
    private let pooledKeys: Int

    init(config: Qwen3Config, lists: [[Int32]]) {
        let sorted = lists.sorted { $0.lexicographicallyPrecedes($1) }
        var (distinct, pooled, keys, pooledKeys) = (0, 0, 0, 0)
        var previous: [Int32] = []
        for list in sorted {
            let shared = zip(list, previous).prefix { $0 == $1 }.count
            distinct += list.count - shared
            keys += (list.count * (list.count + 1) - shared * (shared + 1)) / 2
            if list != previous {
                pooled += 1
                pooledKeys += list.count
            }
            previous = list
        }
        self.config = config
        (self.distinct, self.pooled, self.keys, self.pooledKeys) = (distinct, pooled, keys, pooledKeys)
    }

    /// Multiply-adds of a node in all layers; nil for a node that does other work.
    func multiplyAdds(of node: String) -> Int? {
        let c = config
        let full = (c.layerCount - 1) * distinct
        return switch node {
        case "qkv": full * c.hiddenSize * (c.queryWidth + 2 * c.keyWidth)
        case "kv": distinct * c.hiddenSize * 2 * c.keyWidth
        case "q": pooled * c.hiddenSize * c.queryWidth
        case "attention": ((c.layerCount - 1) * keys + pooledKeys) * 2 * c.queryWidth
        case "attnOut": (full + pooled) * c.queryWidth * c.hiddenSize
        case "gateUpSwiGLU": (full + pooled) * c.hiddenSize * 2 * c.ffnSize
        case "ffnDown": (full + pooled) * c.ffnSize * c.hiddenSize
        default: nil
        }
    }
}
