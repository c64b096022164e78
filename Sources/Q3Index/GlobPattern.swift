// Patterns of paths: `*` and `?` within a name, `**` across folders, `[a-z]` for one of several characters.

/// A pattern as gitignore(5) has it, over the bytes of paths.
struct GlobPattern: Sendable, Equatable {
    private enum Part: Sendable, Equatable {
        case byte(UInt8)
        /// Any byte but `/`.
        case one
        /// Any bytes but `/`.
        case many
        /// Any bytes, folders among them. Before a `/` it also stands for nothing at all.
        case across
        case set([ClosedRange<UInt8>], isNegated: Bool)
    }

    private let parts: [Part]

    init(_ pattern: some Collection<UInt8>) {
        let bytes = Array(pattern)
        var parts: [Part] = []
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "*") where index + 1 < bytes.count && bytes[index + 1] == UInt8(ascii: "*"):
                while index < bytes.count, bytes[index] == UInt8(ascii: "*") { index += 1 }
                parts.append(.across)
                continue
            case UInt8(ascii: "*"): parts.append(.many)
            case UInt8(ascii: "?"): parts.append(.one)
            case UInt8(ascii: "\\") where index + 1 < bytes.count:
                index += 1
                parts.append(.byte(bytes[index]))
            case UInt8(ascii: "["):
                if let (set, end) = Self.set(bytes, from: index + 1) {
                    parts.append(set)
                    index = end
                } else {
                    parts.append(.byte(bytes[index]))
                }
            default: parts.append(.byte(bytes[index]))
            }
            index += 1
        }
        self.parts = parts
    }

    /// The set whose first byte stands at `start`, and where its `]` is; nil without one.
    private static func set(_ bytes: [UInt8], from start: Int) -> (Part, Int)? {
        var index = start
        var isNegated = false
        if index < bytes.count, bytes[index] == UInt8(ascii: "!") || bytes[index] == UInt8(ascii: "^") {
            isNegated = true
            index += 1
        }
        var ranges: [ClosedRange<UInt8>] = []
        let first = index
        while index < bytes.count, bytes[index] != UInt8(ascii: "]") || index == first {
            if index + 2 < bytes.count, bytes[index + 1] == UInt8(ascii: "-"), bytes[index + 2] != UInt8(ascii: "]") {
                if bytes[index] <= bytes[index + 2] { ranges.append(bytes[index]...bytes[index + 2]) }
                index += 3
            } else {
                ranges.append(bytes[index]...bytes[index])
                index += 1
            }
        }
        return index < bytes.count ? (.set(ranges, isNegated: isNegated), index) : nil
    }

    /// Whether the whole path matches.
    func matches(_ path: ArraySlice<UInt8>) -> Bool {
        // All positions of the pattern that the path so far can have reached: time is their product, whatever the pattern.
        var reached = [Bool](repeating: false, count: parts.count + 1)
        reached[0] = true
        spread(&reached, atStart: true)
        for byte in path {
            var next = [Bool](repeating: false, count: parts.count + 1)
            for (index, part) in parts.enumerated() where reached[index] {
                switch part {
                case .byte(let wanted): if byte == wanted { next[index + 1] = true }
                case .one: if byte != UInt8(ascii: "/") { next[index + 1] = true }
                case .many: if byte != UInt8(ascii: "/") { next[index] = true }
                case .across: next[index] = true
                case .set(let ranges, let isNegated):
                    if byte != UInt8(ascii: "/"), ranges.contains(where: { $0.contains(byte) }) != isNegated {
                        next[index + 1] = true
                    }
                }
            }
            reached = next
            spread(&reached, atStart: false)
        }
        return reached[parts.count]
    }

    /// Goes over what may stand for nothing. `**/` stands for no folder only where a name may begin.
    private func spread(_ reached: inout [Bool], atStart: Bool) {
        for (index, part) in parts.enumerated() where reached[index] {
            switch part {
            case .many: reached[index + 1] = true
            case .across:
                reached[index + 1] = true
                let beginsName = index == 0 ? atStart : parts[index - 1] == .byte(UInt8(ascii: "/"))
                if beginsName, index + 1 < parts.count, parts[index + 1] == .byte(UInt8(ascii: "/")) {
                    reached[index + 2] = true
                }
            default: break
            }
        }
    }
}
