// The report of q3 info on a model that q3 does not run: what it is, and why not.
import Q3GGUF
import Q3Model
import Q3System

struct UnsupportedReport {
    let file: GGUFFile
    let options: ModelOptions
    let error: ModelError

    func output(json: Bool) throws -> String {
        let role = try ModelRole(of: file, asked: options.role)
        let metadata = file.metadata
        let architecture = try metadata.optionalString(Qwen3Schema.Key.architecture) ?? "none"
        let name = try metadata.optionalString(Qwen3Schema.Key.name)
        guard json else {
            return """
                file           \(file.path.withControlsEscaped), \(file.byteCount / 1_000_000) MB, GGUF v\(file.version)
                name           \((name ?? "none").escapedForTerminal)
                role           \(role.kind.rawValue) (\(role.evidence))
                supported      no: \(error)
                architecture   \(architecture.escapedForTerminal)
                tensors        \(file.tensors.count)

                """
        }
        var object = JSONObject()
        object.add("file", quoted: file.path)
        object.add("bytes", file.byteCount)
        object.add("gguf_version", file.version)
        if let name { object.add("name", quoted: name) }
        object.add("role", quoted: role.kind.rawValue)
        object.add("role_evidence", quoted: role.evidence)
        object.add("supported", false)
        object.add("reason", quoted: "\(error)")
        object.add("architecture", quoted: architecture)
        return "\(object)\n"
    }
}

extension ModelError {
    /// Whether the file is the reason, and not this machine or a text.
    var isOfTheFile: Bool {
        switch self {
        case .unsupportedArchitecture, .unsupported, .unsupportedType, .unknownTensor: true
        default: false
        }
    }
}
