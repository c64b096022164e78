// What can be wrong with names of models and with the folder they are in.
internal import Q3GGUF
import Q3System

package enum CatalogError: Error, Equatable {
    case badLine(path: String, line: Int, fault: String)
    case badName(String, _ fault: String)
    case unreadable(path: String)
    /// No variable says where the model folder is.
    case noFolder
    case unknownModel(name: String, near: [String], folder: String)
    case notPulled(name: String, path: String)
}

extension CatalogError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .badLine(let path, let line, let fault): return "\(path.escapedForTerminal), line \(line): \(fault)"
        case .badName(let name, let fault): return "\"\(name.escapedForTerminal)\" \(fault)"
        case .unreadable(let path):
            return "cannot read \(path.escapedForTerminal), which Q3_CATALOG names, as a text of up to a megabyte"
        case .noFolder: return "no folder for models; set Q3_MODELS or HOME to a path in UTF-8"
        case .unknownModel(let name, let near, let folder):
            let hint = near.isEmpty ? "" : "; near: \(near.joined(separator: ", "))"
            return "there is no file \(name.escapedForTerminal) here nor in \(folder.escapedForTerminal), and no model "
                + "of that name\(hint); 'q3 list' has all names, 'q3 pull NAME' downloads"
        case .notPulled(let name, let path):
            return "\(path.escapedForTerminal) is not there; run 'q3 pull \(name)' first"
        }
    }
}
