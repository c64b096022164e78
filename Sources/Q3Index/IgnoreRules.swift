// The rules of .gitignore and .q3ignore files: what a folder leaves out.

/// The rules of one folder and of those above it; the last rule that matches a path decides.
struct IgnoreRules: Sendable {
    private struct Rule: Sendable {
        let pattern: GlobPattern
        let isNegated: Bool
        let isForFolders: Bool
        /// Whether the pattern stands for paths from the rule's folder on; otherwise for names anywhere below it.
        let isAnchored: Bool
        /// The rule's folder in paths, with the `/` at its end; empty for where the walk began.
        let prefix: [UInt8]
    }

    private var rules: [Rule] = []

    var isEmpty: Bool { rules.isEmpty }

    /// Adds the lines of an ignore file in the folder `prefix`, which is empty or ends in `/`.
    mutating func add(_ file: [UInt8], prefix: [UInt8]) {
        for line in file.split(separator: 0x0A) {
            var line = line
            if line.last == 0x0D { line.removeLast() }
            while line.last == 0x20, line.dropLast().last != UInt8(ascii: "\\") { line.removeLast() }
            guard let first = line.first, first != UInt8(ascii: "#") else { continue }
            let isNegated = first == UInt8(ascii: "!")
            if isNegated { line.removeFirst() }
            let isForFolders = line.last == UInt8(ascii: "/")
            if isForFolders { line.removeLast() }
            let isAnchored = line.contains(UInt8(ascii: "/"))
            if line.first == UInt8(ascii: "/") { line.removeFirst() }
            guard !line.isEmpty else { continue }
            rules.append(
                Rule(
                    pattern: GlobPattern(line), isNegated: isNegated, isForFolders: isForFolders,
                    isAnchored: isAnchored,
                    prefix: prefix))
        }
    }

    /// Whether a path, relative to where the walk began, is left out.
    func ignores(_ path: [UInt8], isFolder: Bool) -> Bool {
        for rule in rules.reversed() where isFolder || !rule.isForFolders {
            guard path.starts(with: rule.prefix) else { continue }
            let below = path[rule.prefix.count...]
            let subject =
                rule.isAnchored ? below : path[((path.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1)...]
            if rule.pattern.matches(subject) { return !rule.isNegated }
        }
        return false
    }
}
