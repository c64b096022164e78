// Where downloaded models live.
import Q3System

/// The folder that `q3 pull` fills and `--model NAME` looks into.
package struct ModelFolder: Sendable, Equatable {
    package let path: String

    package init(path: String) { self.path = path }

    /// `Q3_MODELS`, else `XDG_CACHE_HOME`/q3/models, else `HOME`/.cache/q3/models; empty variables are none.
    package init(environment: [String: String]) throws(CatalogError) {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        if let folder = value("Q3_MODELS") {
            path = folder
        } else if let cache = value("XDG_CACHE_HOME"), cache.hasPrefix("/") {
            path = "\(cache)/q3/models"  // the variable's specification ignores relative ones
        } else if let home = value("HOME") {
            path = "\(home)/.cache/q3/models"
        } else {
            throw .noFolder
        }
    }

    package func file(_ name: String) -> String { path.hasSuffix("/") ? path + name : "\(path)/\(name)" }

    /// Names of the model files in the folder, sorted; none if there is no folder.
    package func fileNames() -> [String] {
        guard let folder = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(folder) }
        var names: [String] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { unsafe $0.prefix { $0 != 0 } }
            if let name = unsafe String(validating: name, as: UTF8.self) { names.append(name) }
        }
        return names.filter { $0.lowercased().hasSuffix(".gguf") && !$0.hasPrefix(".") }.sorted()
    }
}
