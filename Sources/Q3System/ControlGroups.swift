// The control groups of this process, which limit what it gets of the machine.

/// A folder of a control group, of either version.
struct ControlGroup {
    let folder: String
    /// Of version 2, where one folder has the files of all controllers.
    let isSecond: Bool

    /// The groups of this process that say something of `controller`, each with those around it: a limit of any of them holds.
    static func all(of controller: String, membership: String, root: String) -> [ControlGroup] {
        var groups: [ControlGroup] = []
        for line in smallFile(membership).split(separator: "\n") {
            // "0::/path" of version 2, "4:cpu,cpuacct:/path" of version 1
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let isSecond = parts[1].isEmpty
            guard isSecond || parts[1].split(separator: ",").contains(where: { $0 == controller }) else { continue }
            for mount in isSecond ? [root, "\(root)/unified"] : ["\(root)/\(parts[1])", "\(root)/\(controller)"] {
                var path = parts[2]
                while true {
                    groups.append(ControlGroup(folder: "\(mount)\(path == "/" ? "" : path)", isSecond: isSecond))
                    guard let slash = path.lastIndex(of: "/"), path != "/" else { break }
                    path = slash == path.startIndex ? "/" : path[..<slash]
                }
            }
        }
        return groups
    }

    /// The numbers of a file's first line; nil in the place of a word that is none, as "max".
    func numbers(_ name: String) -> [Int?] {
        smallFile("\(folder)/\(name)").prefix { $0 != "\n" }.split(whereSeparator: \.isWhitespace).map { Int($0) }
    }

    /// The number after a word at the start of a line.
    func number(_ word: String, in name: String) -> Int? { labeledNumber(word, in: smallFile("\(folder)/\(name)")) }
}

/// The number after a label at the start of a line: of "MemAvailable:" in "MemAvailable:  123 kB" 123.
func labeledNumber(_ label: String, in text: String) -> Int? {
    for line in text.split(separator: "\n") {
        let words = line.split(whereSeparator: \.isWhitespace)
        if words.count > 1, words[0] == label { return Int(words[1]) }
    }
    return nil
}

/// The first bytes of a file of the system; empty where there is none.
func smallFile(_ path: String) -> String {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = unsafe bytes.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : ""
}
