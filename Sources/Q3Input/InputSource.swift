// Where texts come from: arguments, files and folders, or a pipe.
import Q3System

package enum InputSource: Sendable {
    case arguments([String])
    /// Files in their order; nil is stdin.
    case files([String?])

    package var paths: [String] {
        if case .files(let paths) = self { paths.compactMap { $0 } } else { [] }
    }

    package var isArguments: Bool {
        if case .arguments = self { true } else { false }
    }

    /// Whether everything can be read once more.
    package var areRegularFiles: Bool {
        if case .files(let paths) = self { paths.allSatisfy { $0.map(InputFolder.isFile) ?? false } } else { false }
    }
}

/// The files of a folder.
package enum InputFolder {
    package static func isFolder(_ path: String) -> Bool { kind(path) == S_IFDIR }

    /// Whether a regular file has that path.
    package static func isFile(_ path: String) -> Bool { kind(path) == S_IFREG }

    /// Whether two paths lead to one file that is there.
    package static func isSameFile(_ a: String, _ b: String) -> Bool {
        var (first, second) = (stat(), stat())
        return unsafe stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev
            && first.st_ino == second.st_ino
    }

    private static func kind(_ path: String) -> mode_t? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
    }

    /// The files below a folder whose name, or path within the folder where the pattern has a slash, matches a pattern of the
    /// shell; without one those whose ending names a format. In the order of their bytes; hidden ones and links to folders are
    /// left out.
    package static func files(in folder: String, matching pattern: String?) throws(InputError) -> [String] {
        var found: [String] = []
        var waiting = [""]
        while let part = waiting.popLast() {
            let current = part.isEmpty ? folder : "\(folder)/\(part)"
            for (name, isWhole) in try names(in: current) where name.utf8.first != UInt8(ascii: ".") {
                let inner = part.isEmpty ? name : "\(part)/\(name)"
                guard isWhole || pattern != nil && !matches(inner, name, pattern) else {
                    throw .badName(current, name: name)
                }
                var status = stat()
                let path = folder.hasSuffix("/") ? folder + inner : "\(folder)/\(inner)"
                guard unsafe lstat(path, &status) == 0 else { continue }
                if status.st_mode & S_IFMT == S_IFDIR {
                    waiting.append(inner)
                } else if matches(inner, name, pattern), !isFolder(path) {
                    found.append(path)
                }
            }
        }
        guard !found.isEmpty else {
            throw .noFiles(folder, pattern: pattern ?? "*.txt, .md, .jsonl, .json, .csv or .tsv")
        }
        return found.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    private static func matches(_ path: String, _ name: String, _ pattern: String?) -> Bool {
        guard let pattern else { return InputFormat(ending: name) != nil }
        return unsafe fnmatch(pattern, pattern.utf8.contains(UInt8(ascii: "/")) ? path : name, 0) == 0
    }

    /// The names in a folder, those that are not UTF-8 repaired and marked so.
    private static func names(in folder: String) throws(InputError) -> [(name: String, isWhole: Bool)] {
        guard let handle = unsafe opendir(folder) else { throw .cannotOpen(folder, code: errno) }
        defer { unsafe closedir(handle) }
        var names: [(name: String, isWhole: Bool)] = []
        while let entry = unsafe readdir(handle) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
                unsafe name.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: name.pointee)) {
                    unsafe (name: String(cString: $0), isWhole: String(validatingCString: $0) != nil)
                }
            }
            if name.name != ".", name.name != ".." { names.append(name) }
        }
        return names
    }
}
