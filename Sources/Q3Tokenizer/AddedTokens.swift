// Finds control and user-defined tokens such as <|im_start|> in text.

/// The added tokens as a trie over their bytes, in flat arrays: a node's children are a linked list of siblings.
struct AddedTokens: Sendable {
    private struct Node {
        let byte: UInt8
        /// The token that ends here, or -1.
        var id: Int32 = -1
        /// The first child and the next sibling, or 0: the root is nobody's child.
        var firstChild = 0
        var nextSibling = 0
    }

    private var nodes = [Node(byte: 0)]
    /// Whether any token begins with the byte, so that most text is passed over by one look per byte.
    private var beginsToken = [Bool](repeating: false, count: 256)

    struct Match {
        let id: Int32
        let range: Range<Int>
    }

    mutating func insert(_ bytes: Span<UInt8>, id: Int32) {
        var node = 0
        for index in bytes.indices {
            node = child(of: node, bytes[index]) ?? addChild(of: node, bytes[index])
        }
        nodes[node].id = id
        beginsToken[Int(bytes[0])] = true
    }

    /// The leftmost match at or after `start`, and the longest of those that begin there.
    func firstMatch(in text: Span<UInt8>, from start: Int) -> Match? {
        for begin in start..<text.count where beginsToken[Int(text[begin])] {
            if let match = longestMatch(in: text, at: begin) { return match }
        }
        return nil
    }

    private func longestMatch(in text: Span<UInt8>, at begin: Int) -> Match? {
        var match: Match? = nil
        var (node, end) = (0, begin)
        while end < text.count, let next = child(of: node, text[end]) {
            (node, end) = (next, end + 1)
            if nodes[node].id >= 0 { match = Match(id: nodes[node].id, range: begin..<end) }
        }
        return match
    }

    private func child(of node: Int, _ byte: UInt8) -> Int? {
        var child = nodes[node].firstChild
        while child != 0, nodes[child].byte != byte { child = nodes[child].nextSibling }
        return child == 0 ? nil : child
    }

    private mutating func addChild(of node: Int, _ byte: UInt8) -> Int {
        nodes.append(Node(byte: byte, nextSibling: nodes[node].firstChild))
        nodes[node].firstChild = nodes.count - 1
        return nodes.count - 1
    }
}
